"""Photos with and without dates: seeded textures of grass and straw, and text drawn on them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]

GRASS = ((40, 90, 30), (110, 170, 70))
STRAW = ((150, 85, 20), (245, 190, 110))
"""Dark and light blades; those of straw have the colours of orange and yellow dates."""


def blades(
    colours: tuple[tuple[int, int, int], tuple[int, int, int]],
    *,
    seed: int,
    size: tuple[int, int] = (640, 360),
    count: int = 2500,
) -> Pixels:
    """Blades in all directions on soil ``(H, W, 3)``."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", size, (70, 55, 40))
    canvas = ImageDraw.Draw(image)
    dark, light = np.array(colours[0]), np.array(colours[1])
    for _ in range(count):
        x, y = rng.uniform(-20, size[0] + 20), rng.uniform(-20, size[1] + 20)
        angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(10, 60)
        end = (x + length * np.cos(angle), y + length * np.sin(angle))
        fill = (dark + rng.random() * (light - dark)).astype(int)
        canvas.line([(x, y), end], fill=tuple(fill.tolist()), width=int(rng.integers(1, 4)))
    return np.asarray(image)


def stamped(
    pixels: Pixels,
    text: str,
    colour: tuple[int, int, int],
    *,
    height: int = 24,
    corner: tuple[int, int] = (1, 1),
) -> tuple[Pixels, NDArray[np.bool_]]:
    """A photo with text in a corner, and where the text is ``(H, W)``."""
    image = Image.fromarray(pixels)
    canvas, font = ImageDraw.Draw(image), ImageFont.load_default(height)
    left, top, right, bottom = canvas.textbbox((0, 0), text, font=font)
    x = 14 if corner[0] == 0 else image.width - (right - left) - 14
    y = 12 if corner[1] == 0 else image.height - (bottom - top) - 12
    canvas.text((x - left, y - top), text, fill=colour, font=font, stroke_width=1)
    drawn = np.asarray(image)
    return drawn, (drawn != pixels).any(axis=2)


def compressed(pixels: Pixels, quality: int = 90) -> Pixels:
    """What is left of a photo after JPEG, which halves the resolution of colours."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def difference(one: Any, other: Any) -> float:
    """Mean absolute difference of two pictures, 0 to 255."""
    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean())
