"""How a photo is varied in an epoch: what is cut out of it, and how that is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from quadrat.photos.augment.recolouring import Change, Colour, Strength
from quadrat.photos.cleaning.simulation import simulate_marks
from quadrat.photos.schema import AugmentSection
from quadrat.runtime.images import WHOLE, Box

POLICIES = {
    "none": Strength(),
    "gentle": Strength(colour=0.1, hue=0.02),
    "randaugment": Strength(operations=2, magnitude=0.3),
    "strong": Strength(colour=0.3, hue=0.03, rotate=15.0, operations=1, magnitude=0.3),
}
"""Value of ``augment.policy`` → what it means, where no key says otherwise."""

_CROPS, _LOOKS, _STAMPS = 1, 2, 3
"""Streams of random numbers: where photos are cut, how they look and which marks they bear do not
depend on each other."""


@dataclass(frozen=True)
class Variation:
    """Draws how photos are varied, from (seed, epoch, photo) alone.

    Attributes:
        strength: How far colours and positions are varied.
        crop: Smallest share of a photo's area that a random crop keeps; 1 crops nothing.
        stamps: Probability of a date, and of red dots, drawn into what is seen of a photo.
        seed: Of everything drawn.
    """

    strength: Strength = field(default_factory=Strength)
    crop: float = 1.0
    stamps: float = 0.0
    seed: int = 0

    @classmethod
    def of(cls, section: AugmentSection, seed: int) -> Variation:
        """What ``[augment]`` asks for where photos are decoded anew in every epoch."""
        named = POLICIES[section.policy]
        return cls(
            Strength(
                colour=named.colour if section.colour is None else section.colour,
                hue=named.hue if section.hue is None else section.hue,
                rotate=named.rotate if section.rotate is None else section.rotate,
                shrink=section.scale_jitter,
                operations=named.operations,
                magnitude=named.magnitude,
            ),
            section.crop,
            section.simulate_stamps,
            seed,
        )

    def box(self, epoch: int, photo: int) -> Box:
        """The part of a photo that is seen in an epoch, of the photo's own proportions."""
        if self.crop >= 1.0:
            return WHOLE
        generator = self._generator(epoch, photo, _CROPS)
        side = float(np.sqrt(generator.uniform(self.crop, 1.0)))
        left, top = (float(at) for at in generator.uniform(0.0, 1.0 - side, 2))
        return left, top, left + side, top + side

    def share(self, epoch: int, photos: NDArray[np.int64]) -> NDArray[np.float32]:
        """Shares of the photos' areas that are seen in an epoch, ``(V,)``."""
        if self.crop >= 1.0:
            return np.ones(len(photos), dtype=np.float32)
        boxes = np.array([self.box(epoch, int(photo)) for photo in photos])
        areas: NDArray[np.float32] = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1).astype(np.float32)
        return areas

    def changes(self, epoch: int, photo: int, fill: Colour) -> Callable[[Image.Image], Image.Image]:
        """What is done to each part of a photo in an epoch; the same to all of them."""
        if self.strength == Strength() and self.stamps == 0.0:
            return lambda image: image

        def change(image: Image.Image) -> Image.Image:
            return self._change(epoch, photo).applied(self._marked(image, epoch, photo), fill)

        return change

    def movement(self, epoch: int, photo: int) -> tuple[float, float]:
        """Rotation of each part of a photo, in degrees anticlockwise, and its size in its frame."""
        change = self._change(epoch, photo)
        return change.degrees, change.scale

    @property
    def moves(self) -> bool:
        """Whether parts are rotated or made smaller in their frames."""
        return self.strength.rotate > 0.0 or self.strength.shrink > 0.0

    def _change(self, epoch: int, photo: int) -> Change:
        return self.strength.draw(self._generator(epoch, photo, _LOOKS))

    def _marked(self, image: Image.Image, epoch: int, photo: int) -> Image.Image:
        """A photo as a camera might have marked it, before light and position are varied."""
        if self.stamps == 0.0:
            return image
        generator = self._generator(epoch, photo, _STAMPS)
        return Image.fromarray(simulate_marks(np.asarray(image), generator, self.stamps))

    def _generator(self, epoch: int, photo: int, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, epoch, photo, stream])


def within(outer: Box, inner: Box) -> Box:
    """A part of a part, as shares of the whole."""
    left, top, right, bottom = outer
    width, height = right - left, bottom - top
    return (
        left + inner[0] * width,
        top + inner[1] * height,
        left + inner[2] * width,
        top + inner[3] * height,
    )
