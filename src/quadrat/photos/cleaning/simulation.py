"""Marks that cameras leave in photos, drawn so that a model learns to ignore them.

Where dates stand in the photos of one state only, a network reads the state from them. Drawn at
random, they say nothing.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from quadrat.runtime.cleaning.colours import FAMILIES, Pixels

_FORMATS = ("%d.%m.%Y", "%Y/%m/%d", "%d-%m-%Y", "'%y %m %d")
_FIRST_DAY = date(2000, 1, 1)
_DAYS = 40 * 365
_HEIGHT = (0.03, 0.08)
_MARGIN = (0.01, 0.06)
_TINT = 20
_RADIUS = (0.008, 0.02)
_DOTS = (3, 9)


def simulate_marks(pixels: Pixels, generator: np.random.Generator, probability: float) -> Pixels:
    """Draws a date with a probability, and apart from that red dots with the same one.

    Args:
        pixels: A photo ``(H, W, 3)``, which is not changed.
        generator: Where the chance comes from; it always draws the same number of times here, so
            that later draws do not depend on what was drawn.
        probability: Of each of the two, from 0 to 1.

    Returns:
        A new photo, or the very same where nothing was drawn.
    """
    chances = generator.random(2)
    dated, dotted = generator.spawn(2)
    if chances[0] < probability:
        pixels = simulate_stamp(pixels, dated)
    return simulate_red_dots(pixels, dotted) if chances[1] < probability else pixels


def simulate_stamp(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """Draws a date in a colour of camera stamps into a corner.

    Args:
        pixels: A photo ``(H, W, 3)``, which is not changed.
        generator: Draws date, format, size, corner and colour.

    Returns:
        A new photo.
    """
    height, width = pixels.shape[:2]
    size = max(6, round(float(generator.uniform(*_HEIGHT)) * height))
    font = ImageFont.load_default(size)
    text = _date(generator)
    image = Image.fromarray(pixels)
    canvas = ImageDraw.Draw(image)
    left, top, right, bottom = canvas.textbbox((0, 0), text, font=font)
    margin = float(generator.uniform(*_MARGIN))
    x = margin * width if generator.random() < 0.5 else (1.0 - margin) * width - (right - left)
    y = margin * height if generator.random() < 0.25 else (1.0 - margin) * height - (bottom - top)
    colour = FAMILIES[str(generator.choice(list(FAMILIES)))].draw
    tinted = np.clip(np.array(colour) + generator.integers(-_TINT, _TINT + 1, 3), 0, 255)
    canvas.text(
        (max(0.0, x) - left, y - top),
        text,
        fill=tuple(int(channel) for channel in tinted),
        font=font,
        stroke_width=int(generator.integers(0, 1 + size // 20)),
    )
    return np.asarray(image)


def simulate_red_dots(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """Draws a row of glowing red dots, as laser pointers that mark distances leave them.

    Args:
        pixels: A photo ``(H, W, 3)``, which is not changed.
        generator: Draws their number, size and places.

    Returns:
        A new photo.
    """
    height, width = pixels.shape[:2]
    count = int(generator.integers(*_DOTS, endpoint=True))
    radius = float(generator.uniform(*_RADIUS)) * max(height, width)
    start, stop = generator.uniform(0.0, 1.0, 2) * width
    rows = generator.uniform(0.0, 1.0) * height + generator.normal(0.0, radius, count)
    y, x = np.mgrid[:height, :width]
    glow = np.zeros((height, width))
    for row, column in zip(rows, np.linspace(start, stop, count), strict=True):
        squared = ((y - row) ** 2 + (x - column) ** 2) / radius**2
        glow = np.maximum(glow, np.exp(-squared))
    colour = np.array([255.0, 40.0, 50.0])
    mixed = pixels + glow[..., None] * (colour - pixels)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def _date(generator: np.random.Generator) -> str:
    day = _FIRST_DAY + timedelta(days=int(generator.integers(_DAYS)))
    minute = int(generator.integers(24 * 60))
    words = day.strftime(_FORMATS[int(generator.integers(len(_FORMATS)))])
    shows_time = generator.random() < 0.5
    return f"{words} {minute // 60:02d}:{minute % 60:02d}" if shows_time else words
