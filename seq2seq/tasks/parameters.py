"""What the tasks ask of a checkpoint's configuration, whatever its family. Knows no models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from seq2seq.config import PretrainedConfig, StackConfig
from seq2seq.tasks.prompts import Prompt


def task_parameters(config: PretrainedConfig) -> Mapping[str, Mapping[str, Any]]:
    """What config.json says of each task that the checkpoint was taught.

    Of writing, fields of WritingParameters and settings of generation; of answering, fields of AnswerSettings.
    """
    return getattr(config, "task_specific_params", None) or {}


@dataclass(frozen=True)
class WritingParameters(Prompt):
    """What config.json says of one task of writing: its prompt, and more."""

    search: Mapping[str, Any] = field(default_factory=dict)  # settings of generation
    quote_beyond: int | None = None  # tokens of a text beyond which it is quoted; None: never unasked
    names_from_source: bool = False  # whether words are held to the source's and English (`copying`)
    words_from_source: bool = False  # whether they are held to the source's and connectives
    preferred: bool = False  # whether it does this better than others that come with it


def writing_parameters(config: PretrainedConfig, task: str) -> WritingParameters:
    given = task_parameters(config).get(task, {})
    own = {each.name for each in fields(WritingParameters)} - {"search"}
    search = {name: value for name, value in given.items() if name not in own}
    return WritingParameters(search=search, **{name: value for name, value in given.items() if name in own})


def encoder_of(config: PretrainedConfig) -> StackConfig:
    """The stack that reads: half of a model that also writes, or all of one that does not."""
    return config.encoder if config.is_encoder_decoder else config


def decoder_of(config: PretrainedConfig) -> StackConfig | None:
    return config.decoder if config.is_encoder_decoder else None
