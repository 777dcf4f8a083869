"""Who may look at whom: small named predicates that compose with `&`, and the bias that the kernel adds.

A predicate is a boolean tensor broadcastable to (B H T S), True where query t may see key s.
"""

from __future__ import annotations

import torch
from torch import Tensor


def causal(target_length: int, source_length: int, device: torch.device | None = None) -> Tensor:
    """1 1 T S: no query sees a later token. The T queries are the last ones of the S tokens."""
    ones = torch.ones(target_length, source_length, dtype=torch.bool, device=device)
    return ones.tril(source_length - target_length)[None, None]


def padding(attention_mask: Tensor) -> Tensor:
    """B 1 1 S (or B 1 T S from a mask a query): the tokens whose attention_mask is not 0."""
    seen = attention_mask != 0
    return seen[:, None, None, :] if attention_mask.dim() == 2 else seen[:, None]


def as_bias(visible: Tensor, dtype: torch.dtype) -> Tensor:
    """0 where visible, else the lowest number."""
    return torch.zeros(visible.shape, dtype=dtype, device=visible.device).masked_fill(~visible, lowest(dtype))


def lowest(dtype: torch.dtype) -> float:
    """The lowest number of `dtype` that bfloat16 has too, as autocast may change a bias into that.

    Not minus infinity: a row that may see nothing at all, as of a text of padding only, then stays finite.
    """
    return max(torch.finfo(dtype).min, torch.finfo(torch.bfloat16).min)
