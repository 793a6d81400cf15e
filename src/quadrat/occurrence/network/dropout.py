"""Dropout whose random numbers cost a byte each."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_LEVELS = 256

_BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Integers by their size in bytes."""


class Dropout(nn.Module):
    """Zeroes values at random in training and scales the others up (Srivastava et al. 2014).

    On a CPU torch draws every Bernoulli variable from a whole random number, and compares and
    multiplies by truth values slowly: together that takes longer than the matrix product that
    follows. Here eight values share one 64-bit number, and values become zero by a bitwise AND. The
    share of zeros is rounded to 1/256, and the scale is that of the rounded share.

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
        kept: Tensor = _Kept.apply(x, self._mask(x), _LEVELS / (_LEVELS - self.dropped))
        return kept

    def _mask(self, x: Tensor) -> Tensor:
        """Integers as wide as the values, all bits one where a value is kept, else zero."""
        count = x.numel()
        words = torch.empty((count + 7) // 8, dtype=torch.int64, device=x.device)
        lowest = torch.iinfo(torch.int64).min
        levels = words.random_(lowest, None).view(torch.uint8)[:count].view(x.shape)
        # The sign of (dropped - 1 - level) is negative where the level is at least dropped.
        signs = levels.to(torch.int16).neg_().add_(self.dropped - 1).bitwise_right_shift_(15)
        return signs.to(_BITS[x.element_size()])

    def extra_repr(self) -> str:
        """The share, for printing."""
        return f"share={self.dropped / _LEVELS:g}"


class _Kept(torch.autograd.Function):
    """``scale · x`` where the mask's bits are one, zero where they are zero."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, mask: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(mask)
        ctx.scale = scale
        return _masked(x, mask, scale)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _masked(gradient, ctx.saved_tensors[0], ctx.scale), None, None


def _masked(x: Tensor, mask: Tensor, scale: float) -> Tensor:
    return (x.contiguous().view(mask.dtype) & mask).view(x.dtype).mul_(scale)
