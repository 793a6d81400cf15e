"""Ways of looking at a photo: mirrored, turned, a part of it, at another size.

A kept encoder sees every look once, so that a finite set of them costs an encoding each; the mean
over several looks is test-time augmentation.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

from quadrat.photos.schema import TtaSection
from quadrat.photos.views.plan import D4, MIRRORED, Flips
from quadrat.runtime.images import WHOLE, Box, ImagePreprocessing

_KEPT = 0.8
"""Share of a photo's sides that the crops of test-time augmentation keep."""


@dataclass(frozen=True)
class Look:
    """One way of looking at photos.

    Attributes:
        flip: How photos are mirrored and turned.
        crop: What is seen of them.
        size: Height and width in pixels; None: as the encoder's preprocessing says.
    """

    flip: Flips = "none"
    crop: Box = WHOLE
    size: tuple[int, int] | None = None

    def resized(self, preprocessing: ImagePreprocessing) -> ImagePreprocessing:
        """What photos go through."""
        return preprocessing if self.size is None else replace(preprocessing, size=self.size)

    def to_json(self) -> dict[str, Any]:
        """The values as JSON holds them."""
        size = None if self.size is None else list(self.size)
        return {"flip": self.flip, "crop": list(self.crop), "size": size}


def looks_of(section: TtaSection) -> tuple[Look, ...]:
    """The looks that ``[tta]`` asks for; the plain one comes first."""
    base = [Look()]
    if section.kind == "flips":
        base = [Look(flip) for flip in MIRRORED["both"]]
    elif section.kind == "d4":
        base = [Look(flip) for flip in D4]
    elif section.kind == "crops":
        base = [Look(crop=crop) for crop in (WHOLE, *_corners())]
    sizes = [None, *section.sides]
    return tuple(replace(look, size=size) for size, look in itertools.product(sizes, base))


def _corners() -> list[Box]:
    """Crops in the four corners."""
    ends = ((0.0, _KEPT), (1.0 - _KEPT, 1.0))
    return [(x[0], y[0], x[1], y[1]) for y, x in itertools.product(ends, ends)]
