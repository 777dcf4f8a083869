"""Block-sparse attention in linear time and memory, by the table of `block_table` (Zaheer et al. 2020, section 2).

Two calls of one softmax(QK^T)V: the first and the last block of queries look at everything, and every block between
looks at the key blocks of its row in the table, gathered. An n x n matrix is made only for whoever asks for weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from seq2seq.attention import masks
from seq2seq.attention.block_table import BlockTable
from seq2seq.attention.kernel import attend, attend_with_weights

ROWS_AT_ONCE = 16  # blocks of queries on a CPU: what they need then stays in its cache


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
        query_blocks, key_blocks, value_blocks = (self.blocks(x) for x in (query, key, value))
        ends = attend(global_queries(query_blocks), key, value, self.bias, dropout)
        flat, rows, bias = self.rows_between(query_blocks)
        step = ROWS_AT_ONCE if query.device.type == "cpu" else len(rows)
        between = [
            attend_rows(
                flat[start : start + step],
                gathered(key_blocks, rows[start : start + step]),
                gathered(value_blocks, rows[start : start + step]),
                bias[start : start + step],
                dropout,
            )
            for start in range(0, len(rows), step)
        ]
        return self.joined(ends, torch.cat(between))

    def attend_with_weights(
        self, query: Tensor, key: Tensor, value: Tensor, dropout: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """The same, and the weights as a dense map (B H T T): quadratic in memory.

        A block that is seen several times has the sum of its weights there, so that each row sums to 1.
        """
        batch, heads = query.shape[:2]
        query_blocks, key_blocks, value_blocks = (self.blocks(x) for x in (query, key, value))
        n, w = self.table.num_blocks, self.block_size
        ends, end_weights = attend_with_weights(global_queries(query_blocks), key, value, self.bias, dropout)
        flat, rows, bias = self.rows_between(query_blocks)
        between, weights = attend_with_weights(
            flat, gathered(key_blocks, rows), gathered(value_blocks, rows), bias, dropout
        )
        weights = weights.unflatten(-1, (-1, w))  # R W K W
        columns = (rows % n)[:, None, :, None].expand_as(weights)
        dense = weights.new_zeros(len(rows), w, n, w).scatter_add(2, columns, weights)
        dense = dense.reshape(batch, heads, (n - 2) * w, n * w)[..., : self.length]
        first, last = end_weights.split(w, dim=2)
        return self.joined(ends, between), torch.cat((first, dense, last), dim=2)[:, :, : self.length]

    def blocks(self, x: Tensor) -> Tensor:
        """B H T d -> B H N W d, in one piece of memory, filled up with zeros."""
        missing = self.table.num_blocks * self.block_size - x.shape[2]
        return F.pad(x, (0, 0, 0, missing)).contiguous().unflatten(2, (-1, self.block_size))

    def joined(self, ends: Tensor, between: Tensor) -> Tensor:
        """The global rows (B H 2W d) and the others (R W d) as texts again: B H T d."""
        first, last = ends.split(self.block_size, dim=2)
        between = between.reshape(*ends.shape[:2], -1, ends.shape[-1])
        whole = torch.cat((first, between, last), dim=2)[:, :, : self.length]
        return whole if self.attention_mask is None else whole * (self.attention_mask != 0)[:, None, :, None]

    def rows_between(self, query_blocks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The R = B*H*(N-2) rows of the table: their queries (R W d), their key blocks (R K), their bias (R 1 K*W).

        Key blocks are counted through all blocks of all heads of all texts.
        """
        batch, heads, n = query_blocks.shape[:3]
        offsets = n * torch.arange(batch * heads, device=self.device).view(batch, heads, 1, 1)
        rows = (self._blocks + offsets).flatten(0, 2)
        bias = self._bias.expand(batch, heads, *self._bias.shape[2:]).reshape(len(rows), 1, -1)
        return query_blocks[:, :, 1:-1].flatten(0, 2), rows, bias

    @cached_property
    def _blocks(self) -> Tensor:
        """1 H N-2 K, or 1 1 N-2 K where all heads are equal."""
        return torch.from_numpy(self.table.blocks).to(self.device)[None]

    @cached_property
    def _bias(self) -> Tensor:
        """B H N-2 K*W (B and H are 1 where they make no difference): the log of how often a key counts."""
        lowest = masks.lowest(self.dtype)
        counts = torch.from_numpy(self.table.counts).to(self.device)
        bias = torch.where(counts > 0, counts.clamp(min=1).log(), lowest).to(self.dtype)[None, ..., None]
        missing = self.table.num_blocks * self.block_size - self.length
        if self.attention_mask is None and not missing:
            return bias.expand(*bias.shape[:-1], self.block_size).flatten(3)
        mask = torch.ones(1, self.length, device=self.device) if self.attention_mask is None else self.attention_mask
        seen = F.pad(mask != 0, (0, missing)).unflatten(1, (-1, self.block_size))  # B N W
        return bias.masked_fill(~seen[:, self._blocks[0]], lowest).flatten(3)


def global_queries(query_blocks: Tensor) -> Tensor:
    """B H N W d -> B H 2W d: the first and the last block, which see everything."""
    return torch.cat((query_blocks[:, :, 0], query_blocks[:, :, -1]), dim=2)


def gathered(blocks: Tensor, rows: Tensor) -> Tensor:
    """B H N W d by R K -> R K*W d"""
    flat = blocks.flatten(0, 2)
    return flat.index_select(0, rows.flatten()).view(len(rows), -1, flat.shape[-1])


def attend_rows(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, dropout: float) -> Tensor:
    """R W d. On a CPU the definition is twice as fast as the fused kernel, in bfloat16, for so few queries a row."""
    if query.device.type == "cpu":
        return attend_with_weights(query, key, value, bias, dropout)[0]
    return attend(query[:, None], key[:, None], value[:, None], bias[:, None], dropout)[:, 0]
