"""Every head of every layer at a glance: a small map and a few numbers, from one pass that holds no layer's map."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from seq2seq.attention.block_sparse import BlockSparse
from seq2seq.attention.kernel import Dense, Piece
from seq2seq.attention.tape import recording
from seq2seq.explain.attention import read, sides
from seq2seq.explain.pair import Pair
from seq2seq.trace import AttentionKind, Attribution, HeadFacts, HeadsRecord, Token

MAP_SHAPE = (24, 36)  # at most, rows and columns of a small map


@torch.no_grad()
def heads(pair: Pair, kind: AttentionKind, saliency: Attribution | None = None) -> HeadsRecord:
    """All heads of one kind of attention.

    With a `saliency` of the pair's source tokens, a head that looks at the source is compared with it: their rank
    correlation (Spearman) over the tokens that stand for text, of the attention that they get in all.
    """
    targets, sources, *_ = sides(pair, kind)
    weighed = None if saliency is None or kind == "decoder" else np.abs(saliency.scores)
    glance = Glance(texts(targets), texts(sources), weighed)
    with recording(lambda recorded, _: recorded == kind, keep=glance) as tape:
        read(pair, kind)
    maps = torch.stack(tape.of_kind(kind))[:, 0]  # L H R C
    largest = maps.amax(dim=(-2, -1), keepdim=True).clamp(min=torch.finfo(maps.dtype).tiny)
    facts = [
        HeadFacts(layer, head, *numbers)
        for layer, rows in enumerate(glance.facts)
        for head, numbers in enumerate(zip(*rows, strict=True))
    ]
    return HeadsRecord(kind, (maps / largest).numpy(), tuple(facts))


def texts(tokens: tuple[Token, ...]) -> np.ndarray:
    """T, bool: which tokens stand for text."""
    return np.array([not token.special for token in tokens])


@dataclass
class Glance:
    """What a tape keeps: the layer's small maps; its heads' facts are put down beside.

    All of it comes from sums over rows and columns, for which the weights are needed piece by piece only.
    """

    rows: np.ndarray  # T, bool: who stands for text
    columns: np.ndarray  # S, bool
    saliency: np.ndarray | None  # S

    def __post_init__(self) -> None:
        self.facts: list[tuple] = []  # a layer: for each of HeadFacts' numbers, in order, one a head

    def __call__(self, query: Tensor, key: Tensor, pattern: Dense | BlockSparse) -> Tensor:
        """query (1 H T d), key (1 H S d) -> 1 H R C, float32"""
        rows, received = sums(pattern.pieces(query.float(), key.float()), len(self.rows), self.values.to(query.device))
        entropy, distance, place, special, *bins = rows.cpu().unbind(dim=-1)
        self.facts.append(
            (
                (entropy.mean(dim=1) / math.log(max(2, len(self.columns)))).tolist(),
                distance.mean(dim=1).tolist(),
                special.mean(dim=1).tolist(),
                self.diagonality(place.numpy()),
                self.agreement(received.cpu().numpy()),
            )
        )
        return (averages(len(self.rows), MAP_SHAPE[0]).T @ torch.stack(bins, dim=-1))[None]

    @cached_property
    def values(self) -> Tensor:
        """S V: of each column its place, whether it stands for no text, and its part in each bin of the map."""
        special = torch.from_numpy(~self.columns).float()
        count = len(self.columns)
        return torch.column_stack([places(count), special, averages(count, MAP_SHAPE[1])])

    def diagonality(self, place: np.ndarray) -> list[float]:
        """H T -> H: how the place that a row looks at, on average, goes with the place of who looks."""
        own = places(self.rows.sum()).numpy()
        return [correlation(row, own) for row in place[:, self.rows]]

    def agreement(self, received: np.ndarray) -> list[float | None]:
        """H S, what each column gets in all -> H: how its ranks go with those of the saliency."""
        if self.saliency is None:
            return [None] * len(received)
        saliency = ranks(self.saliency[self.columns])
        return [correlation(ranks(row), saliency) for row in received[:, self.columns]]


def sums(pieces: Iterable[Piece], num_rows: int, values: Tensor) -> tuple[Tensor, Tensor]:
    """Of a text's weights, H T 2+V as in `sums_of_rows`, and H S: what each column gets in all."""
    rows, columns = [], []
    for piece in pieces:
        rows.append(sums_of_rows(piece, num_rows, values))
        gets = piece.weights[0].sum(dim=1)
        columns.append(gets.new_zeros(len(gets), len(values)).scatter_add_(1, piece.columns.expand_as(gets), gets))
    return torch.cat(rows, dim=1), torch.stack(columns).sum(dim=0)


def sums_of_rows(piece: Piece, num_rows: int, values: Tensor) -> Tensor:
    """H t 2+V: each row's entropy in nats, how far away it looks in shares of the texts' lengths, and what it sees.

    `values` (S V) are what there is to see in each column, its place first.
    """
    weights, seen = piece.weights[0], values[piece.columns]  # H t s, H s V
    own = places(num_rows)[piece.rows].to(values.device)
    away = (own[:, None] - seen[:, None, :, 0]).abs()
    told = [each.sum(dim=-1, keepdim=True) for each in (torch.special.entr(weights), weights * away)]
    return torch.cat([*told, weights @ seen], dim=-1)


def places(count: int) -> Tensor:
    """T: where each of T tokens stands in its text, from 0 to 1."""
    return torch.linspace(0, 1, count)


def averages(count: int, most: int) -> Tensor:
    """N M: what makes N values into means of M = min(N, most) bins, as adaptive average pooling does."""
    num_bins = min(count, most)
    bins, place = torch.arange(num_bins), torch.arange(count)[:, None]
    inside = (place >= bins * count // num_bins) & (place * num_bins < (bins + 1) * count)
    return inside / inside.sum(dim=0)


def ranks(values: np.ndarray) -> np.ndarray:
    """N: places in order of size; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's; 0 where one of them does not vary, but for the rounding of numbers up to 1 in float32."""
    if len(a) < 2 or np.ptp(a) < 1e-6 or np.ptp(b) < 1e-6:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
