"""Extractive question answering: from hidden states to where an answer may start and end, and the loss of it."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def start_and_end(logits: Tensor) -> tuple[Tensor, Tensor]:
    """B T 2 -> B T twice"""
    start_logits, end_logits = logits.unbind(dim=-1)
    return start_logits.contiguous(), end_logits.contiguous()


def span_loss(
    start_logits: Tensor, end_logits: Tensor, start_positions: Tensor | None, end_positions: Tensor | None
) -> Tensor | None:
    """The mean cross-entropy of both ends (B each), in float32; None without them. Places outside do not count."""
    if start_positions is None or end_positions is None:
        return None
    length = start_logits.shape[1]
    losses = (
        F.cross_entropy(logits.float(), positions.flatten().clamp(0, length), ignore_index=length)
        for logits, positions in ((start_logits, start_positions), (end_logits, end_positions))
    )
    return sum(losses) / 2
