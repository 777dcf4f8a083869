"""BigBird's pattern as a table: which blocks of keys each block of queries sees (Zaheer et al. 2020, section 2).

A text of N blocks of W tokens. The first and the last block see and are seen by everything (global). Every block
between sees those two, itself and its neighbours (window), and `num_random_blocks` others (random). Here are those
rows between as a table; the attention that follows it is in `block_sparse`. Knows no tensors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

RandomBlocks = Literal["reference", "original"]
LENGTHS_OF_THE_PAPER = (1024, 3072, 4096)
REACH_OF_THE_PAPER = 1024  # tokens from which random blocks are drawn at those lengths
A_ROW = 150  # blocks that could be shuffled in the time that the draw of a row takes besides


@dataclass(frozen=True)
class BlockSparsity:
    """The settings of a block-sparse attention, as a configuration gives them.

    `random_blocks` says which random blocks a row sees. "original" is the plan of the authors' code: a draw a head,
    seeded by the layer. "reference" is what the reference library does: that plan in training, and block 0 as often
    as there would be random blocks in evaluation.
    """

    block_size: int = 64
    num_random_blocks: int = 3
    random_blocks: RandomBlocks = "reference"

    @property
    def longest_dense(self) -> int:
        """Tokens up to which every block would see nearly all others, so that attention is dense."""
        return (5 + 2 * self.num_random_blocks) * self.block_size

    def num_blocks(self, length: int) -> int:
        """Blocks of a text of so many tokens, the last of them filled up."""
        return -(-length // self.block_size)

    def shuffled(self, length: int, num_heads: int, max_length: int) -> int:
        """How much there is to draw for a table of the original plan, in blocks that are shuffled."""
        num_blocks = self.num_blocks(length)
        if num_blocks * self.block_size not in LENGTHS_OF_THE_PAPER:
            return num_heads * num_blocks * (A_ROW + reach_of_plan(self.num_random_blocks))
        return (
            num_heads * max(max_length // self.block_size, num_blocks) * (A_ROW + REACH_OF_THE_PAPER // self.block_size)
        )

    def table(self, length: int, num_heads: int, max_length: int, layer: int, training: bool = False) -> BlockTable:
        """The table of one layer for a text of `length` tokens and a model that reads `max_length`."""
        num_blocks = self.num_blocks(length)
        if self.num_random_blocks == 0 or (self.random_blocks == "reference" and not training):
            return _first_block_again(num_blocks, self.num_random_blocks)
        return _drawn(num_blocks, self.block_size, self.num_random_blocks, num_heads, max_length, layer)


@dataclass(frozen=True)
class BlockTable:
    """For the query blocks 1 .. N-2: the key blocks that each sees, every one once, and how often it counts.

    A random block may be a block that is seen anyway. Attention to a block that is there c times equals attention to
    it once with log(c) added to its scores.
    """

    num_blocks: int  # N
    blocks: np.ndarray  # H N-2 K, or 1 N-2 K where all heads are equal; int64
    counts: np.ndarray  # the same shape; 0 for a slot that is not used, whose block is then 0

    @property
    def num_slots(self) -> int:
        return self.blocks.shape[2]

    def visible(self) -> np.ndarray:
        """H N N (or 1 N N): how often each block of queries sees each block of keys."""
        heads, rows, _ = self.blocks.shape
        counts = np.zeros((heads, self.num_blocks, self.num_blocks), dtype=np.int16)
        head, row = np.ogrid[:heads, 1 : rows + 1]
        np.add.at(counts, (head[..., None], row[..., None], self.blocks), self.counts.astype(np.int16))
        counts[:, [0, -1], :] = 1
        return counts


def block_table(num_blocks: int, random: np.ndarray) -> BlockTable:
    """The table from the random blocks (H N-2 r, or 1 N-2 r) of the rows 1 .. N-2. There must be 3 blocks or more."""
    if num_blocks < 3:
        raise ValueError(
            f"A block-sparse pattern has at least 3 blocks: first, last and one between; got {num_blocks}."
        )
    rows = np.arange(1, num_blocks - 1)
    fixed = np.stack([np.zeros_like(rows), rows - 1, rows, rows + 1, np.full_like(rows, num_blocks - 1)], axis=1)
    is_dead = np.stack([rows < 0, rows == 1, rows < 0, rows == num_blocks - 2, rows < 0], axis=1)
    heads = random.shape[0]
    blocks = np.concatenate([np.broadcast_to(fixed, (heads, *fixed.shape)), random], axis=2)
    alive = np.concatenate([np.broadcast_to(~is_dead, (heads, *fixed.shape)), np.ones_like(random, bool)], axis=2)
    return BlockTable(num_blocks, *_merged(blocks, alive))


def _merged(blocks: np.ndarray, alive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each block once in its first slot, with its count; slots that no row uses any more are cut off."""
    equal = (blocks[..., :, None] == blocks[..., None, :]) & alive[..., None, :]
    slots = blocks.shape[-1]
    is_first = alive & ~(equal & np.tri(slots, k=-1, dtype=bool)).any(axis=-1)
    counts = np.where(is_first, equal.sum(axis=-1), 0)
    order = np.argsort(~is_first, axis=-1, kind="stable")
    width = int(is_first.sum(axis=-1).max())
    counts = np.take_along_axis(counts, order, axis=-1)[..., :width]
    blocks = np.take_along_axis(blocks, order, axis=-1)[..., :width]
    return np.where(counts > 0, blocks, 0).astype(np.int64), counts


