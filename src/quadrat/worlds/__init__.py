"""Seeded worlds with a known truth: a pasture of known masses, a planet and a region of species.

They are the data of `quadrat demo` and of tests. The same seed makes the same bytes.
"""

from __future__ import annotations

from quadrat.worlds._truth import PlanetTruth, read_truth
from quadrat.worlds.pasture import PastureWorld, make_pasture
from quadrat.worlds.planet import PlanetWorld, make_planet
from quadrat.worlds.points import PointsWorld, make_points

__all__ = [
    "PastureWorld",
    "PlanetTruth",
    "PlanetWorld",
    "PointsWorld",
    "make_pasture",
    "make_planet",
    "make_points",
    "read_truth",
]
