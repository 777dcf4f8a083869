"""x W^T + b, the fastest way for the number of rows in x.

Beam search multiplies a few rows by large matrices at every step. On a CPU, in float32, the product the other way
round, W x^T, is then faster: 1.3 to 3.3 times on one thread of an AVX-512 processor and 1.8 to 6 times on two, for 2 to
5 rows and matrices of 384 x 384 to 50,358 x 1,024. From 6 rows on it can be slower, down to 0.7 times at 8.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

FEW_ROWS = range(2, 6)


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


def linear_few_rows(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """... in -> ... out, as `F.linear`."""
    columns = x.reshape(-1, weight.shape[1]).t()
    product = weight @ columns if bias is None else torch.addmm(bias[:, None], weight, columns)
    return product.t().reshape(*x.shape[:-1], -1)
