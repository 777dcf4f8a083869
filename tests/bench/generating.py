"""Time to the first token, and tokens a second after it: ours and the reference library's, on the same weights."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from tests.bench.loading import load


@dataclass(frozen=True)
class Workload:
    """One source of so many tokens, so many new tokens, so many beams."""

    source_tokens: int
    new_tokens: int
    num_beams: int


def compare(folder: str, workloads: list[Workload], repeats: int = 3) -> list[dict]:
    """Each workload with both libraries in turn, `repeats` times; the best of each is kept."""
    models = {library: load(library, folder) for library in ("ours", "reference")}
    vocab_size = models["ours"].config.encoder.vocab_size
    rows = []
    for workload in workloads:
        source = torch.randint(10, vocab_size, (1, workload.source_tokens), generator=torch.Generator().manual_seed(0))
        firsts = {library: float("inf") for library in models}
        totals = dict(firsts)
        outputs = {}
        for _ in range(repeats):
            for library, model in models.items():
                first, _ = timed(lambda model=model: generate(model, source, 1, workload.num_beams))
                total, outputs[library] = timed(
                    lambda model=model: generate(model, source, workload.new_tokens, workload.num_beams)
                )
                firsts[library] = min(firsts[library], first)
                totals[library] = min(totals[library], total)
        rows.append(
            {
                "workload": workload,
                "equal": torch.equal(outputs["ours"], outputs["reference"]),
                "first": firsts,
                "rate": {name: (workload.new_tokens - 1) / (totals[name] - firsts[name]) for name in models},
            }
        )
    return rows


def generate(model, source: torch.Tensor, new_tokens: int, num_beams: int) -> torch.Tensor:
    with torch.no_grad():
        return model.generate(
            source,
            attention_mask=torch.ones_like(source),
            max_new_tokens=new_tokens,
            min_new_tokens=new_tokens,
            num_beams=num_beams,
            do_sample=False,
        )


def timed(run: Callable[[], torch.Tensor]) -> tuple[float, torch.Tensor]:
    started = time.monotonic()
    result = run()
    return time.monotonic() - started, result
