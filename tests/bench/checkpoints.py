"""The checkpoints that are measured: the embedded one, and one of the published shape with random weights."""

from __future__ import annotations

from pathlib import Path

import torch

from seq2seq.engine.settings import EMBEDDED_MODELS
from seq2seq.models import BertGenerationConfig, EncoderDecoderConfig, EncoderDecoderModel

EMBEDDED = EMBEDDED_MODELS / "gloss-fusion"


def published_shape(folder: Path) -> Path:
    """google/roberta2roberta_L-24_*: 24 layers of width 1024, 50,358 pieces, stacks tied; random weights, float32."""
    if not (folder / "config.json").exists():
        torch.manual_seed(0)
        half = BertGenerationConfig()
        config = EncoderDecoderConfig.from_encoder_decoder_configs(
            half, BertGenerationConfig(), tie_encoder_decoder=True, pad_token_id=0, decoder_start_token_id=2
        )
        EncoderDecoderModel(config).save_pretrained(folder, max_shard_size=2**33)
    return folder
