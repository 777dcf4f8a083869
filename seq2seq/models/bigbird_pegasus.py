"""BigBird-Pegasus (Zaheer et al. 2020, 2007.14062; pretrained as Zhang et al. 2020, 1912.08777): long text to text.

Two stacks that norm first, as BART's and Pegasus' do in the reference library; the encoder attends block-sparsely.
Below are the bare stacks and what stands on them: language modelling, classes, spans, and the decoder alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.checkpoints import names
from seq2seq.checkpoints.names import NameTable
from seq2seq.config import BigBirdPegasusConfig, BigBirdPegasusStackConfig
from seq2seq.generation.cache import KeyValueCache
from seq2seq.linear import Linear
from seq2seq.models.generating import GeneratesFromPrompt
from seq2seq.models.heads import token_loss, with_logits
from seq2seq.models.outputs import (
    CausalLMOutputWithCrossAttentions,
    ModelOutput,
    OfBothStacks,
    Seq2SeqLMOutput,
    Seq2SeqModelOutput,
    Seq2SeqQuestionAnsweringModelOutput,
    Seq2SeqSequenceClassifierOutput,
    as_asked,
)
from seq2seq.models.pretrained import PreTrainedModel
from seq2seq.models.questions import span_loss, start_and_end
from seq2seq.models.source import GeneratesFromSource, encoded, shifted_right
from seq2seq.models.stack import Stack


class BigBirdPegasusStack(Stack):
    """One of the two stacks; which one, its configuration says. `run` is its forward pass."""

    config_class = BigBirdPegasusStackConfig

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        return_dict: bool | None = None,
        **inputs: Any,
    ) -> ModelOutput | tuple:
        output = self.run(input_ids=input_ids, attention_mask=attention_mask, **inputs)
        return as_asked(output, return_dict, self.config)


class BigBirdPegasusModel(PreTrainedModel):
    """Both stacks over one table of words."""

    config_class = BigBirdPegasusConfig

    def __init__(self, config: BigBirdPegasusConfig):
        super().__init__(config)
        self.encoder = BigBirdPegasusStack(config.encoder)
        self.decoder = BigBirdPegasusStack(config.decoder)
        self.post_init()

    @classmethod
    def names(cls, config: BigBirdPegasusConfig) -> NameTable:
        return names.bigbird_pegasus(tied=config.tie_word_embeddings)

    def ties(self) -> dict[str, str]:
        if not self.config.tie_word_embeddings:
            return {}
        return {"decoder.embeddings.word.weight": "encoder.embeddings.word.weight"}

    def get_encoder(self) -> Stack:
        return self.encoder

    def get_decoder(self) -> Stack:
        return self.decoder

    def get_input_embeddings(self) -> nn.Embedding:
        return self.encoder.get_input_embeddings()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        head_mask: Tensor | None = None,
        decoder_head_mask: Tensor | None = None,
        cross_attn_head_mask: Tensor | None = None,
        encoder_outputs: ModelOutput | tuple | None = None,
        past_key_values: KeyValueCache | tuple | None = None,
        inputs_embeds: Tensor | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> Seq2SeqModelOutput | tuple:
        """The decoder's hidden states (B T D), and the encoder's.

        Args:
            input_ids: (B S) the source, or inputs_embeds (B S D), or encoder_outputs of an earlier call.
            attention_mask: (B S) 1 for tokens to see, 0 for padding.
            decoder_input_ids: (B T) the target so far, or decoder_inputs_embeds; by default input_ids shifted right.
            decoder_attention_mask: (B T).
            head_mask, decoder_head_mask, cross_attn_head_mask: (H) or (L H), 1 keeps a head and 0 silences it, in the
                encoder, in the decoder's self-attention and in its cross-attention.
            past_key_values, use_cache, output_attentions, output_hidden_states, return_dict: as elsewhere.
        Raises:
            ValueError: nothing to decode; a text longer than the model's positions.
        """
        if decoder_input_ids is None and decoder_inputs_embeds is None:
            if input_ids is None:
                raise ValueError("Give decoder_input_ids or decoder_inputs_embeds, or input_ids to make them from.")
            decoder_input_ids = shifted_right(input_ids, self.config)
        watched = watched_outputs(self.config, output_attentions, output_hidden_states)
        encoder_outputs = encoded(
            self.encoder, input_ids, attention_mask, inputs_embeds, encoder_outputs, head_mask=head_mask, **watched
        )
        decoder_outputs = self.decoder.run(
            input_ids=decoder_input_ids,
            inputs_embeds=decoder_inputs_embeds,
            attention_mask=decoder_attention_mask,
            head_mask=decoder_head_mask,
            cross_attn_head_mask=cross_attn_head_mask,
            encoder_hidden_states=encoder_outputs.last_hidden_state,
            encoder_attention_mask=attention_mask,
            past_key_values=past_key_values,
            use_cache=self.config.use_cache if use_cache is None else use_cache,
            **watched,
        )
        output = Seq2SeqModelOutput(
            last_hidden_state=decoder_outputs.last_hidden_state,
            past_key_values=decoder_outputs.past_key_values,
            decoder_hidden_states=decoder_outputs.hidden_states,
            decoder_attentions=decoder_outputs.attentions,
            cross_attentions=decoder_outputs.cross_attentions,
            encoder_last_hidden_state=encoder_outputs.last_hidden_state,
            encoder_hidden_states=encoder_outputs.hidden_states,
            encoder_attentions=encoder_outputs.attentions,
        )
        return as_asked(output, return_dict, self.config)


class OnBothStacks(PreTrainedModel):
    """A head on BigBirdPegasusModel."""

    config_class = BigBirdPegasusConfig

    def __init__(self, config: BigBirdPegasusConfig):
        super().__init__(config)
        self.model = BigBirdPegasusModel(config)

    def ties(self) -> dict[str, str]:
        return {f"model.{second}": f"model.{first}" for second, first in self.model.ties().items()}

    def is_new_in_warm_start(self, name: str) -> bool:
        return not name.startswith("model.")

    def get_encoder(self) -> Stack:
        return self.model.encoder

    def get_decoder(self) -> Stack:
        return self.model.decoder

    def get_input_embeddings(self) -> nn.Embedding:
        return self.model.get_input_embeddings()


class BigBirdPegasusForConditionalGeneration(OnBothStacks, GeneratesFromSource):
    """Writes: the next token's logits over the vocabulary, whose vectors are those of the words."""

    def __init__(self, config: BigBirdPegasusConfig):
        super().__init__(config)
        self.lm_head = Linear(config.d_model, config.vocab_size, bias=False)
        self.final_logits_bias = nn.Parameter(torch.zeros(1, config.vocab_size), requires_grad=False)
        self.post_init()

    @classmethod
    def names(cls, config: BigBirdPegasusConfig) -> NameTable:
        return names.bigbird_pegasus_with_lm_head(config.tie_word_embeddings)

    def ties(self) -> dict[str, str]:
        tied = {"lm_head.weight": "model.encoder.embeddings.word.weight"} if self.config.tie_word_embeddings else {}
        return tied | super().ties()

    def get_output_embeddings(self) -> nn.Linear:
        return self.lm_head

    def decoder_and_logits(self) -> tuple[Stack, Callable[[Tensor], Tensor]]:
        return self.model.decoder, self.logits

    def logits(self, hidden_states: Tensor) -> Tensor:
        """B T D -> B T V"""
        return self.lm_head(hidden_states) + self.final_logits_bias

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        head_mask: Tensor | None = None,
        decoder_head_mask: Tensor | None = None,
        cross_attn_head_mask: Tensor | None = None,
        encoder_outputs: ModelOutput | tuple | None = None,
        past_key_values: KeyValueCache | tuple | None = None,
        inputs_embeds: Tensor | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> Seq2SeqLMOutput | tuple:
        """Logits (B T V) of each next target token; with labels (B T, -100 ignored) also the loss.

        Labels are shifted right inside, into decoder_input_ids. The other arguments are BigBirdPegasusModel's.
        """
        if labels is not None and decoder_input_ids is None and decoder_inputs_embeds is None:
            decoder_input_ids = shifted_right(labels, self.config)
        output = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            decoder_input_ids=decoder_input_ids,
            decoder_attention_mask=decoder_attention_mask,
            head_mask=head_mask,
            decoder_head_mask=decoder_head_mask,
            cross_attn_head_mask=cross_attn_head_mask,
            encoder_outputs=encoder_outputs,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            decoder_inputs_embeds=decoder_inputs_embeds,
            use_cache=False if labels is not None else use_cache,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            return_dict=True,
        )
        logits = self.logits(output.last_hidden_state)
        loss = None if labels is None else token_loss(logits, labels)
        return as_asked(Seq2SeqLMOutput(loss=loss, logits=logits, **of_both(output)), return_dict, self.config)


