"""BERT (Devlin et al. 2019, 1810.04805): the bare stack with its pooler, and the stack with BERT's own head."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seq2seq.checkpoints import names
from seq2seq.checkpoints.names import NameTable
from seq2seq.config import BertConfig
from seq2seq.generation.cache import KeyValueCache
from seq2seq.linear import Linear
from seq2seq.models.generating import GeneratesFromPrompt
from seq2seq.models.heads import LanguageModel
from seq2seq.models.layers import activation
from seq2seq.models.outputs import (
    BaseModelOutputWithPoolingAndCrossAttentions,
    CausalLMOutputWithCrossAttentions,
    as_asked,
)
from seq2seq.models.stack import Stack


class BertModel(Stack):
    """The bare stack; `pooler` turns the first token's last hidden state into one vector for the text."""

    config_class = BertConfig

    def __init__(self, config: BertConfig, add_pooling_layer: bool = True):
        super().__init__(config)
        self.pooler = Linear(config.hidden_size, config.hidden_size) if add_pooling_layer else None
        self.post_init()

    @classmethod
    def names(cls, config: BertConfig) -> NameTable:
        return names.BERT_STACK

    def is_new_in_warm_start(self, name: str) -> bool:
        return name.startswith("pooler.") or super().is_new_in_warm_start(name)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        past_key_values: KeyValueCache | tuple | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> BaseModelOutputWithPoolingAndCrossAttentions | tuple:
        """Hidden states of a batch, and pooler_output (B D).

        token_type_ids (B T) tell the first text of a pair (0) from the second (1). The other arguments are
        BertGenerationEncoder's.
        """
        output = self.run(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            position_ids=position_ids,
            head_mask=head_mask,
            cross_attn_head_mask=head_mask,
            inputs_embeds=inputs_embeds,
            encoder_hidden_states=encoder_hidden_states,
            encoder_attention_mask=encoder_attention_mask,
            past_key_values=past_key_values,
            use_cache=use_cache,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
        )
        pooled = torch.tanh(self.pooler(output.last_hidden_state[:, 0])) if self.pooler is not None else None
        output = BaseModelOutputWithPoolingAndCrossAttentions(pooler_output=pooled, **vars(output))
        return as_asked(output, return_dict, self.config)


class BertHeadTransform(nn.Module):
    """Dense, activation, norm: what BERT's head does before the vocabulary."""

    def __init__(self, config: BertConfig):
        super().__init__()
        self.dense = Linear(config.hidden_size, config.hidden_size)
        self.activation = activation(config.hidden_act)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, hidden_states: Tensor) -> Tensor:
        return self.norm(self.activation(self.dense(hidden_states)))


class BertLMHeadModel(GeneratesFromPrompt, LanguageModel):
    """BERT as a language model that looks left: the stack, BERT's transform, and the tied vocabulary."""

    config_class = BertConfig

    def __init__(self, config: BertConfig):
        super().__init__(config, BertModel(config, add_pooling_layer=False))
        self.lm_transform = BertHeadTransform(config)
        self.post_init()

    @classmethod
    def names(cls, config: BertConfig) -> NameTable:
        return names.BERT_LM_HEAD

    def logits(self, hidden_states: Tensor) -> Tensor:
        return self.lm_head(self.lm_transform(hidden_states))

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        past_key_values: KeyValueCache | tuple | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> CausalLMOutputWithCrossAttentions | tuple:
        """Logits (B T V) of the token after each token; with labels (B T, -100 ignored) also the loss.

        The other arguments are BertModel's.
        """
        output = self.run(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            position_ids=position_ids,
            head_mask=head_mask,
            cross_attn_head_mask=head_mask,
            inputs_embeds=inputs_embeds,
            encoder_hidden_states=encoder_hidden_states,
            encoder_attention_mask=encoder_attention_mask,
            labels=labels,
            past_key_values=past_key_values,
            use_cache=use_cache,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
        )
        return as_asked(output, return_dict, self.config)
