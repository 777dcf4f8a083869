"""x W^T + b, the fastest way for the number of rows in x.

Beam search multiplies a few rows by large matrices at every step. On a CPU, in float32, the product the other way
round, W x^T, is then 1.3 to 2.4 times as fast (5 rows; widths 384 to 4,096; one thread of an AVX-512 processor).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

FEW_ROWS = range(2, 9)


class Linear(nn.Linear):
    """torch's, with a second way to the same numbers."""

    def forward(self, x: Tensor) -> Tensor:
        return linear_few_rows(x, self.weight, self.bias) if self.is_few_rows(x) else super().forward(x)

    def is_few_rows(self, x: Tensor) -> bool:
        return (
            x.numel() // self.in_features in FEW_ROWS
            and self.out_features >= self.in_features
            and x.dtype == torch.float32
            and x.device.type == "cpu"
            and not torch.is_grad_enabled()
        )


def linear_few_rows(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """... in -> ... out, as `F.linear`."""
    columns = x.reshape(-1, weight.shape[1]).t()
    return torch.addmm(bias[:, None], weight, columns).t().reshape(*x.shape[:-1], -1)
