"""The stacks that an encoder-decoder can pair, by the `model_type` of their configuration."""

from __future__ import annotations

from dataclasses import dataclass

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.config import BertConfig, BertGenerationConfig, BigBirdConfig, PretrainedConfig
from seq2seq.models.bert import BertLMHeadModel, BertModel
from seq2seq.models.bert_generation import BertGenerationDecoder, BertGenerationEncoder
from seq2seq.models.bigbird import BigBirdModel
from seq2seq.models.heads import LanguageModel
from seq2seq.models.stack import Stack


@dataclass(frozen=True)
class Family:
    encoder: type[Stack]
    decoder: type[LanguageModel] | None = None  # None: it encodes only


FAMILIES: dict[str, Family] = {
    BertGenerationConfig.model_type: Family(BertGenerationEncoder, BertGenerationDecoder),
    BertConfig.model_type: Family(BertModel, BertLMHeadModel),
    BigBirdConfig.model_type: Family(BigBirdModel),
}


def family_of(config: PretrainedConfig) -> Family:
    if config.model_type not in FAMILIES:
        raise CheckpointError(
            f"A model of type {config.model_type!r} cannot be one half of an encoder-decoder here; "
            f"the types that can are {', '.join(FAMILIES)}."
        )
    return FAMILIES[config.model_type]
