"""x W^T + b, and an activation of it, the fastest way there is on a CPU.

torch multiplies float32 with MKL, and oneDNN, which it has on board too, is faster at it on some processors. On one
thread of an AMD EPYC with AVX-512 and matrices of 384 x 384 to 50,358 x 1,024, oneDNN took 0.4 to 0.5 of the time from
16 rows on, 0.5 to 0.9 from 3 to 8, and at 2 rows from 0.5 (the vocabulary) to 1.7 (the smallest matrix). Where there is
AVX2 alone, 0.5 to 0.9 with the vocabulary and 0.9 to 2.4 with small matrices, which whole runs show neither way.
In bfloat16 torch uses it already where the processor can; called directly it saves 1 to 5 microseconds. Both types save
a pass over memory where the activation is applied on the way.

oneDNN makes a program for each number of rows that it meets, so rows are added up to one of few numbers: a process that
has read 1,250 texts of 1 to 900 words has 510 MB then, and not 1,180.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Activation = Callable[[Tensor], Tensor]

gelu_tanh = partial(F.gelu, approximate="tanh")

HAS_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
BY_ONEDNN = {torch.float32} if HAS_ONEDNN else set()
if HAS_ONEDNN and torch.ops.mkldnn._is_mkldnn_bf16_supported():  # needs AVX-512
    BY_ONEDNN.add(torch.bfloat16)
PLAIN = ("none", "")
FUSED: dict[Activation, tuple[str, str]] = {  # oneDNN's names: the activation, and how it is computed
    F.gelu: ("gelu", "none"),
    gelu_tanh: ("gelu", "tanh"),
    F.relu: ("relu", ""),
}


class Linear(nn.Linear):
    """torch's, with a second way to the same numbers."""

    def forward(self, x: Tensor) -> Tensor:
        return self.by_onednn(x, PLAIN) if self.is_faster_by_onednn(x) else super().forward(x)

    def activated(self, x: Tensor, activation: Activation) -> Tensor:
        """activation(x W^T + b)"""
        if activation in FUSED and self.is_faster_by_onednn(x):
            return self.by_onednn(x, FUSED[activation])
        return activation(self(x))

    def is_faster_by_onednn(self, x: Tensor) -> bool:
        """It computes no gradients, and a single float32 row is bound by memory either way."""
        return (
            x.dtype in BY_ONEDNN
            and x.dtype == self.weight.dtype
            and x.device.type == "cpu"
            and x.numel() > (self.in_features if x.dtype == torch.float32 else 0)
            and not torch.is_grad_enabled()
            and not torch.is_autocast_enabled("cpu")
        )

    def by_onednn(self, x: Tensor, activation: tuple[str, str]) -> Tensor:
        """On one of few numbers of rows: oneDNN makes a program of some 100 kB for each, and keeps a thousand."""
        name, algorithm = activation
        num_rows = x.numel() // self.in_features
        more = rounded_up(num_rows) - num_rows
        rows = F.pad(x.reshape(num_rows, self.in_features), (0, 0, 0, more)) if more else x
        y = torch.ops.mkldnn._linear_pointwise(rows, self.weight, self.bias, name, [], algorithm)
        return y[:num_rows].view(*x.shape[:-1], self.out_features) if more else y


def rounded_up(rows: int) -> int:
    """By an eighth at most, and by less than 64."""
    step = 1 << min(max((rows - 1).bit_length() - 4, 0), 6)
    return -(-rows // step) * step
