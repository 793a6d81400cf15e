"""A species network for one sample: products of vector and matrix, and all between them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from quadrat.kernels.arithmetic import normal
from quadrat.kernels.compiling import inlined, serial_kernel
from quadrat.kernels.launching import Floats

_COLUMNS = 4096
"""Results that are summed up together: they stay in the processor's nearest cache."""


class Blocks(NamedTuple):
    """Parameters of N residual blocks of the same width.

    Args:
        norms: Weight and shift of both norms ``(N, 2, 2, W)``.
        matrices: Of both layers, inputs first ``(N, 2, W, W)``.
        biases: ``(N, 2, W)``.
    """

    norms: Floats
    matrices: Floats
    biases: Floats


class Weights(NamedTuple):
    """Parameters of a network without a habitat head.

    Args:
        first: Matrix ``(I, W)`` and bias of the layer that reads the place.
        trunk: The blocks that the week modulates.
        weeks: γ and β of each block and week ``(N, 49, 2 W)``.
        norm: Weight and shift after the trunk ``(2, W)``.
        head: The blocks of the species head.
        last_norm: ``(2, W)``.
        bottleneck: Matrix ``(W, b)`` and bias.
        species: Matrix ``(b, S)`` and bias.
    """

    first: tuple[Floats, Floats]
    trunk: Blocks
    weeks: Floats
    norm: Floats
    head: Blocks
    last_norm: Floats
    bottleneck: tuple[Floats, Floats]
    species: tuple[Floats, Floats]


@serial_kernel
def logits_of_one(read: Floats, week: int, weights: Weights, epsilon: np.float32) -> Floats:
    """Log odds of all species ``(S,)`` from what is read of a place ``(I,)``."""
    x = _product(read, *weights.first)
    width = len(x)
    for n in range(len(weights.weeks)):
        _add_block(x, weights.trunk, n, epsilon)
        for j in range(width):
            x[j] = x[j] * weights.weeks[n, week, j] + weights.weeks[n, week, width + j]
    x = _normed(x, weights.norm, epsilon)
    for n in range(len(weights.head.biases)):
        _add_block(x, weights.head, n, epsilon)
    bottleneck = _product(_normed(x, weights.last_norm, epsilon), *weights.bottleneck)
    _bend(bottleneck)
    logits: Floats = _product(bottleneck, *weights.species)
    return logits


@inlined
def _add_block(x: Floats, blocks: Blocks, n: int, epsilon: np.float32) -> None:
    inner = x
    for layer in range(2):
        bent = _normed(inner, blocks.norms[n, layer], epsilon)
        _bend(bent)
        inner = _product(bent, blocks.matrices[n, layer], blocks.biases[n, layer])
    for j in range(len(x)):
        x[j] += inner[j]


@inlined
def _normed(x: Floats, norm: Floats, epsilon: np.float32) -> Any:
    total, squares = np.float32(0), np.float32(0)
    for j in range(len(x)):
        total += x[j]
    mean = total / np.float32(len(x))
    for j in range(len(x)):
        squares += (x[j] - mean) * (x[j] - mean)
    inverse = np.float32(1) / np.sqrt(squares / np.float32(len(x)) + epsilon)
    found = np.empty(len(x), np.float32)
    for j in range(len(x)):
        found[j] = (x[j] - mean) * inverse * norm[0, j] + norm[1, j]
    return found


@inlined
def _bend(x: Floats) -> None:
    for j in range(len(x)):
        below, _ = normal(x[j])
        x[j] *= below


@inlined
def _product(x: Floats, matrix: Floats, bias: Floats) -> Any:
    found = bias.copy()
    whole = len(x) // 4 * 4
    for start in range(0, len(bias), _COLUMNS):
        part = found[start : start + _COLUMNS]
        for i in range(0, whole, 4):  # four rows at once, so that results are rarely touched
            a, b = matrix[i, start:], matrix[i + 1, start:]
            c, d = matrix[i + 2, start:], matrix[i + 3, start:]
            for j in range(len(part)):
                part[j] += x[i] * a[j] + x[i + 1] * b[j] + x[i + 2] * c[j] + x[i + 3] * d[j]
        for i in range(whole, len(x)):
            a = matrix[i, start:]
            for j in range(len(part)):
                part[j] += x[i] * a[j]
    return found