class BigBirdPegasusForSequenceClassification(OnBothStacks):
    """Classes, labels or a number for a text, from the decoder's hidden state at its last end token."""

    def __init__(self, config: BigBirdPegasusConfig):
        super().__init__(config)
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.dense = Linear(config.d_model, config.d_model)
        self.classes = Linear(config.d_model, config.num_labels)
        self.post_init()

    @classmethod
    def names(cls, config: BigBirdPegasusConfig) -> NameTable:
        return names.bigbird_pegasus_with_classifier(config.tie_word_embeddings)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        head_mask: Tensor | None = None,
        decoder_head_mask: Tensor | None = None,
        cross_attn_head_mask: Tensor | None = None,
        encoder_outputs: ModelOutput | tuple | None = None,
        inputs_embeds: Tensor | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> Seq2SeqSequenceClassifierOutput | tuple:
        """Logits (B num_labels); with labels also the loss that config.problem_type names, or that they suggest.

        labels: (B) of a class each, (B num_labels) of 0 and 1 for several, or numbers where num_labels is 1. The other
        arguments are BigBirdPegasusModel's.
        Raises: ValueError for vectors in place of input_ids, and for texts that do not all have as many end tokens.
        """
        if input_ids is None:
            raise ValueError("Give input_ids, not vectors: the text's class is read at its last end token.")
        output = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            decoder_input_ids=decoder_input_ids,
            decoder_attention_mask=decoder_attention_mask,
            head_mask=head_mask,
            decoder_head_mask=decoder_head_mask,
            cross_attn_head_mask=cross_attn_head_mask,
            encoder_outputs=encoder_outputs,
            inputs_embeds=inputs_embeds,
            decoder_inputs_embeds=decoder_inputs_embeds,
            use_cache=False if labels is not None else use_cache,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            return_dict=True,
        )
        text = self.at_last_end(input_ids, output.last_hidden_state)
        logits = self.classes(self.dropout(torch.tanh(self.dense(self.dropout(text)))))
        loss = None if labels is None else self.loss(logits, labels)
        classified = Seq2SeqSequenceClassifierOutput(loss=loss, logits=logits, **of_both(output))
        return as_asked(classified, return_dict, self.config)

    def at_last_end(self, input_ids: Tensor, hidden_states: Tensor) -> Tensor:
        """B T and B T D -> B D"""
        is_end = input_ids == self.config.eos_token_id
        counts = is_end.sum(dim=1)
        if not bool((counts == counts[0]).all()) or not bool(counts[0]):
            raise ValueError(
                f"All texts need the same number of end tokens (id {self.config.eos_token_id}), one at least; "
                f"these have {counts.tolist()}."
            )
        last = is_end.shape[1] - 1 - is_end.flip(1).long().argmax(dim=1)
        return hidden_states[torch.arange(len(last), device=last.device), last]

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        problem = self.config.problem_type or problem_of(labels, self.config.num_labels)
        if problem == "regression":
            return F.mse_loss(logits.squeeze(), labels.squeeze())
        if problem == "single_label_classification":
            return F.cross_entropy(logits, labels.flatten())
        if problem == "multi_label_classification":
            return F.binary_cross_entropy_with_logits(logits, labels)
        raise ValueError(
            "problem_type must be regression, single_label_classification or multi_label_classification; "
            f"got {problem!r}."
        )


