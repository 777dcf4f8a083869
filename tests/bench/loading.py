"""Load time and peak memory of one library, in a process of its own: python -m tests.bench.loading LIBRARY FOLDER"""

from __future__ import annotations

import json
import resource
import sys
import time


def load(library: str, folder: str):
    """The model in float32, ready to run."""
    import torch

    if library == "reference":
        from transformers import EncoderDecoderModel

        return EncoderDecoderModel.from_pretrained(folder, dtype=torch.float32).eval()
    from seq2seq.models import EncoderDecoderModel

    return EncoderDecoderModel.from_pretrained(folder, dtype=torch.float32)


def main() -> None:
    library, folder = sys.argv[1:]
    import torch

    if library == "reference":
        pass
    else:
        import seq2seq.models  # noqa: F401
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    model = load(library, folder)
    seconds = time.monotonic() - started
    with torch.no_grad():
        touched = sum(parameter.sum().item() for parameter in model.parameters())  # mapped pages count once read
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    weights = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    print(json.dumps({"seconds": seconds, "peak_mb": (peak - before) / 1024, "weights_mb": weights / 2**20,
                      "sum": touched}))  # fmt: skip


if __name__ == "__main__":
    main()
