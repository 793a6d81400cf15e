"""Cleaning a photo before anything looks at it: date stamps filled in, the bottom cut off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from quadrat.runtime.cleaning.inpainting import inpaint
from quadrat.runtime.cleaning.stamps import Stamp, find_stamps

_READABLE_SIDE = 768
"""Decoded smaller than this, the strokes of a date fade into their surroundings."""


class Cleaned(NamedTuple):
    """A photo after cleaning, and what was done to it.

    Attributes:
        image: The photo; the very object that was given where nothing was done.
        stamps: The dates that were found and filled in, in pixels of the photo as it was given.
        inpainted: Share of the pixels that were filled in.
        rows_cropped: Rows of pixels that were cut off at the bottom.
    """

    image: Image.Image
    stamps: tuple[Stamp, ...] = ()
    inpainted: float = 0.0
    rows_cropped: int = 0


@dataclass(frozen=True)
class Cleaning:
    """What to do with every photo, in training and ever after.

    Args:
        stamps: Find burnt-in dates and fill them from their surroundings.
        bottom_crop: Share of the height to cut off at the bottom, where a tripod or feet stand.
    """

    stamps: bool = False
    bottom_crop: float = 0.0

    def __bool__(self) -> bool:
        return self.stamps or self.bottom_crop > 0.0

    def decoded(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width that a photo must be decoded for, to be cleaned and then resized."""
        height, width = (round(size[0] / (1.0 - self.bottom_crop)), size[1])
        if not self.stamps:
            return height, width
        return max(height, _READABLE_SIDE), max(width, _READABLE_SIDE)

    def clean(self, image: Image.Image) -> Cleaned:
        """Cleans a photo.

        Args:
            image: Upright, in RGB.
        """
        cleaned, inpainted = image, 0.0
        stamps: tuple[Stamp, ...] = ()
        if self.stamps:
            pixels = np.asarray(image)
            stamps, mask = find_stamps(pixels)
            if stamps:
                cleaned, inpainted = Image.fromarray(inpaint(pixels, mask)), float(mask.mean())
        rows = min(round(self.bottom_crop * image.height), image.height - 1)
        if rows:
            cleaned = cleaned.crop((0, 0, image.width, image.height - rows))
        return Cleaned(cleaned, stamps, inpainted, rows)

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON holds them; what they decide, such as features, must name them."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Cleaning:
        """The inverse of `to_json`."""
        return cls(bool(values["stamps"]), float(values["bottom_crop"]))


NOTHING = Cleaning()
"""Photos stay as they are."""
