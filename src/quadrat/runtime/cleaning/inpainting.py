"""Filling marked pixels of a photo from their surroundings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from quadrat.runtime.cleaning.colours import Pixels
from quadrat.runtime.cleaning.masks import Mask

_NEIGHBOURS = ((-1, 0), (1, 0), (0, -1), (0, 1))
_ROUNDS = 2000
_SMALL = 1e-3


def inpaint(pixels: Pixels, mask: Mask) -> Pixels:
    """Replaces marked pixels by the steady state of a diffusion from the unmarked ones around.

    Every filled pixel is the mean of its four neighbours (Laplace's equation, ``Δu = 0``, with the
    unmarked pixels as boundary values and no flow through the border of the photo), so no filled
    value lies outside the values at the rim of its hole. Pixels that are not marked stay as they
    are, bit by bit. A photo that is marked all over has no rim and comes back unchanged.

    Args:
        pixels: ``(H, W, 3)``.
        mask: What to replace ``(H, W)``.

    Returns:
        A new array; the very same one where nothing is replaced.
    """
    if not mask.any() or mask.all():
        return pixels
    filled = pixels.copy()
    filled[mask] = np.clip(np.rint(_steady(pixels, mask)), 0, 255).astype(np.uint8)
    return filled


def _steady(pixels: Pixels, mask: Mask) -> NDArray[np.float64]:
    """The values of the marked pixels ``(K, 3)``, by conjugate gradients (Hestenes and Stiefel)."""
    rows, columns = np.nonzero(mask)
    count = len(rows)
    number = np.full(mask.shape, count)  # unmarked neighbours all read the zero after the last
    number[mask] = np.arange(count)
    degree, known = np.zeros((count, 1)), np.zeros((count, 3))
    others = np.full((len(_NEIGHBOURS), count), count)
    for place, (down, right) in enumerate(_NEIGHBOURS):
        y, x = rows + down, columns + right
        inside = np.flatnonzero((y >= 0) & (y < mask.shape[0]) & (x >= 0) & (x < mask.shape[1]))
        degree[inside] += 1.0
        others[place, inside] = number[y[inside], x[inside]]
        rim = inside[others[place, inside] == count]
        known[rim] += pixels[y[rim], x[rim]]

    def applied(values: NDArray[np.float64]) -> NDArray[np.float64]:
        ended = np.concatenate([values, np.zeros((1, 3))])
        result: NDArray[np.float64] = degree * values - ended[others].sum(axis=0)
        return result

    return _solved(applied, known)


def _solved(
    applied: Callable[[NDArray[np.float64]], NDArray[np.float64]], known: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Solves a positive definite system for three right sides ``(K, 3)`` at once.

    Args:
        applied: The matrix times a ``(K, 3)``.
        known: The right sides.
    """
    solved = np.zeros_like(known)
    rest = known - applied(solved)
    search, squared = rest.copy(), (rest**2).sum(axis=0)
    for _ in range(_ROUNDS):
        if np.abs(rest).max() < _SMALL:
            break
        ahead = applied(search)
        step = squared / np.maximum((search * ahead).sum(axis=0), 1e-300)
        solved = solved + step * search
        rest = rest - step * ahead
        before, squared = squared, (rest**2).sum(axis=0)
        search = rest + squared / np.maximum(before, 1e-300) * search
    return solved
