"""Numbers that are none: NaN and infinity, which broken weights give, and sound ones where their type is too narrow."""

from __future__ import annotations

from math import isfinite

import torch
from torch import Tensor

from seq2seq.checkpoints.errors import NotFiniteError


def are_finite(numbers: Tensor) -> bool:
    """By their sum, in one pass that copies nothing."""
    return isfinite(numbers.sum(dtype=torch.float32))


def refuse_nonfinite(numbers: Tensor, dtype: torch.dtype) -> None:
    """Raises: NotFiniteError for what a model computed in `dtype`, unless all of it is finite."""
    if are_finite(numbers):
        return
    narrow = dtype in (torch.bfloat16, torch.float16)
    remedy = f" If it is sound, it is too large for {dtype}: load it in float32 (GLOSS_DTYPE)." if narrow else ""
    raise NotFiniteError(
        "The model's weights give no numbers (NaN or infinity), as damaged ones do. Fetch or save the checkpoint anew, "
        f"or choose another.{remedy}"
    )


def refuse_broken(logits: Tensor, sign: Tensor) -> None:
    """As `refuse_nonfinite`, for N V logits, of which few are looked at while the `sign` is finite.

    That is what a search has at hand, and is not finite where a row has NaN, infinity or nothing else than -infinity.
    """
    if not are_finite(sign):
        refuse_nonfinite(logits.amax(dim=-1), logits.dtype)
