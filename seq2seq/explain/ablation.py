"""How much less likely a stretch of the output becomes without each sentence of the source: an experiment a sentence.

Leave-one-out (Li, Monroe and Jurafsky 2016, "Understanding neural networks through representation erasure").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from seq2seq.explain.choices import of_targets
from seq2seq.explain.grain import axis_of
from seq2seq.explain.pair import Pair
from seq2seq.trace import Attribution, Token

MOST_STRETCHES = 24  # experiments; of a longer text, sentences that stand together are left out together


@dataclass(frozen=True)
class AblationStep:
    """A snapshot of the experiments."""

    done: int
    of: int


def ablation(pair: Pair, first: int, last: int) -> Iterator[AblationStep | Attribution]:
    """A snapshot before each experiment, then the result for target tokens `first` to `last`, without the latter.

    Stop iterating to stop.
    """
    pieces, groups = stretches_of_source(pair)
    whole = log_probability_without(pair, range(0), first, last)
    falls = []
    for done, group in enumerate(groups):
        yield AblationStep(done, len(groups))
        falls.append(whole - log_probability_without(pair, group, first, last))
    yield Attribution(
        method="ablation",
        scores=np.array(falls, dtype=np.float32),
        sources=pieces,
        source_text=pair.source.text,
        target=pair.stretch(first, last),
        target_text=pair.target_text,
        log_probability=whole,
    )


def stretches_of_source(pair: Pair) -> tuple[tuple[Token, ...], tuple[range, ...]]:
    """The sentences of the source, or at most MOST_STRETCHES of as many sentences each, and the tokens behind them."""
    text = pair.source.text
    axis = axis_of(pair.source.tokens, text, "sentences")
    real = [i for i, piece in enumerate(axis.pieces) if not piece.special]
    size = -(-len(real) // MOST_STRETCHES)
    parts = [real[start : start + size] for start in range(0, len(real), max(1, size))]
    spans = [(axis.pieces[part[0]].start, axis.pieces[part[-1]].end) for part in parts]
    pieces = tuple(Token(text[start:end], start, end) for start, end in spans)
    return pieces, tuple(range(axis.groups[part[0]].start, axis.groups[part[-1]].stop) for part in parts)


@torch.no_grad()
def log_probability_without(pair: Pair, left_out: range, first: int, last: int) -> float:
    """Of the stretch, in nats, when some source tokens were never there."""
    kept = [token_id for place, token_id in enumerate(pair.source.input_ids) if place not in left_out]
    logits = pair.model(
        input_ids=torch.tensor([kept or [pair.start_id]], device=pair.model.device),
        decoder_input_ids=pair.decoder_input_ids,
        use_cache=False,
    ).logits
    return of_targets(logits[0, first:last].float().log_softmax(dim=-1), pair.target_ids[first:last]).sum().item()
