"""Why a stretch of an output was written, by every method that there is, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from seq2seq.explain.ablation import AblationStep, ablation
from seq2seq.explain.attention import View, attention, num_layers
from seq2seq.explain.pair import Pair
from seq2seq.explain.saliency import integrated_gradients, saliency
from seq2seq.trace import Attribution

LONGEST_INTEGRATED = 1024  # source tokens; beyond, integrating takes minutes on a CPU


def why(pair: Pair, first: int, last: int) -> Iterator[AblationStep | Attribution]:
    """Of target tokens `first` to `last`, without the latter: what each method says, the quick ones first.

    Between them, how far the slow one is; stop iterating to stop. Of long sources, gradients are not integrated.
    """
    gradient = saliency(pair, first, last)
    yield attended(pair, first, last, gradient.log_probability)
    yield gradient
    yield from ablation(pair, first, last)
    if len(pair.source.tokens) <= LONGEST_INTEGRATED:
        yield integrated_gradients(pair, first, last)


def attended(pair: Pair, first: int, last: int, log_probability: float) -> Attribution:
    """Where the last layer looked for the stretch: the mean of its heads and of the stretch's tokens."""
    record = attention(pair, View("cross", num_layers(pair, "cross") - 1))
    return Attribution(
        method="attention",
        scores=record.weights[:, first:last].mean(axis=(0, 1)),
        sources=record.sources,
        source_text=record.source_text,
        target=pair.stretch(first, last),
        target_text=record.target_text,
        log_probability=log_probability,
    )
