"""Time to the first token, and tokens a second after it: ours and the reference library's, on the same weights."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from tests.bench.loading import load


@dataclass(frozen=True)
class Workload:
    """One source of so many tokens, so many new tokens, so many beams."""

    source_tokens: int
    new_tokens: int
    num_beams: int


def compare(folder: str, dtype: torch.dtype, workloads: list[Workload], repeats: int) -> list[dict]:
    """Each workload with both libraries in turn, `repeats` times; the best of each is kept."""
    models = {library: load(library, folder, dtype) for library in ("ours", "reference")}
    return [measure(models, workload, repeats) for workload in workloads]


def measure(models: dict, workload: Workload, repeats: int) -> dict:
    vocab_size = models["ours"].config.encoder.vocab_size
    source = torch.randint(10, vocab_size, (1, workload.source_tokens), generator=torch.Generator().manual_seed(0))
    first = dict.fromkeys(models, float("inf"))
    whole = dict.fromkeys(models, float("inf"))
    outputs = {}
    for _ in range(repeats):
        for library, model in models.items():
            seconds, _ = timed(model, source, 1, workload.num_beams)
            first[library] = min(first[library], seconds)
            seconds, outputs[library] = timed(model, source, workload.new_tokens, workload.num_beams)
            whole[library] = min(whole[library], seconds)
    return {
        "workload": workload,
        "first": first,
        "rate": {library: (workload.new_tokens - 1) / (whole[library] - first[library]) for library in models},
        "equal": torch.equal(outputs["ours"], outputs["reference"]),
    }


def timed(model, source: torch.Tensor, new_tokens: int, num_beams: int) -> tuple[float, torch.Tensor]:
    """Seconds, and the ids: exactly so many new tokens, whatever the end token's probability."""
    started = time.monotonic()
    with torch.no_grad():
        ids = model.generate(
            source,
            attention_mask=torch.ones_like(source),
            max_new_tokens=new_tokens,
            min_new_tokens=new_tokens,
            num_beams=num_beams,
            do_sample=False,
        )
    return time.monotonic() - started, ids
