"""The keys and values that a decoder keeps, so that a new token costs one row of attention, not the square.

Those of self-attention grow by a token a step; those of cross-attention come from the source and are computed
once. Beams are rows of the self-attention part (B*K of them); the cross-attention part stays at one row a
source (B), because a beam never leaves its source. Knows no models: a layer appends what it computed and
reads all so far.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import BoolTensor, LongTensor, Tensor

from seq2seq.attention.kernel import Apart, groups_of

MIN_CAPACITY = 64  # tokens; room for a short output without growing once

KeysAndValues = tuple[Tensor, Tensor]


class GrowingKeysAndValues:
    """One layer's self-attention: every key and value so far, B H t d.

    Without gradients they live in buffers that double when they are full, so a step writes one token and
    copies nothing else. While gradients are recorded nothing is written in place: each step joins new
    tensors, which autograd can follow.
    """

    def __init__(self) -> None:
        self._keys: Tensor | None = None
        self._values: Tensor | None = None
        self._capacity = 0  # 0 while the tensors are not buffers of our own that may be written to
        self.length = 0

    @property
    def num_rows(self) -> int:
        return 0 if self._keys is None else self._keys.shape[0]

    @property
    def pair(self) -> KeysAndValues | None:
        """All keys and all values so far, B H t d each; None before the first token."""
        if self._keys is None or self._values is None:
            return None
        return self._keys.narrow(2, 0, self.length), self._values.narrow(2, 0, self.length)

    def append(self, key: Tensor, value: Tensor) -> KeysAndValues:
        """Add the keys and values of new tokens (B H t d each); return those of all tokens so far.

        What is returned may be a view of a buffer that later calls write to: use it before the next reorder.
        """
        if self._keys is not None and key.shape[0] != self.num_rows:
            raise ValueError(
                f"The cache holds {self.num_rows} rows and the new keys have {key.shape[0]}. "
                "Give every call the same batch, or reorder the cache to the new rows first."
            )
        end = self.length + key.shape[2]
        if torch.is_grad_enabled():
            self._join(key, value)
        else:
            self._write(key, value, end)
        self.length = end
        return self.pair

    def reorder(self, rows: LongTensor, start: int = 0) -> None:
        """Make row i what row rows[i] was. Positions before `start` are known to be equal already."""
        if self._keys is None or self._values is None:
            return
        rows = rows.to(self._keys.device)
        in_place = self._capacity and len(rows) == self.num_rows and not torch.is_grad_enabled()
        if in_place:
            for buffer in (self._keys, self._values):
                moving = buffer.narrow(2, start, self.length - start)
                moving.copy_(moving.index_select(0, rows))
        else:
            self._keys = self._keys.index_select(0, rows)
            self._values = self._values.index_select(0, rows)

    def _join(self, key: Tensor, value: Tensor) -> None:
        if self.pair is None:
            self._keys, self._values = key, value
        else:
            keys, values = self.pair
            self._keys = torch.cat((keys, key), dim=2)
            self._values = torch.cat((values, value), dim=2)
        self._capacity = 0

    def _write(self, key: Tensor, value: Tensor, end: int) -> None:
        if self._capacity < end:
            capacity = max(MIN_CAPACITY, 2 * end)
            self._keys = self._enlarged(self._keys, key, capacity)
            self._values = self._enlarged(self._values, value, capacity)
            self._capacity = capacity
        self._keys.narrow(2, self.length, key.shape[2]).copy_(key)
        self._values.narrow(2, self.length, value.shape[2]).copy_(value)

    def _enlarged(self, held: Tensor | None, like: Tensor, capacity: int) -> Tensor:
        rows, heads, _, width = like.shape
        buffer = like.new_empty((rows, heads, capacity, width))
        if held is not None:
            buffer.narrow(2, 0, self.length).copy_(held.narrow(2, 0, self.length))
        return buffer


class FixedKeysAndValues:
    """One layer's cross-attention: the source's keys and values, B H S d, set once a source."""

    def __init__(self) -> None:
        self.pair: KeysAndValues | None = None

    def set(self, key: Tensor, value: Tensor) -> KeysAndValues:
        self.pair = (key, value)
        return self.pair


@dataclass(frozen=True)
class LayerCache:
    """What one decoder layer keeps."""

    self_attention: GrowingKeysAndValues = field(default_factory=GrowingKeysAndValues)
    cross_attention: FixedKeysAndValues = field(default_factory=FixedKeysAndValues)


class KeyValueCache(Sequence):
    """What all decoder layers keep.

    Also reads as the documented tuple of tuples, an entry a layer: (self_keys, self_values), followed by
    (cross_keys, cross_values) once those are set.
    """

    def __init__(self, num_layers: int) -> None:
        self.layers = tuple(LayerCache() for _ in range(num_layers))
        self._origins = torch.empty((0, 0), dtype=torch.long)  # B*K t: the row that first wrote each position

    @classmethod
    def from_legacy(cls, past_key_values: Iterable[tuple[Tensor, ...]]) -> KeyValueCache:
        """From the documented tuple of tuples: 2 tensors a layer, or 4 with those of cross-attention."""
        entries = list(past_key_values)
        cache = cls(len(entries))
        for index, (layer, entry) in enumerate(zip(cache.layers, entries, strict=True)):
            if len(entry) not in (2, 4):
                raise ValueError(
                    "past_key_values needs 2 tensors a layer (keys, values), or 4 with those of "
                    f"cross-attention; layer {index} has {len(entry)}."
                )
            layer.self_attention.append(*entry[:2])
            if len(entry) == 4:
                layer.cross_attention.set(*entry[2:])
        return cache

    def of_the_same_source(self) -> KeyValueCache:
        """For another output: empty, but for the keys and values across, which both have once either made them."""
        other = KeyValueCache(0)
        other.layers = tuple(LayerCache(cross_attention=layer.cross_attention) for layer in self.layers)
        return other

    @property
    def length(self) -> int:
        """Tokens that every layer has seen: during a forward pass, those before it."""
        return self.layers[-1].self_attention.length if self.layers else 0

    def reorder(self, rows: LongTensor) -> None:
        """Make row i of every layer's self-attention what row rows[i] was, for any number of rows.

        Rows that come from one row share its history, and only what differs is copied: beams mostly part a
        few tokens back. Cross-attention is left alone.
        """
        num_rows = self.layers[0].self_attention.num_rows
        rows = rows.cpu()
        if self.length == 0 or rows.tolist() == list(range(num_rows)):
            return
        origins = self._origins_so_far(num_rows)
        self._origins = origins[rows]
        start = _first_difference(self._origins != origins) if len(rows) == num_rows else 0
        if start < self.length:
            for layer in self.layers:
                layer.self_attention.reorder(rows, start)

    def rewind(self, length: int) -> None:
        """Forget the tokens from `length` on, which not every layer need have seen."""
        for layer in self.layers:
            layer.self_attention.length = length

    def _origins_so_far(self, num_rows: int) -> LongTensor:
        known = self._origins.shape[1]
        recent = torch.arange(num_rows)[:, None].expand(num_rows, self.length - known)
        return torch.cat((self._origins, recent), dim=1) if known else recent

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        layer = self.layers[index]
        return (layer.self_attention.pair or ()) + (layer.cross_attention.pair or ())

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        return (self[index] for index in range(len(self)))


class SharedCache:
    """The caches of several runs as a decoder sees one, for a step that they take together.

    Rows of all runs make one batch, in the runs' order; each is written to its own run's cache and looks at it alone.
    """

    def __init__(self, caches: Sequence[KeyValueCache]) -> None:
        self.layers = tuple(map(SharedLayerCache, zip(*(cache.layers for cache in caches), strict=True)))
        self.length = max(cache.length for cache in caches)


@dataclass(frozen=True)
class SharedLayerCache:
    """One layer's part of it, as `LayerCache` is of one run's."""

    runs: tuple[LayerCache, ...]

    @property
    def self_attention(self) -> SharedLayerCache:
        return self

    @property
    def cross_attention(self) -> SharedLayerCache:
        return self

    @property
    def num_rows(self) -> tuple[int, ...]:
        return tuple(run.self_attention.num_rows for run in self.runs)

    @property
    def pair(self) -> tuple[Apart, Apart]:
        """The sources' keys and values, which are known from each run's first step."""
        return self._apart(run.cross_attention.pair for run in self.runs)

    def append(self, key: Tensor, value: Tensor) -> tuple[Apart, Apart]:
        """Add the keys and values of a new token a row (N H 1 d each); what each row looks at."""
        new = zip(self.runs, groups_of(key, self.num_rows), groups_of(value, self.num_rows), strict=False)
        return self._apart(run.self_attention.append(*each) for run, *each in new)

    def _apart(self, pairs: Iterable[KeysAndValues]) -> tuple[Apart, Apart]:
        keys, values = zip(*pairs, strict=True)
        return Apart(keys, self.num_rows), Apart(values, self.num_rows)


def _first_difference(differs: BoolTensor) -> int:
    """The first column of B t where any row is True; t if there is none."""
    columns = differs.any(dim=0)
    return int(columns.to(torch.uint8).argmax()) if bool(columns.any()) else columns.shape[0]
