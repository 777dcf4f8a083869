"""One multi-head attention for every place: self or cross, with or without cache, relative positions, watched or not.

Sources: Vaswani et al. 2017, section 3.2.2; relative positions: Shaw et al. 2018 ("relative_key") and Huang et al.
2020, method 4 ("relative_key_query"). Knows no stack, no norm and no checkpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from seq2seq.attention.kernel import Dense
from seq2seq.attention.tape import tape_for
from seq2seq.linear import Linear

if TYPE_CHECKING:
    from seq2seq.attention.block_sparse import BlockSparse
    from seq2seq.generation.cache import LayerCache
    from seq2seq.trace import AttentionKind

SEES_ALL = Dense()


class MultiHeadAttention(nn.Module):
    """Projects to H heads, attends, and projects back. `kind` and `layer` are its address on a tape.

    `biases` says whether the projections add one: those of query, key and value, and that of the output.
    """

    def __init__(
        self, hidden_size: int, num_heads: int, dropout: float, kind: AttentionKind, layer: int,
        biases: tuple[bool, bool] = (True, True),
    ):  # fmt: skip
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = hidden_size // num_heads
        self.dropout = dropout
        self.kind = kind
        self.layer = layer
        self.query = Linear(hidden_size, hidden_size, bias=biases[0])
        self.key = Linear(hidden_size, hidden_size, bias=biases[0])
        self.value = Linear(hidden_size, hidden_size, bias=biases[0])
        self.output = Linear(hidden_size, hidden_size, bias=biases[1])

    def heads(self, hidden_states: Tensor) -> Tensor:
        """B T D -> B H T d"""
        return hidden_states.unflatten(-1, (self.num_heads, self.head_dim)).transpose(1, 2)

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, pattern: Dense | BlockSparse, head_mask: Tensor | None
    ) -> Tensor:
        """B H T d, B H S d twice -> B T D. A head's mask scales its weights, so it may as well scale its output."""
        dropout = self.dropout if self.training else 0.0
        tape = tape_for(self.kind, self.layer)
        if tape is None:
            context = pattern.attend(query, key, value, dropout)
        elif tape.keep is not None:
            tape.weights[self.kind, self.layer] = tape.keep(query, key, pattern)
            context = pattern.attend(query, key, value, dropout)
        else:
            context, weights = pattern.attend_with_weights(query, key, value, dropout)
            tape.weights[self.kind, self.layer] = weights if head_mask is None else weights * head_mask
        if head_mask is not None:
            context = context * head_mask
        return self.output(context.transpose(1, 2).flatten(2))


class SelfAttention(MultiHeadAttention):
    """Every token looks at the tokens of its own sequence."""

    def forward(
        self,
        hidden_states: Tensor,  # B T D
        pattern: Dense | BlockSparse = SEES_ALL,
        head_mask: Tensor | None = None,  # H 1 1
        cache: LayerCache | None = None,
    ) -> Tensor:  # B T D
        query = self.heads(self.query(hidden_states))
        key = self.heads(self.key(hidden_states))
        value = self.heads(self.value(hidden_states))
        if cache is not None:
            key, value = cache.self_attention.append(key, value)
        return self.attend(query, key, value, self.with_positions(query, key, pattern), head_mask)

    def with_positions(self, query: Tensor, key: Tensor, pattern: Dense | BlockSparse) -> Dense | BlockSparse:
        return pattern


class RelativeSelfAttention(SelfAttention):
    """Adds to each score the query's (and the key's) product with an embedding of their distance."""

    def __init__(
        self, hidden_size: int, num_heads: int, dropout: float, kind: AttentionKind, layer: int,
        max_positions: int, with_key: bool,
    ):  # fmt: skip
        super().__init__(hidden_size, num_heads, dropout, kind, layer)
        self.max_positions = max_positions
        self.with_key = with_key
        self.distance = nn.Embedding(2 * max_positions - 1, self.head_dim)

    def with_positions(self, query: Tensor, key: Tensor, pattern: Dense) -> Dense:
        target_length, source_length = query.shape[2], key.shape[2]
        positions = torch.arange(source_length, device=query.device)
        distances = positions[-target_length:, None] - positions[None, :] + self.max_positions - 1
        embedded = self.distance(distances).to(query.dtype)  # T S d
        scores = torch.einsum("bhtd,tsd->bhts", query, embedded)
        if self.with_key:
            scores = scores + torch.einsum("bhsd,tsd->bhts", key, embedded)
        scores = scores * self.head_dim**-0.5
        return Dense(scores if pattern.bias is None else scores + pattern.bias)


class CrossAttention(MultiHeadAttention):
    """Every target token looks at the source. Keys and values are made once a source and kept in the cache."""

    def forward(
        self,
        hidden_states: Tensor,  # B*K T D, as the beams of one source
        source: Tensor,  # B S D
        pattern: Dense = SEES_ALL,  # its bias: B 1 1 S
        head_mask: Tensor | None = None,  # H 1 1
        cache: LayerCache | None = None,
    ) -> Tensor:  # B*K T D
        key, value = self.keys_and_values(source, cache)
        return self.attend(self.heads(self.query(hidden_states)), key, value, pattern, head_mask)

    def keys_and_values(self, source: Tensor, cache: LayerCache | None) -> tuple[Tensor, Tensor]:
        if cache is not None and cache.cross_attention.pair is not None:
            return cache.cross_attention.pair
        key, value = self.heads(self.key(source)), self.heads(self.value(source))
        if cache is None:
            return key, value
        # Read at every step: with each head's in one piece, that takes a third of the time of 4,096 tokens.
        return cache.cross_attention.set(key.contiguous(), value.contiguous())
