"""Load time and peak memory of one library, in a process of its own: python -m tests.bench.loading LIBRARY FOLDER"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import torch

from seq2seq.models import BertGenerationConfig, EncoderDecoderConfig, EncoderDecoderModel


def load(library: str, folder: str, dtype: torch.dtype = torch.float32):
    """The model, ready to run."""
    return model_class(library).from_pretrained(folder, dtype=dtype).eval()


def model_class(library: str):
    if library == "reference":
        from transformers import EncoderDecoderModel as Reference

        return Reference
    return EncoderDecoderModel


def warm_up(library: str) -> None:
    """Loads a tiny model, so that what is measured is the checkpoint's and not that of importing modules."""
    half = BertGenerationConfig(
        vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    config = EncoderDecoderConfig.from_encoder_decoder_configs(half, BertGenerationConfig(**vars(half)))
    with tempfile.TemporaryDirectory() as folder:
        EncoderDecoderModel(config).save_pretrained(folder)
        read(load(library, folder))


def read(model: torch.nn.Module) -> float:
    """Touches every weight: mapped memory counts once it is read."""
    with torch.no_grad():
        return sum(parameter.sum().item() for parameter in model.parameters())


def peak_memory_mb() -> float:
    """The most memory this process ever held (Linux). getrusage would count the parent's, before the exec."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def main() -> None:
    library, folder = sys.argv[1:]
    warm_up(library)
    before = peak_memory_mb()
    started = time.monotonic()
    model = load(library, folder)
    seconds = time.monotonic() - started
    checksum = read(model)
    peak = peak_memory_mb()
    weights = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    print(
        json.dumps(
            {
                "seconds": seconds,
                "peak_mb": peak - before,
                "weights_mb": weights / 2**20,
                "checksum": checksum,
            }
        )
    )


if __name__ == "__main__":
    main()
