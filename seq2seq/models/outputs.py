"""What a forward call returns: the documented fields, by name or as the tuple of those that are set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from seq2seq.config import PretrainedConfig
    from seq2seq.generation.cache import KeyValueCache


@dataclass
class ModelOutput:
    """Fields that are None count as absent: `output[0]`, `to_tuple()`, iteration and `"name" in output` skip them."""

    def to_tuple(self) -> tuple[Any, ...]:
        return tuple(self[name] for name in self.keys())

    def keys(self) -> list[str]:
        """The names of what is there: a class's own fields before those that it has in common with others."""
        own = sorted(fields(self), key=lambda field: field.name not in type(self).__annotations__)
        return [field.name for field in own if getattr(self, field.name) is not None]

    def __getitem__(self, key: str | int | slice) -> Any:
        return getattr(self, key) if isinstance(key, str) else self.to_tuple()[key]

    def __contains__(self, name: str) -> bool:
        return name in self.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())


@dataclass
class BaseModelOutputWithPastAndCrossAttentions(ModelOutput):
    last_hidden_state: Tensor | None = None  # B T D
    past_key_values: KeyValueCache | None = None
    hidden_states: tuple[Tensor, ...] | None = None  # L + 1 of B T D
    attentions: tuple[Tensor, ...] | None = None  # L of B H T T
    cross_attentions: tuple[Tensor, ...] | None = None  # L of B H T S


@dataclass
class BaseModelOutputWithPoolingAndCrossAttentions(ModelOutput):
    last_hidden_state: Tensor | None = None  # B T D
    pooler_output: Tensor | None = None  # B D
    past_key_values: KeyValueCache | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    cross_attentions: tuple[Tensor, ...] | None = None


@dataclass
class CausalLMOutputWithCrossAttentions(ModelOutput):
    loss: Tensor | None = None  # a scalar
    logits: Tensor | None = None  # B T V
    past_key_values: KeyValueCache | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    cross_attentions: tuple[Tensor, ...] | None = None


@dataclass
class BigBirdForQuestionAnsweringModelOutput(ModelOutput):
    loss: Tensor | None = None  # a scalar
    start_logits: Tensor | None = None  # B T
    end_logits: Tensor | None = None  # B T
    pooler_output: Tensor | None = None  # B D
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass
class OfBothStacks(ModelOutput):
    """What an encoder-decoder returns beside its result."""

    past_key_values: KeyValueCache | None = None
    decoder_hidden_states: tuple[Tensor, ...] | None = None
    decoder_attentions: tuple[Tensor, ...] | None = None
    cross_attentions: tuple[Tensor, ...] | None = None
    encoder_last_hidden_state: Tensor | None = None  # B S D
    encoder_hidden_states: tuple[Tensor, ...] | None = None
    encoder_attentions: tuple[Tensor, ...] | None = None


@dataclass
class Seq2SeqModelOutput(OfBothStacks):
    last_hidden_state: Tensor | None = None  # B T D, the decoder's


@dataclass
class Seq2SeqLMOutput(OfBothStacks):
    loss: Tensor | None = None  # a scalar
    logits: Tensor | None = None  # B T V


@dataclass
class Seq2SeqSequenceClassifierOutput(OfBothStacks):
    loss: Tensor | None = None  # a scalar
    logits: Tensor | None = None  # B num_labels


@dataclass
class Seq2SeqQuestionAnsweringModelOutput(OfBothStacks):
    loss: Tensor | None = None  # a scalar
    start_logits: Tensor | None = None  # B T
    end_logits: Tensor | None = None  # B T


def as_asked(output: ModelOutput, return_dict: bool | None, config: PretrainedConfig) -> ModelOutput | tuple:
    """The output itself, or its tuple if the call (or else the configuration) asks for one."""
    wants_names = config.return_dict if return_dict is None else return_dict
    return output if wants_names else output.to_tuple()
