"""The cross-entropy of what was not seen, of bfloat16 logits in one pass."""

from __future__ import annotations

import numba
import numpy as np
import torch
from numba import int64, void
from torch import Tensor

from quadrat.kernels.arithmetic import exponential, log_1p, narrowed, widened
from quadrat.kernels.compiling import kernel
from quadrat.kernels.launching import BITS, ROW, Bits, Floats, bits, threads


def absent_sums(logits: Tensor) -> tuple[Tensor, Tensor]:
    """``Σ log(1 + exp z)`` of every row, float32 ``(B,)``, and ``p = σ(z)``, bfloat16 ``(B, W)``.

    Args:
        logits: z, bfloat16 ``(B, W)``, contiguous.
    """
    sums, slopes = torch.empty(len(logits)), torch.empty_like(logits)
    _absent_sums(bits(logits), sums.numpy(), bits(slopes), threads())
    return sums, slopes


@kernel(void(BITS, ROW, BITS, int64))
def _absent_sums(logits: Bits, sums: Floats, slopes: Bits, parts: int) -> None:
    count, width = logits.shape
    for part in numba.prange(parts):
        for i in range(count * part // parts, count * (part + 1) // parts):
            total = np.float32(0)
            for j in range(width):
                z = widened(logits[i, j])
                e = exponential(-abs(z))
                share = np.float32(1) / (np.float32(1) + e)
                negative = z < np.float32(0)  # False for NaN, which stays in the sum
                total += log_1p(e) + (np.float32(0) if negative else z)
                p = e * share if negative else share
                slopes[i, j] = narrowed(p if z == z else z)
            sums[i] = total
