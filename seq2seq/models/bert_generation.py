"""BertGeneration: BERT's stack without token types, as encoder or decoder (Rothe et al. 2020, 1907.12461)."""

from __future__ import annotations

from torch import Tensor

from seq2seq.checkpoints import names
from seq2seq.checkpoints.names import NameTable
from seq2seq.config import BertGenerationConfig
from seq2seq.generation.cache import KeyValueCache
from seq2seq.models.generating import GeneratesFromPrompt
from seq2seq.models.heads import LanguageModel
from seq2seq.models.outputs import (
    BaseModelOutputWithPastAndCrossAttentions,
    CausalLMOutputWithCrossAttentions,
    as_asked,
)
from seq2seq.models.stack import Stack


class BertGenerationEncoder(Stack):
    """The bare stack. With `is_decoder` it looks left only, and with `add_cross_attention` across as well."""

    config_class = BertGenerationConfig

    def __init__(self, config: BertGenerationConfig):
        super().__init__(config)
        self.post_init()

    @classmethod
    def names(cls, config: BertGenerationConfig) -> NameTable:
        return names.BERT_STACK

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
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
    ) -> BaseModelOutputWithPastAndCrossAttentions | tuple:
        """Hidden states of a batch of token ids.

        Args:
            input_ids: (B T) token ids, or inputs_embeds: (B T D) their vectors.
            attention_mask: (B T, with a cache B past+T) 1 for tokens to see, 0 for padding; or (B T T), a row a query.
            position_ids: (B T) in [0, max_position_embeddings).
            head_mask: (H) or (L H), 1 keeps a head and 0 silences it.
            encoder_hidden_states: (B S D) and encoder_attention_mask: (B S), what a decoder looks at across.
            past_key_values: keys and values of the tokens before these, from an earlier call's output.
            use_cache: return past_key_values; decoders only.
            output_attentions, output_hidden_states, return_dict: what to return; the configuration's by default.
        Raises:
            ValueError: both or neither of input_ids and inputs_embeds; a text longer than the model's positions.
        """
        output = self.run(
            input_ids=input_ids,
            attention_mask=attention_mask,
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
        return as_asked(output, return_dict, self.config)


class BertGenerationDecoder(GeneratesFromPrompt, LanguageModel):
    """The stack with a language-modelling head tied to its word embeddings."""

    config_class = BertGenerationConfig

    def __init__(self, config: BertGenerationConfig):
        super().__init__(config, BertGenerationEncoder(config))
        self.post_init()

    @classmethod
    def names(cls, config: BertGenerationConfig) -> NameTable:
        return names.BERT_GENERATION_DECODER

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
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

        The other arguments are BertGenerationEncoder's.
        """
        output = self.run(
            input_ids=input_ids,
            attention_mask=attention_mask,
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
