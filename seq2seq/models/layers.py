"""The layers that every family here is made of (Vaswani et al. 2017; post-norm as in BERT, Devlin et al. 2019)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.attention.multihead import CrossAttention, RelativeSelfAttention, SelfAttention
from seq2seq.linear import Linear

if TYPE_CHECKING:
    from seq2seq.config import StackConfig
    from seq2seq.generation.cache import LayerCache
    from seq2seq.trace import AttentionKind

gelu_tanh = partial(F.gelu, approximate="tanh")

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
    """Word, position and, where the family has them, token type; then norm and dropout."""

    def __init__(self, config: StackConfig):
        super().__init__()
        width = config.hidden_size
        self.word = embedding(config.vocab_size, width, config.pad_token_id)
        self.position = embedding(config.max_position_embeddings, width)
        self.token_type = embedding(config.num_token_types, width) if config.num_token_types else None
        self.adds_positions = config.adds_position_embeddings
        self.norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

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
        self.down = Linear(config.intermediate_size, config.hidden_size)

    def forward(self, hidden_states: Tensor) -> Tensor:
        return self.down(self.activation(self.up(hidden_states)))


class Block(nn.Module):
    """Self-attention, cross-attention where there is a source, feed-forward: each added to its input, then normed."""

    def __init__(self, config: StackConfig, layer: int):
        super().__init__()
        kind = "decoder" if config.is_decoder else "encoder"
        self.self_attention = self_attention(config, kind, layer)
        self.self_attention_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        if config.add_cross_attention:
            self.cross_attention = CrossAttention(
                config.hidden_size, config.num_attention_heads, config.attention_probs_dropout_prob, "cross", layer
            )
            self.cross_attention_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.feed_forward = FeedForward(config)
        self.feed_forward_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(
        self,
        x: Tensor,  # B T D
        bias: Tensor | None,
        source: Tensor | None,  # B S D
        source_bias: Tensor | None,
        head_mask: Tensor | None,  # H 1 1
        cache: LayerCache | None,
    ) -> Tensor:  # B T D
        x = self.self_attention_norm(x + self.dropout(self.self_attention(x, bias, head_mask, cache)))
        if source is not None:
            attended = self.cross_attention(x, source, source_bias, head_mask, cache)
            x = self.cross_attention_norm(x + self.dropout(attended))
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))


def self_attention(config: StackConfig, kind: AttentionKind, layer: int) -> SelfAttention:
    """The self-attention that `position_embedding_type` asks for."""
    shape = (config.hidden_size, config.num_attention_heads, config.attention_probs_dropout_prob, kind, layer)
    if config.position_embedding_type == "absolute":
        return SelfAttention(*shape)
    with_key = config.position_embedding_type == "relative_key_query"
    return RelativeSelfAttention(*shape, config.max_position_embeddings, with_key)