def problem_of(labels: Tensor, num_labels: int) -> str:
    """What labels of this kind are for."""
    if num_labels == 1:
        return "regression"
    return "multi_label_classification" if labels.is_floating_point() else "single_label_classification"


class BigBirdPegasusForQuestionAnswering(OnBothStacks):
    """For each token how well an answer would start or end there, from the decoder's hidden states."""

    def __init__(self, config: BigBirdPegasusConfig):
        super().__init__(config)
        self.spans = Linear(config.d_model, 2)
        self.post_init()

    @classmethod
    def names(cls, config: BigBirdPegasusConfig) -> NameTable:
        return names.bigbird_pegasus_with_spans(config.tie_word_embeddings)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        head_mask: Tensor | None = None,
        decoder_head_mask: Tensor | None = None,
        cross_attn_head_mask: Tensor | None = None,
        encoder_outputs: ModelOutput | tuple | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> Seq2SeqQuestionAnsweringModelOutput | tuple:
        """start_logits and end_logits (B T); with start_positions and end_positions (B) also the loss.

        The other arguments are BigBirdPegasusModel's.
        """
        trains = start_positions is not None and end_positions is not None
        output = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            decoder_input_ids=decoder_input_ids,
            decoder_attention_mask=decoder_attention_mask,
            head_mask=head_mask,
            decoder_head_mask=decoder_head_mask,
            cross_attn_head_mask=cross_attn_head_mask,
            encoder_outputs=encoder_outputs,
            inputs_embeds=inputs_embeds,
            decoder_inputs_embeds=decoder_inputs_embeds,
            use_cache=False if trains else use_cache,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            return_dict=True,
        )
        start_logits, end_logits = start_and_end(self.spans(output.last_hidden_state))
        answered = Seq2SeqQuestionAnsweringModelOutput(
            loss=span_loss(start_logits, end_logits, start_positions, end_positions),
            start_logits=start_logits,
            end_logits=end_logits,
            **of_both(output),
        )
        return as_asked(answered, return_dict, self.config)


