"""Dates that a camera burnt into a photo, found by their shape.

Straw has the colour of most date stamps, so colour alone finds nothing. What sets a stamp apart is
that it is *text*: at least five small figures of one height, drawn with thin strokes in one colour
family, standing in a row near an edge, with little of that colour above and below them. Where a
camera was held upright, the row runs up the side: it is found in the photo laid on its side.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from quadrat.runtime.cleaning.colours import (
    FAMILIES,
    Family,
    Pixels,
    belongs,
    hue_saturation_value,
)
from quadrat.runtime.cleaning.masks import (
    Boxes,
    Mask,
    Parts,
    connected_parts,
    depth,
    local_mean,
    widened,
)

WORKING_SIDE = 1024
"""Longest side in pixels at which photos are searched; larger ones are reduced for it."""

_LEAST_FIGURES = 5
_LEAST_GAPS = 2
_ZONE = 0.25
_HEIGHTS = (0.018, 0.11)
_LEAST_PIXELS = 7
_WIDTHS = (0.1, 0.95)
_USUAL = 0.65
_JOINED = 7.0
_FILL = (0.2, 0.97)
_STROKE = 0.17
_STEP = 0.2
_GAP = 2.0
_SLOPE = 0.06
_RESIDUAL = 0.1
_CONTRAST = 0.16
_CLUTTER = 0.35
_HALO = 0.09
_SLACK = 0.2
_LONGER = 3.0
_EDGE = 0.1
_SURE = 0.3
_ONE_STROKE = 3


@dataclass(frozen=True)
class Stamp:
    """A line of figures found in a photo.

    Attributes:
        box: Left, top, right and bottom in pixels; right and bottom are outside.
        colour: Name of its colour family.
        figures: How many figures of full height were found in it.
    """

    box: tuple[int, int, int, int]
    colour: str
    figures: int


def find_stamps(pixels: Pixels) -> tuple[tuple[Stamp, ...], Mask]:
    """Looks for burnt-in dates.

    Args:
        pixels: A photo, upright, ``(H, W, 3)``.

    Returns:
        The stamps, and the mask ``(H, W)`` of the pixels that they cover, with the halo that
        compression leaves around them.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, WORKING_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    working = pixels
    if scale < 1.0:
        working = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))
    stamps, mask = _searched(working)
    found = tuple(
        replace(stamp, box=_scaled(stamp.box, 1.0 / scale, width, height)) for stamp in stamps
    )
    if scale < 1.0 and found:
        mask = np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST))
        mask = widened(mask, round(0.5 / scale))
    elif scale < 1.0:
        mask = np.zeros((height, width), dtype=bool)
    return found, mask


def _searched(pixels: Pixels) -> tuple[list[Stamp], Mask]:
    """The stamps of a photo, level ones and those that run up a side, and their pixels."""
    hsv, contrast = hue_saturation_value(pixels), _contrast(pixels)
    stamps, mask = [], np.zeros(contrast.shape, dtype=bool)
    for name, family in FAMILIES.items():
        surely = belongs(hsv, family) & (contrast > _CONTRAST)
        loosely = belongs(hsv, family, _EDGE) & (contrast > _CONTRAST)
        parts = [connected_parts(reading) for reading in (surely, _with_edges(surely, loosely))]
        for line in _more_figures(*(_lines(reading) for reading in parts)):
            box = _extent(line, mask.shape)
            stamps.append(Stamp(box, name, len(line)))
            mask |= _covered(hsv, contrast, family, line, box)
        for line in _more_figures(*(_lines(reading.transposed()) for reading in parts)):
            box = _extent(line, mask.T.shape)
            stamps.append(Stamp((box[1], box[0], box[3], box[2]), name, len(line)))
            mask |= _covered(hsv.transpose(0, 2, 1), contrast.T, family, line, box).T
    return stamps, mask


