"""The loss of a decoder's targets straight from its hidden states, some rows at a time.

The logits of a batch are the largest tensor of its step by far (tokens x vocabulary, in float32), and are read and
written a dozen times on the way to the loss and back. Here a stretch of rows goes from hidden states to the gradient of
its logits while it is still in the processor's cache; only that gradient is kept, in the hidden states' type.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import LongTensor, Tensor, nn

ROWS_AT_ONCE = 128


def token_loss(hidden_states: Tensor, head: nn.Linear, labels: LongTensor) -> Tensor:
    """Mean cross-entropy of labels (N) under the logits that `head` makes of hidden states (N D).

    Multiplied in the running autocast's type, added up in float32.
    """
    device = hidden_states.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden_states.dtype
    bias = hidden_states.new_zeros(head.out_features) if head.bias is None else head.bias
    with torch.autocast(device, enabled=False):
        return TokenLoss.apply(hidden_states.to(dtype), head.weight.to(dtype), bias, labels)


class TokenLoss(torch.autograd.Function):
    """Computes the gradient of the logits with the loss, and the rest of the backward pass from that."""

    @staticmethod
    def forward(ctx: Any, hidden_states: Tensor, weight: Tensor, bias: Tensor, labels: LongTensor) -> Tensor:
        slopes = hidden_states.new_empty(len(labels), len(weight))
        total = hidden_states.new_zeros((), dtype=torch.float32)
        stretches = (each.split(ROWS_AT_ONCE) for each in (hidden_states, labels, slopes))
        for rows, wanted, slope in zip(*stretches, strict=True):
            log_probs = torch.log_softmax((rows @ weight.T).float().add_(bias), dim=-1)
            total -= log_probs.gather(1, wanted[:, None]).sum()
            probs = log_probs.exp_()
            probs.scatter_add_(1, wanted[:, None], probs.new_full((len(wanted), 1), -1.0))
            slope.copy_(probs)
        ctx.save_for_backward(hidden_states, weight, slopes)
        return total / len(labels)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        hidden_states, weight, slopes = ctx.saved_tensors
        scale = grad / len(slopes)
        wants_rows, wants_weight, wants_bias, _ = ctx.needs_input_grad
        return (
            (slopes @ weight) * scale.to(weight.dtype) if wants_rows else None,
            (slopes.T @ hidden_states) * scale.to(weight.dtype) if wants_weight else None,
            slopes.sum(dim=0, dtype=torch.float32) * scale if wants_bias else None,
            None,
        )
