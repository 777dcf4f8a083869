"""What a run left behind, for whoever wants to look at it: frozen records in numpy and plain Python.

This file is the only one that the views in `components` read. It knows no torch, no models and no page.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

AttentionKind = Literal["cross", "encoder", "decoder"]


@dataclass(frozen=True)
class Token:
    """One token as a reader sees it.

    `text` is its surface; `start` and `end` are character offsets into the text it belongs to. Special tokens, and
    those a task adds around the visitor's text, have `special=True` and an empty span.
    """

    text: str
    start: int
    end: int
    special: bool = False


@dataclass(frozen=True)
class AttentionRecord:
    """Every head of one layer's attention, for one finished (source, target) pair.

    `weights[h, t, s]` is how much head h looked at source token s while the model produced target token t: each row
    sums to 1. For encoder self-attention the targets are the source tokens themselves.
    """

    kind: AttentionKind
    layer: int
    weights: np.ndarray  # H T S, float32
    targets: tuple[Token, ...]  # T
    sources: tuple[Token, ...]  # S
    target_text: str
    source_text: str

    @property
    def num_heads(self) -> int:
        return self.weights.shape[0]

    def head(self, head: int | None) -> np.ndarray:
        """T S: one head's weights, or the mean over all heads for None."""
        return self.weights.mean(axis=0) if head is None else self.weights[head]


def by_words(record: AttentionRecord) -> AttentionRecord:
    """The same record with tokens grouped into the words of their texts.

    Attention to a word is the sum over its tokens; attention from a word is the mean over its tokens, so rows still
    sum to 1.
    """
    targets, target_groups = group_into_words(record.targets, record.target_text)
    sources, source_groups = group_into_words(record.sources, record.source_text)
    summed = np.add.reduceat(record.weights, [group.start for group in source_groups], axis=2)
    starts = [group.start for group in target_groups]
    sizes = np.array([len(group) for group in target_groups], dtype=np.float32)
    mean = np.add.reduceat(summed, starts, axis=1) / sizes[None, :, None]
    return replace(record, weights=mean, targets=targets, sources=sources)


def group_into_words(tokens: tuple[Token, ...], text: str) -> tuple[tuple[Token, ...], list[range]]:
    """Words, and the range of token indices behind each. A word ends where white space or a special token begins."""
    words: list[Token] = []
    groups: list[range] = []
    for index, token in enumerate(tokens):
        joins = (
            words
            and not token.special
            and not words[-1].special
            and not any(character.isspace() for character in text[words[-1].end : token.start])
            and not text[token.start : token.start + 1].isspace()
        )
        if joins:
            end = max(words[-1].end, token.end)
            words[-1] = Token(text[words[-1].start : end], words[-1].start, end)
            groups[-1] = range(groups[-1].start, index + 1)
        else:
            words.append(token)
            groups.append(range(index, index + 1))
    return tuple(words), groups
