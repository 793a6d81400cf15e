"""What changes when a part of a photo is covered."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from quadrat.photos.explain.subject import Subject

Array = NDArray[np.float64]

GRID = 8
_AT_ONCE = 16


def occlusion(subject: Subject, grid: int = GRID) -> Array:
    """How much each place adds to the predictions, ``(V, g, g, T)`` in the targets' units.

    A view is divided into g × g patches; each in turn takes the mean colour of the view, and the
    change of the prediction is what the patch had added (Zeiler and Fergus 2014, "Visualizing and
    understanding convolutional networks", ECCV).

    Args:
        subject: The sample.
        grid: g.
    """
    whole = subject.say(subject.pixels)
    views, _, height, width = subject.pixels.shape
    rows, columns = (np.linspace(0, side, grid + 1).round().astype(int) for side in (height, width))
    boxes = [
        (view, slice(rows[y], rows[y + 1]), slice(columns[x], columns[x + 1]))
        for view in range(views)
        for y in range(grid)
        for x in range(grid)
    ]
    said = [
        subject.say(_covered(subject.pixels, boxes[first : first + _AT_ONCE]))
        for first in range(0, len(boxes), _AT_ONCE)
    ]
    added: Array = (whole - np.concatenate(said)).reshape(views, grid, grid, -1)
    return added


def _covered(pixels: Tensor, boxes: list[tuple[int, slice, slice]]) -> Tensor:
    """All views once for each box, whose pixels have the mean colour of their view."""
    copies = pixels[None].repeat(len(boxes), 1, 1, 1, 1)
    for copy, (view, rows, columns) in zip(copies, boxes, strict=True):
        copy[view, :, rows, columns] = pixels[view].mean(dim=(1, 2))[:, None, None]
    return copies.flatten(0, 1)
