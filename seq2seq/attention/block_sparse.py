"""Block-sparse attention in linear time and memory, by the table of `block_table` (Zaheer et al. 2020, section 2).

Two rounds of one softmax(QK^T)V: the first and the last block of queries look at everything, and every block between
looks at the key blocks of its row in the table, gathered. An n x n matrix is made only for whoever asks for weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from seq2seq.attention import masks
from seq2seq.attention.block_table import BlockTable
from seq2seq.attention.kernel import Dense, Piece, attend, attend_with_weights, consecutive, scores

ROWS_AT_ONCE = 16  # of the table, by definition: what they need then stays in the cache


@dataclass(frozen=True)
class BlockSparse:
    """Who sees whom in one layer, for texts of T tokens. The last block of a text may be a part of one.

    Tensors may come filled up to whole blocks, and what is returned is filled up then as well.
    """

    table: BlockTable
    block_size: int  # W
    length: int  # T
    dtype: torch.dtype
    device: torch.device
    attention_mask: Tensor | None = None  # B T, 0 for padding

    @property
    def filling(self) -> int:
        """How many tokens the last block lacks."""
        return self.table.num_blocks * self.block_size - self.length

    @property
    def bias(self) -> Tensor | None:
        """B 1 1 T: what full attention over the same texts would add to its scores."""
        if self.attention_mask is None:
            return None
        return masks.as_bias(masks.padding(self.attention_mask), self.dtype)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, dropout: float = 0.0) -> Tensor:
        """query, key, value and what is returned: B H T d. Tokens of padding get zeros.

        On a CPU one head of one text after the other, so that no copy of all keys and values is made. In memory the
        heads of a token lie side by side, as whoever projects them back reads them.
        """
        batch, heads = query.shape[:2]
        on_cpu = query.device.type == "cpu"
        texts = [
            [
                self.attend_some(query[some], key[some], value[some], *some, dropout).transpose(1, 2)
                for some in ((rows, columns) for columns in parts(heads, on_cpu))
            ]
            for rows in parts(batch, on_cpu)
        ]
        return self.without_padding(side_by_side([side_by_side(of_heads, dim=2) for of_heads in texts]).transpose(1, 2))

    def attend_some(
        self, query: Tensor, key: Tensor, value: Tensor, texts: slice, heads: slice, dropout: float
    ) -> Tensor:
        """The same for some of the texts and heads, which the tensors are of."""
        length = query.shape[2]
        query, key, value = self.blocks(query), self.blocks(key).contiguous(), self.blocks(value).contiguous()
        ends = attend_group(end_blocks(query), key.flatten(2, 3), value.flatten(2, 3), self.ends_bias(texts), dropout)
        rows, bias = self.rows(query, heads), self.rows_bias(query, texts, heads)
        queries = query[:, :, 1:-1].flatten(0, 2)
        step = ROWS_AT_ONCE if is_faster_by_definition(query) else len(rows)
        between = [
            attend_group(
                queries[start : start + step],
                gathered(key, rows[start : start + step]),
                gathered(value, rows[start : start + step]),
                bias[start : start + step],
                dropout,
            )
            for start in range(0, len(rows), step)
        ]
        return self.joined(ends, side_by_side(between))[:, :, :length]

    def attend_with_weights(
        self, query: Tensor, key: Tensor, value: Tensor, dropout: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """The same, and the weights as a dense map (B H T T): quadratic in memory.

        A block that is seen several times has the sum of its weights there, so that each row sums to 1.
        """
        n, w, length = self.table.num_blocks, self.block_size, query.shape[2]
        query, key, value = self.blocks(query), self.blocks(key), self.blocks(value)
        ends, end_weights = attend_with_weights(
            end_blocks(query), key.flatten(2, 3), value.flatten(2, 3), self.ends_bias(ALL), dropout
        )
        rows = self.rows(query, ALL)
        between, row_weights = attend_with_weights(
            query[:, :, 1:-1].flatten(0, 2),
            gathered(key, rows),
            gathered(value, rows),
            self.rows_bias(query, ALL, ALL),
            dropout,
        )
        row_weights = row_weights.unflatten(-1, (-1, w))  # R W K W
        columns = (rows % n)[:, None, :, None].expand_as(row_weights)
        dense = row_weights.new_zeros(len(rows), w, n, w).scatter_add(2, columns, row_weights)
        first, last = end_weights.split(w, dim=2)
        weights = torch.cat((first, dense.view(*query.shape[:2], (n - 2) * w, n * w), last), dim=2)
        context = self.joined(ends, between)[:, :, :length]
        return self.without_padding(context), weights[:, :, : self.length, : self.length]

    def pieces(self, query: Tensor, key: Tensor) -> Iterator[Piece]:
        """The weights of query and key (B H T d) block by block, from the first row to the last: linear in memory."""
        ends = Dense(self.bias)
        first, *between, last = consecutive(self.length, self.block_size)
        yield ends.piece(query, key, first)
        blocks = self.blocks(key)
        for row, rows in enumerate(between):
            yield self.piece(query[:, :, rows], blocks, row, rows)
        yield ends.piece(query, key, last)

    def piece(self, query: Tensor, blocks: Tensor, row: int, rows: slice) -> Piece:
        """One block of queries (B H W d) by its row in the table, among all blocks of keys (B H N W d)."""
        seen = self._blocks[0, :, row]  # H K, or 1 K
        heads = torch.arange(blocks.shape[1], device=self.device)[:, None]
        key = blocks[:, heads, seen].flatten(2, 3)
        weights = torch.softmax(scores(query, key, self._rows_bias[:, :, row, None]), dim=-1)
        columns = seen[..., None] * self.block_size + torch.arange(self.block_size, device=self.device)
        return Piece(rows, columns.flatten(1).clamp(max=self.length - 1), weights)

    def blocks(self, x: Tensor) -> Tensor:
        """B H T d -> B H N W d, filled up with zeros."""
        missing = self.table.num_blocks * self.block_size - x.shape[2]
        return (F.pad(x, (0, 0, 0, missing)) if missing else x).unflatten(2, (-1, self.block_size))

    def without_padding(self, context: Tensor) -> Tensor:
        """B H T d, with zeros where a token is none of the text."""
        if self.attention_mask is None:
            return context
        there = self._seen.flatten(1)[:, : context.shape[2]]
        return context * there[:, None, :, None]

    def joined(self, ends: Tensor, between: Tensor) -> Tensor:
        """The global blocks (B H 2W d) and those between (R W d) as texts again: B H N*W d."""
        first, last = ends.split(self.block_size, dim=2)
        between = between.view(*ends.shape[:2], -1, ends.shape[-1])
        return torch.cat((first, between, last), dim=2)

    def rows(self, query: Tensor, heads: slice) -> Tensor:
        """R = B*H*(N-2) K: the key blocks of every row, counted through all blocks of the query's heads and texts."""
        batch, num_heads, num_blocks = query.shape[:3]
        starts = num_blocks * torch.arange(batch * num_heads, device=self.device).view(batch, num_heads, 1, 1)
        return (part(self._blocks, 1, heads) + starts).flatten(0, 2)

    def rows_bias(self, query: Tensor, texts: slice, heads: slice) -> Tensor:
        """R 1 K*W: the log of how often each key of a row counts."""
        bias = part(part(self._rows_bias, 0, texts), 1, heads)
        return bias.expand(*query.shape[:2], -1, -1).flatten(0, 2)[:, None]

    def ends_bias(self, texts: slice) -> Tensor | None:
        """B 1 1 N*W: 0 for each key that is there."""
        if self._seen is None:
            return None
        return masks.as_bias(part(self._seen, 0, texts), self.dtype).flatten(1)[:, None, None]

    @cached_property
    def _blocks(self) -> Tensor:
        """1 H N-2 K, or 1 1 N-2 K where all heads are equal."""
        return torch.from_numpy(self.table.blocks).to(self.device)[None]

    @cached_property
    def _seen(self) -> Tensor | None:
        """B N W, or 1 N W: which keys are neither padding nor filling; None where all are there."""
        if self.attention_mask is None and not self.filling:
            return None
        mask = torch.ones(1, self.length, device=self.device) if self.attention_mask is None else self.attention_mask
        return F.pad(mask != 0, (0, self.filling)).unflatten(1, (-1, self.block_size))

    @cached_property
    def _rows_bias(self) -> Tensor:
        """B H N-2 K*W; B and H are 1 where they make no difference."""
        lowest = masks.lowest(self.dtype)
        counts = torch.from_numpy(self.table.counts).to(self.device)
        bias = torch.where(counts > 0, counts.clamp(min=1).log(), lowest).to(self.dtype)[None, ..., None]
        if self._seen is None:
            return bias.expand(*bias.shape[:-1], self.block_size).flatten(3)
        return bias.masked_fill(~self._seen[:, self._blocks[0]], lowest).flatten(3)


