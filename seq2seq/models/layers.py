"""The layers that every family here is made of (Vaswani et al. 2017), normed after each part or before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.attention.multihead import SEES_ALL, CrossAttention, RelativeSelfAttention, SelfAttention
from seq2seq.linear import Linear, gelu_tanh

if TYPE_CHECKING:
    from seq2seq.attention.block_sparse import BlockSparse
    from seq2seq.attention.kernel import Dense
    from seq2seq.config import StackConfig
    from seq2seq.generation.cache import LayerCache
    from seq2seq.trace import AttentionKind

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_new": gelu_tanh,
    "gelu_fast": gelu_tanh,
    "gelu_pytorch_tanh": gelu_tanh,
    "relu": F.relu,
    "silu": F.silu,
    "swish": F.silu,
    "tanh": torch.tanh,
}


def activation(name: str | Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The function behind `hidden_act`, which may be a name or the function itself."""
    if callable(name):
        return name
    if name not in ACTIVATIONS:
        raise ValueError(f"hidden_act must be one of {', '.join(ACTIVATIONS)}; got {name!r}.")
    return ACTIVATIONS[name]


def embedding(count: int, width: int, padding_idx: int | None = None) -> nn.Embedding:
    """A table whose numbers are left to the model's own drawing: torch's would be drawn first, for nothing."""
    return nn.Embedding(count, width, padding_idx, _weight=torch.empty(count, width))


class Embeddings(nn.Module):
    """Word, position and, where the family has them, token type; then norm, unless blocks norm first, and dropout."""

    def __init__(self, config: StackConfig):
        super().__init__()
        width = config.hidden_size
        self.word = embedding(config.vocab_size, width, config.pad_token_id)
        self.position = embedding(config.max_position_embeddings, width)
        self.token_type = embedding(config.num_token_types, width) if config.num_token_types else None
        self.adds_positions = config.adds_position_embeddings
        self.scale = config.embedding_scale
        self.norm = nn.Identity() if config.norms_first else nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def words(self, input_ids: Tensor) -> Tensor:
        """B T -> B T D, before anything is added."""
        words = self.word(input_ids)
        return words if self.scale == 1.0 else words * self.scale

    def forward(self, words: Tensor, position_ids: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """words (B T D) as embedded or as given, position_ids (1 T or B T), token_type_ids (B T) -> B T D"""
        embedded = words
        if self.token_type is not None:
            types = self.token_type.weight[0] if token_type_ids is None else self.token_type(token_type_ids)
            embedded = embedded + types
        if self.adds_positions:
            embedded = embedded + self.position(position_ids)
        return self.dropout(self.norm(embedded))


class FeedForward(nn.Module):
    """Up, activation, down."""

    def __init__(self, config: StackConfig):
        super().__init__()
        self.up = Linear(config.hidden_size, config.intermediate_size)
        self.activation = activation(config.hidden_act)
        self.dropout = nn.Dropout(config.activation_dropout)
        self.down = Linear(config.intermediate_size, config.hidden_size)

    def forward(self, hidden_states: Tensor) -> Tensor:
        return self.down(self.dropout(self.up.activated(hidden_states, self.activation)))


class Block(nn.Module):
    """Self-attention, cross-attention where there is a source, feed-forward: each added to its input, then normed."""

    def __init__(self, config: StackConfig, layer: int):
        super().__init__()
        kind = "decoder" if config.is_decoder else "encoder"
        self.self_attention = self_attention(config, kind, layer)
        self.self_attention_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        if config.add_cross_attention:
            self.cross_attention = CrossAttention(
                config.hidden_size, config.num_attention_heads, config.attention_probs_dropout_prob, "cross", layer,
                config.attention_biases,
            )  # fmt: skip
            self.cross_attention_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.feed_forward = FeedForward(config)
        self.feed_forward_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(
        self,
        x: Tensor,  # B T D
        pattern: Dense | BlockSparse = SEES_ALL,
        source: Tensor | None = None,  # B S D
        source_pattern: Dense = SEES_ALL,
        head_mask: Tensor | None = None,  # H 1 1
        cross_attn_head_mask: Tensor | None = None,  # H 1 1
        cache: LayerCache | None = None,
    ) -> Tensor:  # B T D
        x = self.added(x, self.self_attention_norm, lambda y: self.self_attention(y, pattern, head_mask, cache))
        if source is not None:
            x = self.added(
                x,
                self.cross_attention_norm,
                lambda y: self.cross_attention(y, source, source_pattern, cross_attn_head_mask, cache),
            )
        return self.added(x, self.feed_forward_norm, self.feed_forward)

    def added(self, x: Tensor, norm: nn.LayerNorm, part: Callable[[Tensor], Tensor]) -> Tensor:
        return norm(x + self.dropout(part(x)))


class PreNormBlock(Block):
    """The same parts, each reading its input normed and adding to it as it is."""

    def added(self, x: Tensor, norm: nn.LayerNorm, part: Callable[[Tensor], Tensor]) -> Tensor:
        return x + self.dropout(part(norm(x)))


def block_of(config: StackConfig, layer: int) -> Block:
    return (PreNormBlock if config.norms_first else Block)(config, layer)


def self_attention(config: StackConfig, kind: AttentionKind, layer: int) -> SelfAttention:
    """The self-attention that `position_embedding_type` asks for."""
    shape = (config.hidden_size, config.num_attention_heads, config.attention_probs_dropout_prob, kind, layer)
    if config.position_embedding_type == "absolute":
        return SelfAttention(*shape, config.attention_biases)
    with_key = config.position_embedding_type == "relative_key_query"
    return RelativeSelfAttention(*shape, config.max_position_embeddings, with_key)
