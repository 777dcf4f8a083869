"""softmax(QK^T)V, the only one in the project (Vaswani et al. 2017, section 3.2.1).

Which keys a query may see is the caller's business: it comes as an additive bias, from `masks`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

ROWS_OF_A_PIECE = 64  # with 4,096 keys of 12 heads, 13 MB in float32


@dataclass(frozen=True)
class Apart:
    """Keys or values of rows that share a batch and look at different things, of different lengths.

    Rows of the batch behind those of all `tensors` look at nothing.
    """

    tensors: tuple[Tensor, ...]  # b H s d each
    num_rows: tuple[int, ...]  # how many rows of the batch look at each: b, or several times b


def attend(
    query: Tensor, key: Tensor | Apart, value: Tensor | Apart, bias: Tensor | None = None, dropout: float = 0.0
) -> Tensor:
    """Attention without its weights, on torch's fused kernels.

    B*K queries may share B sources, as the beams of one text do: they join the axis of tokens, so that the source is
    neither copied nor read K times.

    Args: query (B*K H T d), key and value (B H S d), bias broadcastable to (B H T S), added to the scaled scores.
    Returns: (B*K H T d).
    """
    if isinstance(key, Apart):
        *groups, rest = groups_of(query, key.num_rows)
        seen = zip(groups, key.tensors, value.tensors, strict=True)
        return torch.cat([*(attend(*each, bias, dropout) for each in seen), rest])
    if query.shape[0] > key.shape[0]:
        folded = query.unflatten(0, (key.shape[0], -1)).transpose(1, 2)  # B H K T d
        context = attend(folded.flatten(2, 3), key, value, bias, dropout)
        return context.unflatten(2, folded.shape[2:4]).transpose(1, 2).flatten(0, 1)
    if torch.is_grad_enabled() and query.device.type == "cpu":
        # The fused kernel's backward pass on CPU takes 1.7 times as long as the definition's, in bfloat16 training
        # of short texts.
        return attend_with_weights(query, key, value, bias, dropout)[0]
    if query.device.type == "cpu" and value.shape[-1] != query.shape[-1]:  # which the fused kernel does not take there
        return torch.cat([piece.weights @ value for piece in Dense(bias).pieces(query, key)], dim=2)
    bias = None if bias is None else bias.to(query.dtype)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=bias, dropout_p=dropout)


def groups_of(batch: Tensor, num_rows: Sequence[int]) -> tuple[Tensor, ...]:
    """As many rows of a batch as each number says, one group after the other, and last what is left of it."""
    return batch.split([*num_rows, len(batch) - sum(num_rows)])


def attend_with_weights(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None, dropout: float = 0.0
) -> tuple[Tensor, Tensor]:
    """The same by its definition, for whoever wants to see the weights: (B H T d) and (B H T S)."""
    weights = F.dropout(torch.softmax(scores(query, key, bias), dim=-1), p=dropout)
    return weights @ value, weights


def scores(query: Tensor, key: Tensor, bias: Tensor | None) -> Tensor:
    """QK^T scaled, and the bias: (B H T S), or (B T S) from tensors without an axis of heads."""
    scale = query.shape[-1] ** -0.5
    if bias is not None and query.dim() == 3:
        return torch.baddbmm(bias.to(query.dtype), query, key.transpose(1, 2), alpha=scale)
    products = (query * scale) @ key.transpose(-1, -2)
    return products if bias is None else products.add_(bias)


@dataclass(frozen=True)
class Piece:
    """Some rows of the weights, over the columns that they see: they sum to 1, and elsewhere all is 0."""

    rows: slice  # t of the T queries
    columns: Tensor  # H s, or 1 s where all heads see the same: places in S; two are equal only where a weight is 0
    weights: Tensor  # B H t s


@dataclass(frozen=True)
class Dense:
    """Who sees whom where it is written out for every pair of query and key; None: everyone sees everything."""

    bias: Tensor | None = None  # broadcastable to B H T S

    def attend(self, query: Tensor, key: Tensor, value: Tensor, dropout: float = 0.0) -> Tensor:
        return attend(query, key, value, self.bias, dropout)

    def attend_with_weights(
        self, query: Tensor, key: Tensor, value: Tensor, dropout: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        return attend_with_weights(query, key, value, self.bias, dropout)

    def pieces(self, query: Tensor, key: Tensor) -> Iterator[Piece]:
        """The weights of query (B H T d) and key (B H S d) from the first row to the last, never all at once."""
        for rows in consecutive(query.shape[2], ROWS_OF_A_PIECE):
            yield self.piece(query, key, rows)

    def piece(self, query: Tensor, key: Tensor, rows: slice) -> Piece:
        bias = self.bias if self.bias is None or self.bias.shape[-2] == 1 else self.bias[..., rows, :]
        columns = torch.arange(key.shape[2], device=key.device)[None]
        return Piece(rows, columns, torch.softmax(scores(query[:, :, rows], key, bias), dim=-1))


def consecutive(length: int, size: int) -> list[slice]:
    """A length cut into pieces of one size; the last may be shorter."""
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]
