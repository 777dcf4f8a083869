"""Block-sparse attention in linear time and memory, by the table of `block_table` (Zaheer et al. 2020, section 2).

Two rounds of one softmax(QK^T)V: the first and the last block of queries look at everything, and every block between
looks at the key blocks of its row in the table, gathered. An n x n matrix is made only for whoever asks for weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from seq2seq.attention import masks
from seq2seq.attention.block_table import BlockTable
from seq2seq.attention.kernel import attend, attend_with_weights

# Rows of the table that a CPU works on at once, and heads whose global blocks it does: what they need then stays in
# its cache.
ROWS_AT_ONCE, HEADS_AT_ONCE = 16, 1

KeysAndValues = Callable[[slice], tuple[Tensor, Tensor]]  # some of R groups: R S d each


@dataclass(frozen=True)
class BlockSparse:
    """Who sees whom in one layer, for texts of T tokens. The last block of a text may be a part of one."""

    table: BlockTable
    block_size: int  # W
    length: int  # T
    dtype: torch.dtype
    device: torch.device
    attention_mask: Tensor | None = None  # B T, 0 for padding

    @property
    def bias(self) -> Tensor | None:
        """B 1 1 T: what full attention over the same texts would add to its scores."""
        if self.attention_mask is None:
            return None
        return masks.as_bias(masks.padding(self.attention_mask), self.dtype)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, dropout: float = 0.0) -> Tensor:
        """query, key, value and what is returned: B H T d. Tokens of padding get zeros."""
        batch, heads = query.shape[:2]
        query, key, value = self.blocks(query), self.blocks(key).contiguous(), self.blocks(value).contiguous()
        ends = attend_in_pieces(
            end_blocks(query).flatten(0, 1),
            lambda some: (texts(key)[some], texts(value)[some]),
            self.ends_bias(batch, heads),
            HEADS_AT_ONCE,
            dropout,
        )
        rows = self.rows(batch, heads)
        between = attend_in_pieces(
            query[:, :, 1:-1].flatten(0, 2),
            lambda some: (gathered(key, rows[some]), gathered(value, rows[some])),
            self.rows_bias(batch, heads),
            ROWS_AT_ONCE,
            dropout,
        )
        return self.joined(ends, between, batch, heads)

    def attend_with_weights(
        self, query: Tensor, key: Tensor, value: Tensor, dropout: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """The same, and the weights as a dense map (B H T T): quadratic in memory.

        A block that is seen several times has the sum of its weights there, so that each row sums to 1.
        """
        batch, heads = query.shape[:2]
        n, w = self.table.num_blocks, self.block_size
        query, key, value = self.blocks(query), self.blocks(key), self.blocks(value)
        ends, end_weights = attend_with_weights(
            end_blocks(query).flatten(0, 1), texts(key), texts(value), self.ends_bias(batch, heads), dropout
        )
        rows = self.rows(batch, heads)
        between, row_weights = attend_with_weights(
            query[:, :, 1:-1].flatten(0, 2),
            gathered(key, rows),
            gathered(value, rows),
            self.rows_bias(batch, heads),
            dropout,
        )
        row_weights = row_weights.unflatten(-1, (-1, w))  # R W K W
        columns = (rows % n)[:, None, :, None].expand_as(row_weights)
        dense = row_weights.new_zeros(len(rows), w, n, w).scatter_add(2, columns, row_weights)
        first, last = end_weights.view(batch, heads, 2 * w, n * w).split(w, dim=2)
        weights = torch.cat((first, dense.reshape(batch, heads, (n - 2) * w, n * w), last), dim=2)
        return self.joined(ends, between, batch, heads), weights[:, :, : self.length, : self.length]

    def blocks(self, x: Tensor) -> Tensor:
        """B H T d -> B H N W d, filled up with zeros."""
        missing = self.table.num_blocks * self.block_size - self.length
        return (F.pad(x, (0, 0, 0, missing)) if missing else x).unflatten(2, (-1, self.block_size))

    def joined(self, ends: Tensor, between: Tensor, batch: int, heads: int) -> Tensor:
        """The global blocks (B*H 2W d) and those between (R W d) as texts again: B H T d."""
        first, last = ends.view(batch, heads, -1, ends.shape[-1]).split(self.block_size, dim=2)
        between = between.view(batch, heads, -1, between.shape[-1])
        whole = torch.cat((first, between, last), dim=2)[:, :, : self.length]
        return whole if self.attention_mask is None else whole * (self.attention_mask != 0)[:, None, :, None]

    def rows(self, batch: int, heads: int) -> Tensor:
        """R = B*H*(N-2) K: the key blocks of every row, counted through all blocks of all heads of all texts."""
        starts = self.table.num_blocks * torch.arange(batch * heads, device=self.device).view(batch, heads, 1, 1)
        return (self._blocks + starts).flatten(0, 2)

    def rows_bias(self, batch: int, heads: int) -> Tensor:
        """R 1 K*W: the log of how often each key of a row counts."""
        return self._rows_bias.expand(batch, heads, -1, -1).flatten(0, 2)[:, None]

    def ends_bias(self, batch: int, heads: int) -> Tensor | None:
        """B*H 1 N*W: 0 for each key that is there."""
        if self._seen is None:
            return None
        bias = masks.as_bias(self._seen, self.dtype).flatten(1)
        return bias[:, None].expand(batch, heads, -1).flatten(0, 1)[:, None]

    @cached_property
    def _blocks(self) -> Tensor:
        """1 H N-2 K, or 1 1 N-2 K where all heads are equal."""
        return torch.from_numpy(self.table.blocks).to(self.device)[None]

    @cached_property
    def _seen(self) -> Tensor | None:
        """B N W, or 1 N W: which keys are neither padding nor filling; None where all are there."""
        missing = self.table.num_blocks * self.block_size - self.length
        if self.attention_mask is None and not missing:
            return None
        mask = torch.ones(1, self.length, device=self.device) if self.attention_mask is None else self.attention_mask
        return F.pad(mask != 0, (0, missing)).unflatten(1, (-1, self.block_size))

    @cached_property
    def _rows_bias(self) -> Tensor:
        """B H N-2 K*W; B and H are 1 where they make no difference."""
        lowest = masks.lowest(self.dtype)
        counts = torch.from_numpy(self.table.counts).to(self.device)
        bias = torch.where(counts > 0, counts.clamp(min=1).log(), lowest).to(self.dtype)[None, ..., None]
        if self._seen is None:
            return bias.expand(*bias.shape[:-1], self.block_size).flatten(3)
        return bias.masked_fill(~self._seen[:, self._blocks[0]], lowest).flatten(3)


def end_blocks(blocks: Tensor) -> Tensor:
    """B H N W d -> B H 2W d: the first and the last block, which see everything."""
    return torch.cat((blocks[:, :, 0], blocks[:, :, -1]), dim=2)


def texts(blocks: Tensor) -> Tensor:
    """B H N W d -> B*H N*W d"""
    return blocks.flatten(2, 3).flatten(0, 1)


def gathered(blocks: Tensor, rows: Tensor) -> Tensor:
    """B H N W d by R K -> R K*W d"""
    flat = blocks.flatten(0, 2)
    return flat.index_select(0, rows.flatten()).view(len(rows), -1, flat.shape[-1])


def attend_in_pieces(
    query: Tensor, keys_and_values: KeysAndValues, bias: Tensor | None, at_once: int, dropout: float
) -> Tensor:
    """R groups of queries (R Q d), each with keys of its own: R Q d. On a CPU `at_once` of them, elsewhere all.

    On a CPU the definition, in the cache, is two to five times as fast as the fused kernel over all groups.
    """
    if query.device.type != "cpu":
        keys, values = keys_and_values(slice(None))
        groups = (x[:, None] for x in (query, keys, values))
        return attend(*groups, None if bias is None else bias[:, None], dropout)[:, 0]
    pieces = (slice(start, start + at_once) for start in range(0, len(query), at_once))
    return torch.cat(
        [
            attend_with_weights(query[some], *keys_and_values(some), None if bias is None else bias[some], dropout)[0]
            for some in pieces
        ]
    )
