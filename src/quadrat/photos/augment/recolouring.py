"""Changes of a photo that leave its size: colours, rotation, and the strong ones of RandAugment.

Operations are those of torchvision's functional v2 transforms on Pillow images. What is drawn comes
from a generator of (seed, epoch, photo), so threads and resumed trainings see the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image
from torchvision.transforms.v2 import functional

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Strength:
    """How far photos are varied.

    Attributes:
        colour: Largest relative change of brightness, contrast and saturation.
        hue: Largest turn of the hue, as a share of the colour circle; green is straw at 0.1.
        rotate: Largest rotation in degrees.
        shrink: Largest share by which a photo is made smaller within its frame.
        operations: Number of RandAugment's operations.
        magnitude: Their strength, from 0 to 1.
    """

    colour: float = 0.0
    hue: float = 0.0
    rotate: float = 0.0
    shrink: float = 0.0
    operations: int = 0
    magnitude: float = 0.0

    def draw(self, generator: np.random.Generator) -> Change:
        """Draws how a photo is varied."""
        factors: tuple[float, ...] = ()
        if self.colour > 0.0:
            drawn = generator.uniform(1.0 - self.colour, 1.0 + self.colour, len(_COLOUR))
            factors = tuple(float(factor) for factor in drawn)
        turn = float(generator.uniform(-self.hue, self.hue)) if self.hue > 0.0 else 0.0
        operations = tuple(
            (int(place), float(self.magnitude * generator.choice((-1.0, 1.0))))
            for place in generator.choice(len(_STRONG), self.operations, replace=False)
        )
        degrees = float(generator.uniform(-self.rotate, self.rotate)) if self.rotate > 0.0 else 0.0
        scale = 1.0 - float(generator.uniform(0.0, self.shrink)) if self.shrink > 0.0 else 1.0
        return Change(factors, turn, operations, degrees, scale)


class Change(NamedTuple):
    """How one photo is varied.

    Attributes:
        factors: Of brightness, contrast and saturation; empty where colours stay.
        turn: Of the hue, as a share of the colour circle.
        operations: Which of RandAugment's, and how strong each is, with its direction.
        degrees: Rotation, anticlockwise.
        scale: How large the photo becomes within its frame.
    """

    factors: tuple[float, ...] = ()
    turn: float = 0.0
    operations: tuple[tuple[int, float], ...] = ()
    degrees: float = 0.0
    scale: float = 1.0

    def applied(self, image: Image.Image, fill: Colour) -> Image.Image:
        """A varied copy of a photo, of the same size.

        Args:
            image: In RGB.
            fill: Colour of what comes into the frame from outside.
        """
        if self.factors:
            for change, factor in zip(_COLOUR, self.factors, strict=True):
                image = change(image, factor)
        if self.turn != 0.0:
            image = functional.adjust_hue(image, self.turn)
        for place, strength in self.operations:
            image = _STRONG[place](image, strength)
        if self.degrees != 0.0:
            image = image.rotate(self.degrees, Image.Resampling.BILINEAR, fillcolor=fill)
        return image if self.scale == 1.0 else _shrunk(image, self.scale, fill)


def _shrunk(image: Image.Image, scale: float, fill: Colour) -> Image.Image:
    """A smaller copy in the middle of a frame of the same size: nothing of it is lost."""
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    frame = Image.new("RGB", image.size, fill)
    corner = (image.width - size[0]) // 2, (image.height - size[1]) // 2
    frame.paste(image.resize(size, Image.Resampling.BILINEAR), corner)
    return frame


_COLOUR: tuple[Callable[[Image.Image, float], Image.Image], ...] = (
    functional.adjust_brightness,
    functional.adjust_contrast,
    functional.adjust_saturation,
)


def _posterised(image: Image.Image, strength: float) -> Image.Image:
    posterised: Image.Image = functional.posterize(image, 8 - round(4 * abs(strength)))
    return posterised


def _solarised(image: Image.Image, strength: float) -> Image.Image:
    solarised: Image.Image = functional.solarize(image, 255 * (1.0 - 0.5 * abs(strength)))
    return solarised


# The operations of RandAugment (Cubuk et al. 2020) that move nothing: a photo that is sheared or
# shifted out of its frame has lost some of what its targets count.
_STRONG: tuple[Callable[[Image.Image, float], Image.Image], ...] = (
    lambda image, strength: functional.adjust_brightness(image, 1.0 + 0.9 * strength),
    lambda image, strength: functional.adjust_contrast(image, 1.0 + 0.9 * strength),
    lambda image, strength: functional.adjust_saturation(image, 1.0 + 0.9 * strength),
    lambda image, strength: functional.adjust_sharpness(image, 1.0 + 0.9 * strength),
    _posterised,
    _solarised,
    lambda image, strength: functional.autocontrast(image),
    lambda image, strength: functional.equalize(image),
)
