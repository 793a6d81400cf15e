"""Which parts of a photo a network sees: the whole, halves, tiles or crops."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quadrat.photos.samples.loading import Samples
from quadrat.photos.schema import ViewsSection
from quadrat.runtime.images import WHOLE, Box

Flips = Literal[
    "none",
    "horizontal",
    "vertical",
    "both",
    "transposed",
    "transposed-horizontal",
    "transposed-vertical",
    "transposed-both",
]
"""Axes along which a photo is mirrored, once it is transposed where so named."""

MIRRORED: dict[str, tuple[Flips, ...]] = {
    "none": ("none",),
    "horizontal": ("none", "horizontal"),
    "vertical": ("none", "vertical"),
    "both": ("none", "horizontal", "vertical", "both"),
}
"""Value of ``augment.flips`` → the mirrorings of a photo that training draws from."""

D4: tuple[Flips, ...] = (
    *MIRRORED["both"],
    "transposed",
    "transposed-horizontal",
    "transposed-vertical",
    "transposed-both",
)
"""The eight symmetries of a square: four mirrorings, upright and turned."""

_CROP_SEED = 20_001


class View(NamedTuple):
    """One part of one photo.

    Attributes:
        path: The photo.
        slot: Which of the plan's parts it is.
    """

    path: Path
    slot: int


@dataclass(frozen=True)
class SeenViews:
    """The views of B samples, in the order of the samples.

    Attributes:
        views: ``V`` views.
        owner: Position of each view's sample ``(V,)``, ascending.
        slot: Which part of a photo each view is ``(V,)``.
    """

    views: tuple[View, ...]
    owner: NDArray[np.int64]
    slot: NDArray[np.int64]


@dataclass(frozen=True)
class ViewPlan:
    """The parts of a photo, each a view.

    Attributes:
        boxes: Each part's (left, top, right, bottom) as shares of the photo's sides.
        extra: How many further photos are beside each; they are seen whole, in slots behind those
            of the parts.
        apart: Whether each part is a sample of its own.
    """

    boxes: tuple[Box, ...] = (WHOLE,)
    extra: int = 0
    apart: bool = False

    @classmethod
    def of(cls, section: ViewsSection) -> ViewPlan:
        """The parts that ``[views]`` asks for."""
        boxes: tuple[Box, ...] = (WHOLE,)
        if section.kind == "halves":
            boxes = _tiles(1, 2)
        elif section.kind == "tiles":
            boxes = _tiles(*section.tiles)
        elif section.kind == "crops":
            boxes = (WHOLE, *_crops(section.crops, section.crop_side))
        return cls(boxes, len(section.extra), section.as_samples)

    @property
    def slots(self) -> int:
        """How many views a photo has: its parts, and the photos beside it."""
        return len(self.boxes) + self.extra

    @property
    def parts(self) -> int:
        """How many samples a sample of the table becomes."""
        return self.slots if self.apart else 1

    def see(self, samples: Samples) -> SeenViews:
        """The views of samples: of each photo all parts and what is beside it, in line."""
        if samples.slots is not None:
            pairs = zip(samples.paths, samples.slots.tolist(), strict=True)
            parts = tuple(View(paths[0], slot) for paths, slot in pairs)
            return SeenViews(parts, np.arange(len(samples), dtype=np.int64), samples.slots)
        counts = [len(paths) for paths in samples.paths]
        views = tuple(
            View(path, slot)
            for photos in samples.shots()
            for photo in photos
            for slot, path in enumerate([*photo[:1] * len(self.boxes), *photo[1:]])
        )
        owner = np.repeat(np.arange(len(samples), dtype=np.int64), np.array(counts) * self.slots)
        return SeenViews(views, owner, np.tile(np.arange(self.slots), sum(counts)))

    def box(self, slot: int, flip: Flips) -> Box:
        """Where a part lies in a photo that is mirrored once the part is cut out.

        The left half of a mirrored photo is the mirrored right half: so mirroring swaps halves.
        """
        left, top, right, bottom = self.boxes[slot] if slot < len(self.boxes) else WHOLE
        if flip.endswith(("horizontal", "both")):
            left, right = 1.0 - right, 1.0 - left
        if flip.endswith(("vertical", "both")):
            top, bottom = 1.0 - bottom, 1.0 - top
        if flip.startswith("transposed"):
            return top, left, bottom, right
        return left, top, right, bottom


def mirrored(view: NDArray[np.float32], flip: Flips) -> NDArray[np.float32]:
    """A view ``(3, H, W)`` mirrored along axes; one that is transposed becomes ``(3, W, H)``."""
    if flip.startswith("transposed"):
        view = view.transpose(0, 2, 1)
    if flip.endswith(("horizontal", "both")):
        view = view[:, :, ::-1]
    return view[:, ::-1] if flip.endswith(("vertical", "both")) else view


def _tiles(rows: int, columns: int) -> tuple[Box, ...]:
    """Equal tiles, row by row."""
    return tuple(
        (column / columns, row / rows, (column + 1) / columns, (row + 1) / rows)
        for row, column in itertools.product(range(rows), range(columns))
    )


def _crops(count: int, side: float) -> tuple[Box, ...]:
    """Seeded squares of the photo's proportions; the same in every run."""
    corners = np.random.default_rng(_CROP_SEED).uniform(0.0, 1.0 - side, (count, 2))
    return tuple((float(x), float(y), float(x) + side, float(y) + side) for x, y in corners)
