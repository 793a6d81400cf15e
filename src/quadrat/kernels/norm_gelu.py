"""LayerNorm, GELU and dropout of rows in one pass, and back in another.

PyTorch takes seven passes for them, each through the processor's memory, and keeps what lies
between; here only what came in is kept, and the rest is computed again on the way back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import torch
from numba import boolean, float32, int64, uint32, void
from torch import Tensor

from quadrat.kernels.arithmetic import DENSITY, narrowed, normal, scattered, widened
from quadrat.kernels.compiling import kernel
from quadrat.kernels.launching import BITS, ROW, TABLE, TABLES, Bits, Floats, bits, floats, threads

_LEVELS = 256


@dataclass(frozen=True)
class NormGelu:
    """``dropout(gelu(norm(x + bias)))`` of rows.

    Args:
        bias: Added first, float32 ``(W,)``.
        weight: Of the norm ``(W,)``.
        shift: Of the norm ``(W,)``.
        epsilon: Added to the variance.
        dropped: How many of 256 values become zero.
        seed: Draws them, a number of 32 bits.
    """

    bias: Tensor
    weight: Tensor
    shift: Tensor
    epsilon: float
    dropped: int = 0
    seed: int = 0

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The result ``(B, W)``, and the mean and the inverse deviation of every row ``(B, 2)``.

        Args:
            x: bfloat16 ``(B, W)``, contiguous.
        """
        result = torch.empty_like(x)
        moments = torch.empty(len(x), 2)
        _forward(
            bits(x), *self._numbers(), np.float32(self.epsilon), *self._dropout(),
            bits(result), moments.numpy(), threads(),
        )  # fmt: skip
        return result, moments

    def backward(
        self, gradient: Tensor, x: Tensor, moments: Tensor, skipped: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The gradient of x ``(B, W)``, and of weight, shift and bias, float32 ``(3, W)``.

        Args:
            gradient: Of the result, bfloat16 ``(B, W)``, contiguous.
            x: As it was given.
            moments: From `forward`.
            skipped: A gradient that reaches x by another way, and is added.
        """
        found, parts = torch.empty_like(x), threads()
        sums = np.zeros((parts, 3, x.shape[1]), np.float32)
        other = gradient if skipped is None else skipped
        _backward(
            bits(gradient), bits(x), *self._numbers(), *self._dropout(), moments.numpy(),
            bits(other), skipped is not None, bits(found), sums, parts,
        )  # fmt: skip
        return found, torch.from_numpy(sums.sum(axis=0))

    def _numbers(self) -> tuple[Floats, Floats, Floats]:
        return floats(self.bias), floats(self.weight), floats(self.shift)

    def _dropout(self) -> tuple[np.uint32, np.uint32, np.float32]:
        """Words below which a value is dropped, their seed, and the factor of the others."""
        limit = np.uint32(self.dropped << 24)
        return limit, np.uint32(self.seed), np.float32(_LEVELS / (_LEVELS - self.dropped))


@kernel(void(BITS, ROW, ROW, ROW, float32, uint32, uint32, float32, BITS, TABLE, int64))
def _forward(
    x: Bits, bias: Floats, weight: Floats, shift: Floats, epsilon: np.float32,
    limit: np.uint32, seed: np.uint32, scale: np.float32,
    result: Bits, moments: Floats, parts: int,
) -> None:  # fmt: skip
    count, width = x.shape
    for part in numba.prange(parts):
        row = np.empty(width, np.float32)
        for i in range(count * part // parts, count * (part + 1) // parts):
            total, squares = np.float32(0), np.float32(0)
            for j in range(width):
                row[j] = widened(x[i, j]) + bias[j]
                total += row[j]
            mean = total / np.float32(width)
            for j in range(width):
                squares += (row[j] - mean) * (row[j] - mean)
            inverse = np.float32(1) / np.sqrt(squares / np.float32(width) + epsilon)
            moments[i, 0], moments[i, 1] = mean, inverse
            first = np.uint32(i * width)
            for j in range(width):
                u = (row[j] - mean) * inverse * weight[j] + shift[j]
                below, _ = normal(u)
                y = u * below
                if limit > np.uint32(0):
                    kept = scattered(np.uint32(first + np.uint32(j)), seed) >= limit
                    y = y * scale if kept else np.float32(0)
                result[i, j] = narrowed(y)


@kernel(
    void(
        BITS, BITS, ROW, ROW, ROW, uint32, uint32, float32, TABLE, BITS, boolean, BITS, TABLES,
        int64,
    )
)  # fmt: skip
def _backward(
    gradient: Bits, x: Bits, bias: Floats, weight: Floats, shift: Floats,
    limit: np.uint32, seed: np.uint32, scale: np.float32, moments: Floats,
    skipped: Bits, add_skipped: bool, found: Bits, sums: Floats, parts: int,
) -> None:  # fmt: skip
    count, width = x.shape
    for part in numba.prange(parts):
        normed, slope = np.empty(width, np.float32), np.empty(width, np.float32)
        own = np.zeros((3, width), np.float32)
        for i in range(count * part // parts, count * (part + 1) // parts):
            mean, inverse = moments[i, 0], moments[i, 1]
            first = np.uint32(i * width)
            total, along = np.float32(0), np.float32(0)
            for j in range(width):
                h = (widened(x[i, j]) + bias[j] - mean) * inverse
                u = h * weight[j] + shift[j]
                below, bell = normal(u)
                d = widened(gradient[i, j]) * (below + u * DENSITY * bell)
                if limit > np.uint32(0):
                    kept = scattered(np.uint32(first + np.uint32(j)), seed) >= limit
                    d = d * scale if kept else np.float32(0)
                own[0, j] += d * h
                own[1, j] += d
                d *= weight[j]
                normed[j], slope[j] = h, d
                total += d
                along += d * h
            total /= np.float32(width)
            along /= np.float32(width)
            for j in range(width):
                d = inverse * (slope[j] - total - normed[j] * along)
                own[2, j] += d
                if add_skipped:
                    d += widened(skipped[i, j])
                found[i, j] = narrowed(d)
        sums[part] = own
