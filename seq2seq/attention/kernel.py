"""softmax(QK^T)V, the only one in the project (Vaswani et al. 2017, section 3.2.1).

Which keys a query may see is the caller's business: it comes as an additive bias, from `masks`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None, dropout: float = 0.0) -> Tensor:
    """Attention without its weights, on torch's fused kernels.

    Args: query (B H T d), key and value (B H S d), bias broadcastable to (B H T S), added to the scaled scores.
    Returns: (B H T d).
    """
    if torch.is_grad_enabled() and query.device.type == "cpu":
        # The fused kernel's backward pass on CPU takes 1.7 times as long as the definition's, in bfloat16 training
        # of short texts.
        return attend_with_weights(query, key, value, bias, dropout)[0]
    return F.scaled_dot_product_attention(query, key, value, attn_mask=bias, dropout_p=dropout)


def attend_with_weights(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None, dropout: float = 0.0
) -> tuple[Tensor, Tensor]:
    """The same by its definition, for whoever wants to see the weights: (B H T d) and (B H T S)."""
    scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    if bias is not None:
        scores = scores + bias
    weights = F.dropout(torch.softmax(scores, dim=-1), p=dropout)
    return weights @ value, weights
