"""How intricate a picture is: the box-counting dimension of its edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

_BINS = 256
_FEWEST_SIZES = 3
"""Fewer points say little about a slope."""


def sobel_magnitude(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Steepness of a picture: the length of its Sobel gradient.

    Args:
        grey: Brightness ``(H, W)``.

    Returns:
        ``(H, W)``; beyond the border the picture goes on as its last pixels.
    """
    padded = np.pad(grey.astype(np.float32), 1, mode="edge")
    rows = padded[:-2] + 2.0 * padded[1:-1] + padded[2:]  # smoothed from top to bottom
    columns = padded[:, :-2] + 2.0 * padded[:, 1:-1] + padded[:, 2:]
    across, down = rows[:, 2:] - rows[:, :-2], columns[2:] - columns[:-2]
    steepness: NDArray[np.float32] = np.hypot(across, down)
    return steepness


def edges(grey: NDArray[np.float32]) -> Mask:
    """The edges of a picture: where it is steeper than Otsu's threshold (Otsu 1979).

    The threshold is the one that divides the picture's own steepness best into two classes, so it
    follows lighting and contrast. A picture of one colour has no edges.

    Args:
        grey: Brightness ``(H, W)``.
    """
    steepness = sobel_magnitude(grey)
    highest = float(steepness.max())
    if highest <= 0.0:
        return np.zeros(steepness.shape, dtype=bool)
    counts, bounds = np.histogram(steepness, bins=_BINS, range=(0.0, highest))
    middle = 0.5 * (bounds[:-1] + bounds[1:])
    below, mass = counts.cumsum(), (counts * middle).cumsum()
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = below * above * (mass / below - (mass[-1] - mass) / above) ** 2
    steep: Mask = steepness > bounds[1 + int(np.nanargmax(apart[:-1]))]
    return steep


def box_counts(mask: Mask, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many boxes of a grid hold a part of a set, for grids of several sizes.

    Args:
        mask: The set, as pixels ``(H, W)``.
        sizes: Sides of the boxes in pixels, ascending, each a multiple of the one before ``(S,)``.

    Returns:
        Counts ``(S,)``.
    """
    height, width = mask.shape
    largest = int(sizes[-1])
    padded = np.pad(mask, ((0, -height % largest), (0, -width % largest)))
    counts, side = [], 1
    for size in sizes.tolist():
        step = size // side
        rows, columns = padded.shape
        boxes = padded.reshape(rows // step, step, columns // step, step)
        padded, side = np.any(boxes, axis=(1, 3)), size
        counts.append(int(padded.sum()))
    return np.array(counts, dtype=np.int64)


def box_sizes(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Powers of two from 2 pixels, below which all is thick, to a quarter of the shorter side.

    Raises:
        ValueError: The picture is too small for a slope.
    """
    largest = min(shape) // 4
    sizes = 2 ** np.arange(1, max(largest, 1).bit_length())
    if len(sizes) < _FEWEST_SIZES:
        raise ValueError(
            f"a picture of {shape[1]} x {shape[0]} pixels is too small to count boxes in: its "
            f"shorter side must have {4 * 2**_FEWEST_SIZES} pixels"
        )
    return sizes


def fractal_dimension(mask: Mask) -> float:
    """The box-counting dimension of a set of pixels.

    The slope of ``log N(s)`` against ``log 1/s`` by least squares, where ``N(s)`` boxes of side
    ``s`` hold a part of the set (Falconer 2014, Fractal Geometry, section 2.1): 1 for a line, 2
    for a filled area, in between for what is more intricate than a line.

    Args:
        mask: The set ``(H, W)``.

    Returns:
        The dimension; 0 for the empty set.

    Raises:
        ValueError: The picture is too small for a slope.
    """
    sizes = box_sizes(mask.shape)
    if not mask.any():
        return 0.0
    finer = -np.log(sizes)
    counts = np.log(box_counts(mask, sizes))
    centred = finer - finer.mean()
    return float(centred @ counts / (centred @ centred))
