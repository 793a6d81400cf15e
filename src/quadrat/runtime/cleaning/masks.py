"""Masks of pixels: their connected parts, widening them, and means over squares."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Boxes = NDArray[np.int64]


class Parts(NamedTuple):
    """The connected parts of a mask ``(H, W)``; pixels that touch at a corner are connected.

    Attributes:
        labels: The number of each pixel's part, from 0; -1 outside ``(H, W)``.
        boxes: Left, top, right and bottom of each, right and bottom outside ``(K, 4)``.
        areas: Their numbers of pixels ``(K,)``.
    """

    labels: NDArray[np.int64]
    boxes: Boxes
    areas: NDArray[np.int64]

    def transposed(self) -> Parts:
        """The parts of the transposed mask ``(W, H)``, by the same numbers."""
        return Parts(self.labels.T, self.boxes[:, [1, 0, 3, 2]], self.areas)


def connected_parts(mask: Mask) -> Parts:
    """Finds the connected parts, by joining the runs of pixels in rows that touch."""
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), dtype=np.int8)
    padded[:, 1:-1] = mask
    steps = np.diff(padded, axis=1)
    rows, starts = np.nonzero(steps == 1)
    stops = np.nonzero(steps == -1)[1]
    owner = _roots(len(rows), *_touching(rows, starts, stops, mask.shape[1]))
    names, part = np.unique(owner, return_inverse=True)
    boxes = np.empty((len(names), 4), dtype=np.int64)
    boxes[:, :2], boxes[:, 2:] = max(mask.shape), 0
    np.minimum.at(boxes[:, 0], part, starts)
    np.minimum.at(boxes[:, 1], part, rows)
    np.maximum.at(boxes[:, 2], part, stops)
    np.maximum.at(boxes[:, 3], part, rows + 1)
    labels = np.full(mask.shape, -1, dtype=np.int64)
    labels[mask] = np.repeat(part, stops - starts)
    return Parts(labels, boxes, np.bincount(labels[mask], minlength=len(names)))


def _touching(
    rows: NDArray[np.int64], starts: NDArray[np.int64], stops: NDArray[np.int64], width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of runs, the one in the row below the other, that touch."""
    # One number line for all rows: runs above a run are those whose ends lie around it there.
    stride = width + 2
    above = (rows - 1) * stride
    first = np.searchsorted(rows * stride + stops, above + starts, side="left")
    last = np.searchsorted(rows * stride + starts, above + stops, side="right")
    count = np.maximum(last - first, 0)
    lower = np.repeat(np.arange(len(rows)), count)
    within = np.arange(len(lower)) - np.repeat(np.cumsum(count) - count, count)
    return lower, first[lower] + within


def _roots(count: int, ones: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.int64]:
    """The smallest member of each one's group, where pairs are in one group."""
    root = np.arange(count)
    while True:
        smaller = np.minimum(root[ones], root[others])
        joined = root.copy()
        np.minimum.at(joined, root[ones], smaller)
        np.minimum.at(joined, root[others], smaller)
        joined = joined[joined]
        if np.array_equal(joined, root):
            return root
        root = joined


def widened(mask: Mask, steps: int) -> Mask:
    """A mask with all pixels that are at most so many steps up, down, left and right away."""
    for _ in range(steps):
        wider = mask.copy()
        wider[1:] |= mask[:-1]
        wider[:-1] |= mask[1:]
        wider[:, 1:] |= mask[:, :-1]
        wider[:, :-1] |= mask[:, 1:]
        mask = wider
    return mask


def depth(mask: Mask) -> int:
    """How often a mask's rim, corners included, can be taken off before nothing is left."""
    steps, left = 0, np.pad(mask, 1)
    while left.any():
        steps += 1
        across = left[:, :-2] & left[:, 1:-1] & left[:, 2:]
        left = np.pad(across[:-2] & across[1:-1] & across[2:], 1)
    return steps


def local_mean(values: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """The mean of the part of a square around each pixel that lies in the picture.

    Args:
        values: ``(H, W)``.
        side: Of the square, in pixels, odd.
    """
    reach = side // 2
    sums = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    sums[1:, 1:] = values.cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    top, bottom = _window(values.shape[0], reach)
    left, right = _window(values.shape[1], reach)
    total = (
        sums[bottom][:, right] - sums[top][:, right] - sums[bottom][:, left] + sums[top][:, left]
    )
    mean = total / np.outer(bottom - top, right - left)
    found: NDArray[np.float32] = mean.astype(np.float32)
    return found


def _window(length: int, reach: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    places = np.arange(length)
    return np.maximum(places - reach, 0), np.minimum(places + reach + 1, length)
