"""What the tasks ask of a checkpoint's configuration, whatever its family. Knows no models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seq2seq.config import PretrainedConfig, StackConfig


def task_parameters(config: PretrainedConfig) -> Mapping[str, Mapping[str, Any]]:
    """What config.json says of each task that the checkpoint was taught.

    Of writing, a `prefix` and settings of generation; of answering, fields of AnswerSettings.
    """
    return getattr(config, "task_specific_params", None) or {}


def encoder_of(config: PretrainedConfig) -> StackConfig:
    """The stack that reads: half of a model that also writes, or all of one that does not."""
    return config.encoder if config.is_encoder_decoder else config


def decoder_of(config: PretrainedConfig) -> StackConfig | None:
    return config.decoder if config.is_encoder_decoder else None
