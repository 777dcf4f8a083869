"""How finely a text is looked at: by tokens, words or sentences, all of it or a stretch.

Attention is summed over the tokens of what is looked at, and averaged over those of who looks: rows still sum to 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import Literal

import torch
from torch import Tensor

from seq2seq.tasks.sections import sentences_of
from seq2seq.trace import Token, group_into_words

Grain = Literal["tokens", "words", "sentences"]
GRAINS: tuple[Grain, ...] = Grain.__args__  # from fine to coarse


def coarser(rows: Grain, columns: Grain) -> Iterator[tuple[Grain, Grain]]:
    """The grains of two axes, and ever coarser ones, one step of one axis after the other."""
    steps = zip_longest(GRAINS[GRAINS.index(rows) :], GRAINS[GRAINS.index(columns) :], fillvalue=GRAINS[-1])
    before, _ = next(steps)
    yield rows, columns
    for row, column in steps:
        yield before, column
        yield row, column
        before = row


@dataclass(frozen=True)
class Axis:
    """One side of a map: N pieces of a text, and the tokens behind each."""

    pieces: tuple[Token, ...]
    groups: tuple[range, ...]
    num_tokens: int  # of the whole text

    @cached_property
    def places(self) -> Tensor:
        """S: the piece that each token is in; N where it is in none."""
        places = torch.full((self.num_tokens,), len(self.groups))
        for place, group in enumerate(self.groups):
            places[group.start : group.stop] = place
        return places

    def member(self) -> Tensor:
        """S N, float32: 1 where a token is in a piece."""
        return (self.places[:, None] == torch.arange(len(self.groups))).float()

    def sums(self, weights: Tensor, places: Tensor) -> Tensor:
        """B H T s, what is seen of the tokens whose `places` are given (H s, or 1 s) -> B H T N"""
        sums = weights.new_zeros(*weights.shape[:-1], len(self.groups) + 1)
        return sums.scatter_add_(-1, places[:, None].expand_as(weights), weights)[..., :-1]

    def means(self, rows: Tensor) -> Tensor:
        """H S C -> H N C"""
        sums = rows.new_zeros(len(rows), len(self.groups) + 1, rows.shape[2]).index_add_(1, self.places, rows)
        return sums[:, :-1] / torch.tensor([len(group) for group in self.groups])[:, None]


def axis_of(tokens: Sequence[Token], text: str, grain: Grain, within: Token | None = None) -> Axis:
    """The pieces of a text, or of the stretch `within` alone."""
    pieces, groups = grouped(tuple(tokens), text, grain)
    if within is not None:
        inside = [i for i, piece in enumerate(pieces) if not piece.special and meets(piece, within)]
        pieces, groups = [pieces[i] for i in inside], [groups[i] for i in inside]
    return Axis(tuple(pieces), tuple(groups), len(tokens))


def grouped(tokens: tuple[Token, ...], text: str, grain: Grain) -> tuple[Sequence[Token], Sequence[range]]:
    if grain == "tokens":
        return tokens, [range(i, i + 1) for i in range(len(tokens))]
    return group_into_words(tokens, text) if grain == "words" else group_into_sentences(tokens, text)


def group_into_sentences(tokens: Sequence[Token], text: str) -> tuple[list[Token], list[range]]:
    """Sentences, and the range of tokens behind each; special tokens stay alone."""
    pieces: list[Token] = []
    groups: list[range] = []
    known, place = sentences(text), 0
    for index, token in enumerate(tokens):
        if token.special:
            pieces.append(token)
            groups.append(range(index, index + 1))
            continue
        while place + 1 < len(known) and known[place + 1].start <= token.start:
            place += 1
        if pieces and pieces[-1] is known[place]:
            groups[-1] = range(groups[-1].start, index + 1)
        else:
            pieces.append(known[place])
            groups.append(range(index, index + 1))
    return pieces, groups


def sentences(text: str) -> list[Token]:
    """The sentences of a text as pieces of it."""
    return [Token(sentence.text, sentence.start, sentence.end) for sentence in sentences_of(text)]


def meets(piece: Token, stretch: Token) -> bool:
    return piece.start < stretch.end and piece.end > stretch.start
