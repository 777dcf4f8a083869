"""Kinds of checkpoint: what one can do is decided by the class of model that its config.json names."""

from __future__ import annotations

from dataclasses import dataclass

from seq2seq import models
from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.config import PretrainedConfig
from seq2seq.models.pretrained import PreTrainedModel
from seq2seq.tasks import TASKS, Reader, Skill, Writer


@dataclass(frozen=True)
class Kind:
    model: type[PreTrainedModel]
    worker: type[Writer | Reader]  # made from a model and its tokenizer
    skills: tuple[Skill, ...]  # what it can do, unless its config.json says for which of them it was taught


KINDS: dict[str, Kind] = {
    kind.model.__name__: kind
    for kind in (
        Kind(models.EncoderDecoderModel, Writer, TASKS),
        Kind(models.BigBirdPegasusForConditionalGeneration, Writer, ("summarize",)),
        Kind(models.BigBirdForQuestionAnswering, Reader, ("answer",)),
        Kind(models.BigBirdPegasusForQuestionAnswering, Reader, ("answer",)),
    )
}
USUAL = {  # where config.json names no class, by type
    "encoder-decoder": "EncoderDecoderModel",
    "bigbird_pegasus": "BigBirdPegasusForConditionalGeneration",
}


def kind_of(name: str, config: PretrainedConfig) -> Kind:
    """Raises: CheckpointError that names the checkpoint."""
    named = config.architectures or [USUAL.get(config.model_type)]
    kind = next((KINDS[each] for each in named if each in KINDS), None)
    if kind is None:
        raise CheckpointError(
            f"{name} is a {config.model_type} model, which does not write text from a text and does not answer "
            f"questions as it is. Choose a checkpoint of one of these classes: {', '.join(KINDS)}."
        )
    return kind
