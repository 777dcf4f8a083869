"""Every head of every layer at a glance: a small map and a few numbers, from one pass that holds one layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from seq2seq.attention.block_sparse import BlockSparse
from seq2seq.attention.kernel import Dense
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
    """What a tape keeps: the layer's small maps; its heads' facts are put down beside."""

    rows: np.ndarray  # T, bool: who stands for text
    columns: np.ndarray  # S, bool
    saliency: np.ndarray | None  # S

    def __post_init__(self) -> None:
        self.facts: list[tuple] = []  # a layer: for each of HeadFacts' numbers, in order, one a head

    def __call__(self, query: Tensor, key: Tensor, pattern: Dense | BlockSparse) -> Tensor:
        """query (B H T d), key (B H S d) -> B H R C, float32"""
        weights = pattern.attend_with_weights(query.float(), key.float(), key.float())[1]
        small = torch.nn.functional.adaptive_avg_pool2d(
            weights, [min(size, most) for size, most in zip(weights.shape[2:], MAP_SHAPE, strict=True)]
        )
        seen = weights[0].cpu().numpy()
        agreement = [None] * len(seen) if self.saliency is None else self.agreement(seen)
        self.facts.append(
            (
                entropy(seen).tolist(),
                distance(seen).tolist(),
                seen[:, :, ~self.columns].sum(-1).mean(-1).tolist(),
                diagonality(seen[:, self.rows]).tolist(),
                agreement,
            )
        )
        return small.cpu()

    def agreement(self, weights: np.ndarray) -> list[float]:
        got = weights.mean(axis=1)[:, self.columns]
        return [correlation(ranks(row), ranks(self.saliency[self.columns])) for row in got]


def entropy(weights: np.ndarray) -> np.ndarray:
    """H T S -> H: of a row, on average, as a share of log S."""
    if weights.shape[-1] == 1:
        return np.zeros(len(weights))
    logs = np.log(weights, where=weights > 0, out=np.zeros_like(weights))
    return -(weights * logs).sum(-1).mean(-1) / np.log(weights.shape[-1])


def places(count: int) -> np.ndarray:
    """T: where each of T tokens stands in its text, from 0 to 1."""
    return np.arange(count) / max(1, count - 1)


def distance(weights: np.ndarray) -> np.ndarray:
    """H T S -> H: how far away a row looks, on average, in shares of the texts' lengths."""
    away = np.abs(places(weights.shape[1])[:, None] - places(weights.shape[2]))
    return (weights * away).sum(-1).mean(-1)


def diagonality(weights: np.ndarray) -> np.ndarray:
    """H T S -> H: how the place that is looked at, on average, goes with the place of who looks."""
    looked_at = weights @ places(weights.shape[2])  # H T
    return np.array([correlation(row, places(weights.shape[1])) for row in looked_at])


def ranks(values: np.ndarray) -> np.ndarray:
    """N: places in order of size; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's; 0 where one of them does not vary."""
    if len(a) < 2 or np.ptp(a) < 1e-9 or np.ptp(b) < 1e-9:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
