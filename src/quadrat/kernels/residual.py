"""What ends a residual block, in one pass: the sum, and its modulation by the week (FiLM)."""

from __future__ import annotations

import numba
import numpy as np
import torch
from numba import int64, void
from numpy.typing import NDArray
from torch import Tensor

from quadrat.kernels.arithmetic import narrowed, widened
from quadrat.kernels.compiling import kernel
from quadrat.kernels.launching import BITS, ROW, TABLE, TABLES, Bits, Floats, bits, floats, threads

Ints = NDArray[np.int64]


def added(x: Tensor, y: Tensor, bias: Tensor) -> Tensor:
    """``x + y + bias`` of bfloat16 ``(B, W)``, contiguous, with one rounding."""
    result = torch.empty_like(x)
    _add(bits(x), bits(y), floats(bias), bits(result), threads())
    return result


def modulated(x: Tensor, y: Tensor, bias: Tensor, table: Tensor, rows: Tensor) -> Tensor:
    """``γ (x + y + bias) + β``.

    Args:
        x: bfloat16 ``(B, W)``, contiguous.
        y: The same.
        bias: ``(W,)``.
        table: γ and β side by side ``(T, 2 W)``.
        rows: The row of the table of each sample, int64 ``(B,)``.
    """
    if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < len(table):
        raise IndexError(f"rows of a table of {len(table)} are from {rows.min()} to {rows.max()}")
    result = torch.empty_like(x)
    _modulate(bits(x), bits(y), floats(bias), floats(table), rows.numpy(), bits(result), threads())
    return result


def modulated_back(
    gradient: Tensor, x: Tensor, y: Tensor, bias: Tensor, table: Tensor, rows: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of the sum ``(B, W)``, of the bias ``(W,)`` and of the table ``(T, 2 W)``."""
    found, parts = torch.empty_like(x), threads()
    sums = np.zeros((parts, *table.shape), np.float32)
    of_bias = np.zeros((parts, x.shape[1]), np.float32)
    _modulate_back(
        bits(gradient), bits(x), bits(y), floats(bias), floats(table), rows.numpy(), bits(found),
        of_bias, sums, parts,
    )  # fmt: skip
    return found, torch.from_numpy(of_bias.sum(axis=0)), torch.from_numpy(sums.sum(axis=0))


@kernel(void(BITS, BITS, ROW, BITS, int64))
def _add(x: Bits, y: Bits, bias: Floats, result: Bits, parts: int) -> None:
    count, width = x.shape
    for part in numba.prange(parts):
        for i in range(count * part // parts, count * (part + 1) // parts):
            for j in range(width):
                result[i, j] = narrowed(widened(x[i, j]) + widened(y[i, j]) + bias[j])


@kernel(void(BITS, BITS, ROW, TABLE, int64[::1], BITS, int64))
def _modulate(
    x: Bits, y: Bits, bias: Floats, table: Floats, rows: Ints, result: Bits, parts: int
) -> None:
    count, width = x.shape
    for part in numba.prange(parts):
        for i in range(count * part // parts, count * (part + 1) // parts):
            week = rows[i]
            for j in range(width):
                z = widened(x[i, j]) + widened(y[i, j]) + bias[j]
                result[i, j] = narrowed(table[week, j] * z + table[week, width + j])


@kernel(void(BITS, BITS, BITS, ROW, TABLE, int64[::1], BITS, TABLE, TABLES, int64))
def _modulate_back(
    gradient: Bits, x: Bits, y: Bits, bias: Floats, table: Floats, rows: Ints, found: Bits,
    of_bias: Floats, sums: Floats, parts: int,
) -> None:  # fmt: skip
    count, width = x.shape
    for part in numba.prange(parts):
        for i in range(count * part // parts, count * (part + 1) // parts):
            week = rows[i]
            for j in range(width):
                z = widened(x[i, j]) + widened(y[i, j]) + bias[j]
                d = widened(gradient[i, j])
                sums[part, week, j] += d * z
                sums[part, week, width + j] += d
                d *= table[week, j]
                of_bias[part, j] += d
                found[i, j] = narrowed(d)
