"""Parts of an output that one may ask about: all of it, its sentences, its words."""

from __future__ import annotations

from dataclasses import dataclass

from seq2seq.explain.grain import axis_of
from seq2seq.explain.pair import Pair
from seq2seq.trace import Token


@dataclass(frozen=True)
class Stretch:
    """A part of the output, and its places among the target tokens: `first` to `last`, without the latter."""

    piece: Token
    first: int
    last: int


def stretches(pair: Pair) -> tuple[Stretch, ...]:
    """The whole, each sentence where there are several, and each word."""
    text = pair.target_text
    whole = Stretch(Token(text, 0, len(text)), 0, len(pair.target_ids))
    sentences, words = (
        [
            Stretch(piece, group.start, group.stop)
            for piece, group in zip(axis.pieces, axis.groups, strict=True)
            if not piece.special and piece.text.strip()
        ]
        for axis in (axis_of(pair.targets, text, "sentences"), axis_of(pair.targets, text, "words"))
    )
    return (whole, *(sentences if len(sentences) > 1 else ()), *words)