@lru_cache(maxsize=64)
def _first_block_again(num_blocks: int, num_random: int) -> BlockTable:
    return block_table(num_blocks, np.zeros((1, num_blocks - 2, num_random), dtype=np.int64))


@lru_cache(maxsize=48)  # two models' layers; a table may have 20 MB
def _drawn(
    num_blocks: int, block_size: int, num_random: int, num_heads: int, max_length: int, layer: int
) -> BlockTable:
    chance = np.random.RandomState(layer)
    if num_blocks * block_size not in LENGTHS_OF_THE_PAPER:
        return block_table(num_blocks, _draw_by_plan(num_blocks, num_random, num_heads, chance))
    most_blocks = max(max_length // block_size, num_blocks)  # a last block that is not full counts too
    draws = _draws_of_the_paper(most_blocks, num_random, chance, REACH_OF_THE_PAPER // block_size)
    return block_table(num_blocks, np.stack([next(draws)[: num_blocks - 2] for _ in range(num_heads)]))


def _draw_by_plan(num_blocks: int, num_random: int, num_heads: int, chance: np.random.RandomState) -> np.ndarray:
    """H N-2 r: each row of each head draws among the first 2r + 5 blocks, but for those that it sees anyway."""
    reach = reach_of_plan(num_random)
    random = np.zeros((num_heads, num_blocks, num_random), dtype=np.int64)
    for row in range(1, num_blocks):
        seen = {0, row - 1, row, row + 1, reach - 1}
        seen |= {reach - 2} if row == 1 else set()
        seen |= {1} if row == reach - 2 else set()
        for head in range(num_heads):
            drawn = [block for block in chance.permutation(reach) if block not in seen]
            random[head, row] = drawn[:num_random]
    return random[:, 1:-1]


def reach_of_plan(num_random: int) -> int:
    return 2 * num_random + 5


def _draws_of_the_paper(
    num_blocks: int, num_random: int, chance: np.random.RandomState, reach: int
) -> Iterator[np.ndarray]:
    """N-2 r, a head at a time: the draw that the published checkpoints were trained with.

    It is kept as it was: its last two rows may draw blocks that they see anyway.
    """
    middle = np.arange(1, num_blocks - 1)
    last = reach - 1 if reach > 2 else num_blocks - 1
    while True:
        random = np.zeros((num_blocks - 2, num_random), dtype=np.int64)
        for row in range(1, num_blocks - 1):
            candidates = _candidates_of_the_paper(row, middle, last)
            if len(candidates) < num_random:
                raise ValueError(
                    f"A row has only {len(candidates)} blocks to draw {num_random} random ones from. "
                    "Choose smaller blocks or fewer random ones."
                )
            random[row - 1] = chance.permutation(candidates)[:num_random]
        yield random


def _candidates_of_the_paper(row: int, middle: np.ndarray, last: int) -> np.ndarray:
    if row in (1, 2):
        return middle[row + 1 : last]
    start, end = row - 2, row
    if row >= len(middle) - 1:
        return middle[:last]
    if start > last:
        return middle[:last]
    if end + 1 == last:
        return middle[:start]
    return np.concatenate((middle[:start], middle[end + 1 : last]))
