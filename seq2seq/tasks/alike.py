"""Which texts go through a model side by side: those of like length, so that each is read as it would be alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from seq2seq.config import StackConfig

BATCH_TOKENS = 8192  # that go through a model at once, padding included
MOST_ROWS = 16


def alike(lengths: Sequence[int], encoder: StackConfig) -> Iterator[list[int]]:
    """Places of rows of `lengths` tokens, from short to long, in batches for one pass; each place once.

    Rows that differ in their number of sparse blocks are not read together: the shorter would see another pattern
    than alone.
    """
    by_length = sorted(range(len(lengths)), key=lengths.__getitem__)
    for _, places in groupby(by_length, key=lambda place: num_sparse_blocks(lengths[place], encoder)):
        yield from within_budget(places, lengths)


def num_sparse_blocks(length: int, encoder: StackConfig) -> int:
    """Of the pattern in which so many tokens are read; 0 for full attention."""
    sparsity = encoder.block_sparsity
    return 0 if sparsity is None or length <= sparsity.longest_dense else sparsity.num_blocks(length)


def within_budget(places: Iterable[int], lengths: Sequence[int]) -> Iterator[list[int]]:
    """From short to long, as many rows at once as fit the budget with their padding; or one that alone is longer."""
    batch: list[int] = []
    for place in places:
        if len(batch) == MOST_ROWS or (batch and (len(batch) + 1) * lengths[place] > BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch
