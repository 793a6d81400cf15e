"""The colours that cameras write dates in, as ranges of hue, saturation and value."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


class Family(NamedTuple):
    """One family of colours.

    Attributes:
        hue: From and to, in degrees; from is above to where the range goes through 0 (red).
        saturation: Smallest and largest, 0 to 1.
        value: Smallest, 0 to 1.
        draw: A typical member, red, green and blue.
    """

    hue: tuple[float, float]
    saturation: tuple[float, float]
    value: float
    draw: tuple[int, int, int]


FAMILIES = {
    "orange": Family((8.0, 40.0), (0.62, 1.0), 0.60, (240, 110, 20)),
    "red": Family((345.0, 10.0), (0.60, 1.0), 0.50, (235, 30, 25)),
    "yellow": Family((40.0, 66.0), (0.62, 1.0), 0.75, (250, 225, 30)),
    "green": Family((95.0, 165.0), (0.50, 1.0), 0.60, (40, 240, 80)),
    "white": Family((0.0, 360.0), (0.0, 0.14), 0.88, (250, 250, 250)),
}
"""Name → family; a photo's date is written in one of them."""


def hue_saturation_value(pixels: Pixels) -> NDArray[np.float32]:
    """Hue in degrees, saturation and value from 0 to 1, ``(3, H, W)``, of ``(H, W, 3)``."""
    colours = pixels.astype(np.float32) / 255.0
    red, green, blue = colours[..., 0], colours[..., 1], colours[..., 2]
    # a reduction over the short last axis would be slower
    value = np.maximum(np.maximum(red, green), blue)
    low = np.minimum(np.minimum(red, green), blue)
    spread = value - low
    safe = np.where(spread > 0.0, spread, 1.0)
    hue = np.where(
        value == red,
        (green - blue) / safe,
        np.where(value == green, 2.0 + (blue - red) / safe, 4.0 + (red - green) / safe),
    )
    saturation = spread / np.where(value > 0.0, value, 1.0)
    return np.stack([np.where(spread > 0.0, 60.0 * hue % 360.0, 0.0), saturation, value])


def belongs(hsv: NDArray[np.float32], family: Family, slack: float = 0.0) -> NDArray[np.bool_]:
    """The pixels of a family ``(H, W)``.

    Args:
        hsv: As `hue_saturation_value` gives it.
        family: The family.
        slack: Widens the limits: of saturation and value by this much, of hue by 60 degrees times
            it. The edges of letters are mixed with what lies behind them.
    """
    hue, saturation, value = hsv
    low, high = family.hue[0] - 60.0 * slack, family.hue[1] + 60.0 * slack
    inside = (hue - low) % 360.0 <= (high - low) % 360.0 if high - low < 360.0 else True
    least, most = family.saturation[0] - slack, family.saturation[1] + slack
    found: NDArray[np.bool_] = inside & (saturation >= least) & (saturation <= most)
    found &= value >= family.value - slack
    return found