class BigBirdPegasusForCausalLM(GeneratesFromPrompt):
    """The decoder alone, as a language model that may look at hidden states from elsewhere."""

    config_class = BigBirdPegasusConfig

    def __init__(self, config: BigBirdPegasusConfig):
        config.is_decoder = True
        config.is_encoder_decoder = False
        super().__init__(config)
        self.stack = BigBirdPegasusStack(config.decoder)
        self.lm_head = Linear(config.d_model, config.vocab_size, bias=False)
        self.post_init()

    @classmethod
    def names(cls, config: BigBirdPegasusConfig) -> NameTable:
        return names.BIGBIRD_PEGASUS_DECODER

    def is_new_in_warm_start(self, name: str) -> bool:
        return not name.startswith("stack.")

    def materialise(self, names: tuple[str, ...], dtype: torch.dtype | None) -> None:
        """A checkpoint without a head of its own, as one of tied stacks is, writes with the vectors of its words."""
        if "lm_head.weight" in names:
            self.lm_head.weight = self.stack.embeddings.word.weight
        super().materialise(tuple(name for name in names if name != "lm_head.weight"), dtype)

    def get_decoder(self) -> Stack:
        return self.stack

    def get_input_embeddings(self) -> nn.Embedding:
        return self.stack.get_input_embeddings()

    def get_output_embeddings(self) -> nn.Linear:
        return self.lm_head

    def logits(self, hidden_states: Tensor) -> Tensor:
        """B T D -> B T V"""
        return self.lm_head(hidden_states)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        head_mask: Tensor | None = None,
        cross_attn_head_mask: Tensor | None = None,
        past_key_values: KeyValueCache | tuple | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> CausalLMOutputWithCrossAttentions | tuple:
        """Logits (B T V) of the token after each token; with labels (B T, -100 ignored) also the loss.

        As in the reference library the labels are not shifted inside: labels[:, t] is what logits[:, t] should say.
        The other arguments are BigBirdPegasusModel's.
        """
        output = self.stack.run(
            input_ids=input_ids,
            attention_mask=attention_mask,
            encoder_hidden_states=encoder_hidden_states,
            encoder_attention_mask=encoder_attention_mask,
            head_mask=head_mask,
            cross_attn_head_mask=cross_attn_head_mask,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=self.config.use_cache if use_cache is None else use_cache,
            **watched_outputs(self.config, output_attentions, output_hidden_states),
        )
        logits = self.logits(output.last_hidden_state)
        loss = None if labels is None else token_loss(logits, labels)
        return as_asked(with_logits(output, logits, loss), return_dict, self.config)


def of_both(output: Seq2SeqModelOutput) -> dict[str, Any]:
    """What a head's output has in common with its model's."""
    return {field.name: getattr(output, field.name) for field in fields(OfBothStacks)}


def watched_outputs(
    config: BigBirdPegasusConfig, output_attentions: bool | None, output_hidden_states: bool | None
) -> dict[str, bool]:
    """What a call asks to see, or else the configuration, of which the stacks have copies only."""
    asked = {"output_attentions": output_attentions, "output_hidden_states": output_hidden_states}
    return {name: getattr(config, name) if wish is None else wish for name, wish in asked.items()}