def _contrast(pixels: Pixels) -> NDArray[np.float32]:
    """Largest difference of a channel from the mean of its surroundings, 0 to 1, ``(H, W)``."""
    colours = pixels.astype(np.float32) / 255.0
    side = max(9, pixels.shape[0] // 8) | 1
    found = np.zeros(pixels.shape[:2], dtype=np.float32)
    for channel in np.moveaxis(colours, 2, 0):
        np.maximum(found, np.abs(channel - local_mean(channel, side)), out=found)
    return found


def _with_edges(surely: Mask, loosely: Mask) -> Mask:
    """The parts of a loose mask of which enough is sure.

    A compressed photo holds colours at half its size, so thin strokes lose some of theirs.
    """
    parts = connected_parts(loosely)
    sure = np.bincount(parts.labels[loosely], surely[loosely], minlength=len(parts.areas))
    found = loosely.copy()
    found[loosely] = (sure >= _SURE * parts.areas)[parts.labels[loosely]]
    return found


def _more_figures(*readings: Sequence[Boxes]) -> Sequence[Boxes]:
    """The reading with the most figures, the first of equals."""
    return max(readings, key=lambda lines: sum(len(line) for line in lines))


def _lines(parts: Parts) -> list[Boxes]:
    """The rows of figures among the parts of a mask: the boxes ``(K, 4)`` of each."""
    figures, mask = _figures(parts), parts.labels >= 0
    taken = np.zeros(len(figures), dtype=bool)
    lines = []
    for seed in range(len(figures)):
        if taken[seed]:
            continue
        chain = _chain(figures, seed, taken)
        line = figures[chain]
        if _is_row(line) and _stands_alone(mask, line):
            taken[chain] = True
            lines.append(line)
    return lines


def _figures(parts: Parts) -> Boxes:
    """Boxes of the parts that are as large, wide and thin as figures near an edge, from the left.

    A figure is as high as the eye can read, and near an edge means wholly in the upper or the
    lower quarter.
    """
    rows = parts.labels.shape[0]
    left, top, right, bottom = parts.boxes.T
    height, width = bottom - top, right - left
    tall = (height >= max(_LEAST_PIXELS, _HEIGHTS[0] * rows)) & (height <= _HEIGHTS[1] * rows)
    near = (bottom <= _ZONE * rows) | (top >= (1.0 - _ZONE) * rows)
    narrow = (width >= _WIDTHS[0] * height) & (width <= _JOINED * height)
    fill = parts.areas / np.maximum(height * width, 1)
    drawn = ((fill >= _FILL[0]) & (fill <= _FILL[1])) | (width <= _ONE_STROKE)
    chosen = [
        place
        for place in np.flatnonzero(tall & near & narrow & drawn)
        if _half_stroke(parts, int(place)) <= _STROKE * height[place] + 0.5
    ]
    boxes = np.concatenate([_parted(parts, int(place)) for place in chosen] or [parts.boxes[:0]])
    return boxes[np.lexsort((boxes[:, 1], boxes[:, 0]))]


def _parted(parts: Parts, place: int) -> Boxes:
    """The box of a part, or the boxes of the figures that touch each other in it.

    It is cut into pieces of a figure's usual width. Each keeps its own top and bottom, so that the
    pieces of a blade that lies aslant do not stand in a row.
    """
    left, top, right, bottom = parts.boxes[place]
    height, width = bottom - top, right - left
    if width <= _WIDTHS[1] * height:
        return parts.boxes[place : place + 1]
    cuts = np.linspace(left, right, 1 + round(width / (_USUAL * height))).round().astype(np.int64)
    pieces = []
    for start, stop in itertools.pairwise(cuts):
        rows = np.flatnonzero((parts.labels[top:bottom, start:stop] == place).any(axis=1))
        if len(rows):
            pieces.append((start, top + rows[0], stop, top + rows[-1] + 1))
    return np.array(pieces, dtype=np.int64)


def _half_stroke(parts: Parts, place: int) -> int:
    """Half the width of a part's thickest stroke, in pixels."""
    left, top, right, bottom = parts.boxes[place]
    return depth(parts.labels[top:bottom, left:right] == place)


def _chain(figures: Boxes, seed: int, taken: Mask) -> list[int]:
    """The figures in a row to the right of one, each of the height of the one before it."""
    chain, heights = [seed], figures[:, 3] - figures[:, 1]
    height = float(heights[seed])
    for place in range(seed + 1, len(figures)):
        last = figures[chain[-1]]
        gap = figures[place, 0] - last[2]
        if gap > _GAP * height:
            break
        off = np.abs(figures[place, [1, 3]] - last[[1, 3]])
        if not taken[place] and gap >= -1 and (off <= max(1.5, _STEP * height)).all():
            chain.append(place)
            height = float(np.median(heights[chain]))
    return chain


def _is_row(line: Boxes) -> bool:
    """Whether boxes are enough, not all pieces of one or two parts, and in a straight row."""
    apart = int((line[1:, 0] > line[:-1, 2]).sum())
    return len(line) >= _LEAST_FIGURES and apart >= _LEAST_GAPS and _is_straight(line)


def _is_straight(line: Boxes) -> bool:
    """Whether the tops and bottoms of figures lie on two straight, nearly level lines."""
    height = float(np.median(line[:, 3] - line[:, 1]))
    middle = 0.5 * (line[:, 0] + line[:, 2])
    for side in (1, 3):
        slope, offset = np.polyfit(middle, line[:, side], 1)
        residual = line[:, side] - (slope * middle + offset)
        if abs(slope) > _SLOPE or np.sqrt(np.mean(residual**2)) > _RESIDUAL * height + 0.3:
            return False
    return True


def _stands_alone(mask: Mask, line: Boxes) -> bool:
    """Whether the colour is rare just above and below the figures, as it is not among straw."""
    left, top, right, bottom = _around(line)
    margin = max(2, round(0.15 * (bottom - top)))
    reach = max(4, round(0.6 * (bottom - top)))
    inside = mask[top:bottom, left:right].mean()
    above = mask[max(0, top - margin - reach) : max(0, top - margin), left:right]
    below = mask[bottom + margin : bottom + margin + reach, left:right]
    outside = np.concatenate([above, below])
    return bool(outside.size == 0 or outside.mean() <= _CLUTTER * inside)


def _around(line: Boxes) -> tuple[int, int, int, int]:
    left, top = line[:, :2].min(axis=0)
    right, bottom = line[:, 2:].max(axis=0)
    return int(left), int(top), int(right), int(bottom)


def _extent(line: Boxes, shape: Sequence[int]) -> tuple[int, int, int, int]:
    """The box of a whole line: longer on both sides, for marks and for figures that were lost."""
    left, top, right, bottom = _around(line)
    height = bottom - top
    margin = max(2, round(_HALO * height) + 1)
    longer = round(_LONGER * height)
    return (
        max(0, left - longer),
        max(0, top - margin),
        min(shape[1], right + longer),
        min(shape[0], bottom + margin),
    )


def _covered(
    hsv: NDArray[np.float32],
    contrast: NDArray[np.float32],
    family: Family,
    line: Boxes,
    box: tuple[int, int, int, int],
) -> Mask:
    """The pixels of a line and their halo, within its box."""
    left, top, right, bottom = box
    window = (slice(top, bottom), slice(left, right))
    found = belongs(hsv[:, *window], family, _SLACK) & (contrast[window] > 0.5 * _CONTRAST)
    halo = max(1, round(_HALO * float(np.median(line[:, 3] - line[:, 1]))))
    mask = np.zeros(contrast.shape, dtype=bool)
    mask[window] = widened(found, halo)
    return mask


def _scaled(
    box: tuple[int, int, int, int], factor: float, width: int, height: int
) -> tuple[int, int, int, int]:
    left, top, right, bottom = (round(side * factor) for side in box)
    return left, top, min(right, width), min(bottom, height)
