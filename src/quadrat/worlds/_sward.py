"""What grows in a quadrat: plant parts as arrays with their masses.

Lengths are centimetres, masses grams of dry matter. The quadrat's corner is (0, 0); x runs along
its 70 cm side. Nothing here knows of pixels: `_paint` turns these arrays into a picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from quadrat.worlds._visit import Visit

Floats: TypeAlias = NDArray[np.float64]

QUADRAT_CM = (70.0, 30.0)
_AREA_CM2 = QUADRAT_CM[0] * QUADRAT_CM[1]

# Dry matter that comes with a square centimetre of leaf: the leaf, its share of sheath, stem and
# stolon, and of what withers below it. Clover leaves hide most of what carries them.
_GRASS_G_CM2 = 0.0120
_CLOVER_G_CM2 = 0.0190
_DEAD_G_CM2 = 0.0110
_PETIOLE_G_CM = 0.0025

# Area of a part as it is drawn, over its length × width: a tapering blade, three leaflets.
BLADE_FILL = 0.709
LEAF_FILL = 1.825

_MOST_PARTS = 2600  # keeps a picture of a very dense short sward affordable
_TOTAL_G = (2.0, 180.0)  # range of the planned total mass of a quadrat


@dataclass(frozen=True)
class Parts:
    """Plant parts of one kind, one element a part; all arrays have length N.

    Attributes:
        base: Where the part leaves the ground, (N, 2) in cm.
        angle: Direction in the picture, radians.
        reach: Length seen from above (blades) or radius of a leaflet (clover), cm.
        bend: Sideways bow of a blade as a share of its reach.
        width: Largest width of a blade or a leaflet, cm.
        height: Of the top above the ground, cm.
        tint: 0 dark to 1 light.
        mass: Dry matter, g.
        fill: Area of a part over its reach × width.
    """

    base: Floats
    angle: Floats
    reach: Floats
    bend: Floats
    width: Floats
    height: Floats
    tint: Floats
    mass: Floats
    fill: float

    def __len__(self) -> int:
        return len(self.mass)

    @property
    def mass_g(self) -> float:
        """Dry matter of all parts, g."""
        return float(self.mass.sum())

    @property
    def leaf_cm2(self) -> float:
        """Leaf area of all parts as seen from above, were none hidden, cm²."""
        return float(self.fill * self.reach @ self.width)


@dataclass(frozen=True)
class Quadrat:
    """The content of one frame, and what the field team noted beside the photo.

    Attributes:
        visit: Where and when.
        green: Blades of living grass.
        clover: Clover leaves.
        dead: Dead blades.
        ndvi: Reading of the handheld NDVI sensor (−1 to 1).
        height_cm: Mean height from the rising plate, cm.
    """

    visit: Visit
    green: Parts
    clover: Parts
    dead: Parts
    ndvi: float
    height_cm: float

    @property
    def closure(self) -> float:
        """Share of the ground that leaves cover, were they strewn at random (0–1)."""
        return _cover(self.green.leaf_cm2 + self.clover.leaf_cm2 + self.dead.leaf_cm2, 0.7)


def grow(visit: Visit, rng: np.random.Generator) -> Quadrat:
    """Let one quadrat grow: how much of each component, then part by part.

    A planned mass settles how many parts there are; the true mass is the sum over the parts.
    """
    sward = visit.sward
    plan = np.array([sward.green_g, sward.clover_g, sward.dead_g], dtype=float)
    plan *= np.array([visit.growth, visit.growth, visit.litter]) * np.exp(rng.normal(0, 0.45, 3))
    # Bare of clover or litter here and there, as in any paddock; never bare of everything.
    plan[1:] *= rng.random(2) > 0.1
    plan *= np.clip(plan.sum(), *_TOTAL_G) / plan.sum()
    vigour = (plan[:2].sum() / max(sward.green_g + sward.clover_g, 1.0)) ** 0.45
    height = sward.height_cm * float(np.clip(vigour, 0.5, 1.8))
    tufts = rng.uniform((0, 0), QUADRAT_CM, (int(rng.integers(10, 60)), 2))
    green = _blades(plan[0], height, sward.blade_cm, visit.leaf_mass, tufts, rng)
    clover = _clover(plan[1], height, visit.leaf_mass, rng)
    dead = _litter(plan[2], height, rng)
    ndvi, measured = _readings(green, clover, dead, rng)
    return Quadrat(visit, green, clover, dead, ndvi, measured)


def _blades(
    plan_g: float,
    height: float,
    width: float,
    leaf_mass: float,
    tufts: Floats,
    rng: np.random.Generator,
) -> Parts:
    """Living blades that fan out of tufts."""
    per_cm2 = _GRASS_G_CM2 * leaf_mass
    count = _count(plan_g, per_cm2 * BLADE_FILL * 1.2 * height * width)
    tuft = rng.integers(0, len(tufts), count)
    offset = rng.normal(0, 1.5 + 0.15 * height, (count, 2))
    length = 1.15 * height * np.exp(rng.normal(0, 0.28, count))
    lean = rng.uniform(0.3, 0.95, count)
    widths = width * np.exp(rng.normal(0, 0.2, count))
    return Parts(
        base=_inside(tufts[tuft] + offset),
        angle=np.arctan2(offset[:, 1], offset[:, 0]) + rng.normal(0, 0.9, count),
        reach=length * lean,
        bend=rng.normal(0, 0.14, count),
        width=widths,
        height=length * np.sqrt(1 - 0.8 * lean**2),
        tint=rng.beta(1.6, 2.0, count),
        mass=per_cm2 * BLADE_FILL * length * widths,
        fill=BLADE_FILL,
    )


def _clover(plan_g: float, height: float, leaf_mass: float, rng: np.random.Generator) -> Parts:
    """Three-leaved clover in patches, each leaf on a petiole that reaches up to the light."""
    per_cm2 = _CLOVER_G_CM2 * leaf_mass
    radius = 1.1 + 0.03 * height
    count = _count(plan_g, per_cm2 * LEAF_FILL * radius**2 + _PETIOLE_G_CM * 0.7 * height)
    patches = rng.uniform((0, 0), QUADRAT_CM, (int(rng.integers(4, 14)), 2))
    spread = rng.uniform(4, 14, len(patches))
    patch = rng.integers(0, len(patches), count)
    radii = radius * np.exp(rng.normal(0, 0.2, count))
    widths = radii * rng.uniform(0.9, 1.15, count)
    heights = height * rng.uniform(0.5, 1.0, count)
    base = patches[patch] + rng.normal(0, 1, (count, 2)) * spread[patch, None]
    return Parts(
        base=_inside(base),
        angle=rng.uniform(0, 2 * np.pi, count),
        reach=radii,
        bend=np.zeros(count),
        width=widths,
        height=heights,
        tint=rng.beta(2, 2, count),
        mass=per_cm2 * LEAF_FILL * radii * widths + _PETIOLE_G_CM * heights,
        fill=LEAF_FILL,
    )


def _litter(plan_g: float, height: float, rng: np.random.Generator) -> Parts:
    """Dead blades: most lie flat below the living ones, some still stand among them."""
    length_cm, width_cm = 5.0 + 0.25 * height, 0.42
    count = _count(plan_g, _DEAD_G_CM2 * BLADE_FILL * 1.06 * length_cm * width_cm)
    length = length_cm * np.exp(rng.normal(0, 0.35, count))
    widths = width_cm * np.exp(rng.normal(0, 0.25, count))
    return Parts(
        base=rng.uniform((0, 0), QUADRAT_CM, (count, 2)),
        angle=rng.uniform(0, 2 * np.pi, count),
        reach=length * rng.uniform(0.75, 1.0, count),
        bend=rng.normal(0, 0.2, count),
        width=widths,
        height=height * rng.beta(0.7, 1.3, count),
        tint=rng.beta(2, 1.5, count),
        mass=_DEAD_G_CM2 * BLADE_FILL * length * widths,
        fill=BLADE_FILL,
    )


def _readings(
    green: Parts, clover: Parts, dead: Parts, rng: np.random.Generator
) -> tuple[float, float]:
    """NDVI and mean height as instruments read them: right on average, noisy in each reading."""
    live = _cover(green.leaf_cm2 + clover.leaf_cm2, 0.7)
    hidden = _cover(dead.leaf_cm2, 0.5)
    ndvi = 0.16 + 0.72 * live * (1 - 0.4 * hidden) + rng.normal(0, 0.04)
    heights = np.concatenate([green.height, clover.height])
    height = heights.mean() if len(heights) else 0.3 * dead.height.mean()
    height *= np.exp(rng.normal(0, 0.15))
    return round(float(np.clip(ndvi, 0.1, 0.95)), 2), round(float(max(height, 0.5)), 1)


def _cover(leaf_cm2: float, extinction: float) -> float:
    """Share of the ground hidden by leaves strewn at random (Monsi and Saeki 1953)."""
    return float(1 - np.exp(-extinction * leaf_cm2 / _AREA_CM2))


def _count(plan_g: float, each_g: float) -> int:
    return 0 if plan_g <= 0 else int(np.clip(round(plan_g / each_g), 1, _MOST_PARTS))


def _inside(points: Floats) -> Floats:
    """Reflect points at the frame, so that every part is rooted inside and is weighed."""
    twice = 2 * np.asarray(QUADRAT_CM)
    folded: Floats = np.mod(points, twice)
    return np.minimum(folded, twice - folded)
