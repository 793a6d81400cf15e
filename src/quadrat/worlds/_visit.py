"""Visits to paddocks: what the quadrats of one state and date share, from sward to camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Colour: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True)
class SwardType:
    """A kind of pasture: typical masses and the look of its grass.

    Attributes:
        species: The text of the column ``Species``.
        green_g: Typical dry mass of living grass in a quadrat.
        clover_g: The same of clover; 0 where it does not grow.
        dead_g: The same of dead litter; 0 where there is none.
        height_cm: Typical height of the sward.
        blade_cm: Typical width of a grass blade.
        dark: Colour (red, green, blue in 0–1) of the darkest blades.
        light: Colour of the lightest blades.
    """

    species: str
    green_g: float
    clover_g: float
    dead_g: float
    height_cm: float
    blade_cm: float
    dark: Colour
    light: Colour


SWARD_TYPES = (
    SwardType("Ryegrass", 32, 0, 9, 11, 0.48, (0.24, 0.42, 0.13), (0.58, 0.74, 0.30)),
    SwardType("Ryegrass_Clover", 20, 10, 9, 9, 0.46, (0.26, 0.43, 0.14), (0.60, 0.74, 0.32)),
    SwardType("Phalaris", 58, 0, 13, 25, 0.95, (0.25, 0.40, 0.21), (0.62, 0.72, 0.48)),
    SwardType("WhiteClover", 5, 27, 0, 8, 0.42, (0.26, 0.43, 0.15), (0.58, 0.72, 0.33)),
    SwardType("SilverGrass", 8, 0, 32, 9, 0.36, (0.38, 0.43, 0.19), (0.68, 0.70, 0.40)),
    SwardType("Fescue", 33, 0, 20, 17, 0.52, (0.17, 0.32, 0.13), (0.46, 0.62, 0.30)),
    SwardType("Phalaris_Clover", 34, 9, 7, 15, 0.75, (0.26, 0.42, 0.20), (0.62, 0.75, 0.44)),
    SwardType("SubcloverDalkeith", 0, 19, 4, 5, 0.40, (0.28, 0.42, 0.16), (0.58, 0.72, 0.34)),
)

_SOILS: tuple[Colour, ...] = (
    (0.40, 0.30, 0.22),
    (0.27, 0.24, 0.24),
    (0.47, 0.33, 0.22),
    (0.52, 0.45, 0.36),
)


@dataclass(frozen=True)
class Camera:
    """How the photos of one visit were taken.

    Attributes:
        gains: Exposure times white balance, one factor a colour channel.
        saturation: 0 is grey, 1 leaves colours as they are.
        contrast: Factor around middle grey.
        blur_px: Radius of the lens blur in pixels of a picture 480 pixels wide.
        depth: Brightness of the lowest leaves against 1 of the highest.
        sun: Direction (radians) that lit sides face.
        quality: Of the JPEG files.
    """

    gains: Colour
    saturation: float
    contrast: float
    blur_px: float
    depth: float
    sun: float
    quality: int


@dataclass(frozen=True)
class Visit:
    """One state on one date: all its quadrats share sward, season, soil, light and camera.

    Attributes:
        state: Name of the state.
        date: ``year/month/day`` without leading zeros.
        sward: The kind of pasture.
        growth: Factor on the living masses.
        litter: Factor on the dead mass; 0 where there is none.
        leaf_mass: Factor on the dry mass of a square centimetre of leaf.
        soil: Colour of bare ground.
        straw: Colour of dead leaves.
        camera: The camera and its light.
    """

    state: str
    date: str
    sward: SwardType
    growth: float
    litter: float
    leaf_mass: float
    soil: Colour
    straw: Colour
    camera: Camera


def plan_visit(state: int, name: str, date: str, sward: SwardType, seed: list[int]) -> Visit:
    """Draw what the quadrats of one visit share.

    Args:
        state: Index of the state, which settles the soil.
        name: Its name.
        date: Sampling date as it is written in the table.
        sward: The kind of pasture.
        seed: Seed of this visit.
    """
    rng = np.random.default_rng(seed)
    exposure = float(np.exp(rng.normal(0, 0.10)))
    balance = np.exp(rng.normal(0, 0.04, 3))
    camera = Camera(
        gains=_colour(exposure * balance / balance.mean()),
        saturation=float(rng.uniform(0.8, 1.1)),
        contrast=float(rng.uniform(0.95, 1.2)),
        blur_px=float(rng.uniform(0.0, 0.7)),
        depth=float(rng.uniform(0.3, 0.6)),
        sun=float(rng.uniform(0, 2 * np.pi)),
        quality=int(rng.integers(85, 96)),
    )
    soil = np.asarray(_SOILS[state % len(_SOILS)]) * np.exp(rng.normal(0, 0.12))
    # From grey, weathered litter to freshly dried yellow, lighter or darker.
    straw = _mix((0.62, 0.57, 0.48), (0.84, 0.70, 0.40), rng.random()) * rng.uniform(0.75, 1.05)
    return Visit(
        state=name,
        date=date,
        sward=sward,
        growth=float(np.exp(rng.normal(0, 0.3))),
        litter=float(np.exp(rng.normal(0, 0.35))),
        leaf_mass=float(np.exp(rng.normal(0, 0.07))),
        soil=_colour(soil),
        straw=_colour(straw),
        camera=camera,
    )


def _mix(one: Colour, other: Colour, share: float) -> NDArray[np.float64]:
    return np.asarray(one) * (1 - share) + np.asarray(other) * share


def _colour(values: NDArray[np.float64]) -> Colour:
    red, green, blue = (float(v) for v in values)
    return red, green, blue