ALL = slice(None)


def parts(count: int, one_by_one: bool) -> list[slice]:
    return [slice(index, index + 1) for index in range(count)] if one_by_one else [ALL]


def part(x: Tensor, dim: int, some: slice) -> Tensor:
    """Some of an axis, of which there is only one where all are equal."""
    return x if x.shape[dim] == 1 else x[(ALL,) * dim + (some,)]


def side_by_side(tensors: list[Tensor], dim: int = 0) -> Tensor:
    """torch.cat, which would copy one as well."""
    return tensors[0] if len(tensors) == 1 else torch.cat(tensors, dim)


def end_blocks(blocks: Tensor) -> Tensor:
    """B H N W d -> B H 2W d: the first and the last block, which see everything."""
    return torch.cat((blocks[:, :, 0], blocks[:, :, -1]), dim=2)


def gathered(blocks: Tensor, rows: Tensor) -> Tensor:
    """B H N W d by R K -> R K*W d"""
    flat = blocks.flatten(0, 2)
    return flat.index_select(0, rows.flatten()).view(len(rows), -1, flat.shape[-1])


def attend_group(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, dropout: float) -> Tensor:
    """Queries with keys of their own, R W d or B H W d."""
    if is_faster_by_definition(query):
        return attend_with_weights(query, key, value, bias, dropout)[0]
    if query.dim() == 4:
        return attend(query, key, value, bias, dropout)
    return attend(query[:, None], key[:, None], value[:, None], bias[:, None], dropout)[:, 0]


def is_faster_by_definition(query: Tensor) -> bool:
    """Two to five times as fast as the fused kernel on a CPU that multiplies small matrices slowly, in its cache.

    On one with tiles for them, the fused kernel takes 0.6 to 0.8 of the time.
    """
    return query.device.type == "cpu" and not cpu_multiplies_tiles()


@cache
def cpu_multiplies_tiles() -> bool:
    """AMX"""
    return bool(getattr(torch.cpu, "get_capabilities", dict)().get("amx_tile"))
