"""Dropout whose random numbers cost a byte each."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_LEVELS = 256


class Dropout(nn.Module):
    """Zeroes values at random in training and scales the others up (Srivastava et al. 2014).

    On a CPU torch draws every Bernoulli variable from a whole random number, which takes a sixth
    of a training step; here eight values share one 64-bit number. The share of zeros is rounded to
    1/256, and the scale is that of the rounded share.

    Args:
        share: Share of values that become zero, in [0, 1).
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.dropped = round(share * _LEVELS)

    def forward(self, x: Tensor) -> Tensor:
        """Drops values of a tensor of any shape."""
        if not self.training or self.dropped == 0:
            return x
        count = x.numel()
        words = torch.empty((count + 7) // 8, dtype=torch.int64, device=x.device)
        lowest = torch.iinfo(torch.int64).min
        levels = words.random_(lowest, None).view(torch.uint8)[:count].view(x.shape)
        return (x * (levels >= self.dropped)).mul_(_LEVELS / (_LEVELS - self.dropped))

    def extra_repr(self) -> str:
        """The share, for printing."""
        return f"share={self.dropped / _LEVELS:g}"
