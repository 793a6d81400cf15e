"""From longitude and latitude to a flat map and back: the whole world, or one region of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadrat.geo import wrap_lon

Array = NDArray[np.float64]

_A1, _A2, _A3, _A4 = 1.340264, -0.081106, 0.000893, 0.003796
_ROOT3 = float(np.sqrt(3.0))

WORLD_DEGREES = 120.0
"""Points spread wider than this are shown on a map of the world."""


class Projection(Protocol):
    """A flat map."""

    def forward(self, lon: ArrayLike, lat: ArrayLike) -> tuple[Array, Array]:
        """Degrees to map coordinates."""

    def inverse(self, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        """Map coordinates to degrees, NaN beyond the edge of the world."""

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top of the map in map coordinates."""


@dataclass(frozen=True)
class EqualEarth:
    """The whole world with areas kept true (Šavrič, Patterson and Jenny 2019).

    With ``sin θ = √3/2 · sin φ``: ``x = 2√3 λ cos θ / (3 q(θ))`` and ``y = p(θ)``, where ``p`` is
    an odd polynomial of degree nine and ``q`` its derivative (doi:10.1080/13658816.2018.1504949).
    """

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top of the map in map coordinates."""
        x, _ = self.forward(180.0, 0.0)
        _, y = self.forward(0.0, 90.0)
        return -float(x), float(x), -float(y), float(y)

    def forward(self, lon: ArrayLike, lat: ArrayLike) -> tuple[Array, Array]:
        """Degrees to map coordinates."""
        theta = np.arcsin(_ROOT3 / 2 * np.sin(np.radians(np.asarray(lat, np.float64))))
        x = 2 * _ROOT3 * np.radians(lon) * np.cos(theta) / (3 * _slope(theta))
        return x, np.broadcast_to(_height(theta), x.shape)

    def inverse(self, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        """Map coordinates to degrees, NaN beyond the edge of the world."""
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        theta = y / _A1
        for _ in range(8):  # Newton's steps; six reach the last bit within the map
            theta = theta - (_height(theta) - y) / _slope(theta)
        with np.errstate(invalid="ignore"):
            lat = np.degrees(np.arcsin(2 * np.sin(theta) / _ROOT3))
            lon = np.degrees(3 * x * _slope(theta) / (2 * _ROOT3 * np.cos(theta)))
        beyond = ~(np.abs(lon) <= 180 + 1e-9) | ~np.isfinite(lat)
        return np.where(beyond, np.nan, lon), np.where(beyond, np.nan, lat)


def _height(theta: Array) -> Array:
    squared = theta * theta
    sixth = squared * squared * squared
    height: Array = theta * (_A1 + _A2 * squared + sixth * (_A3 + _A4 * squared))
    return height


def _slope(theta: Array) -> Array:
    squared = theta * theta
    sixth = squared * squared * squared
    slope: Array = _A1 + 3 * _A2 * squared + sixth * (7 * _A3 + 9 * _A4 * squared)
    return slope


@dataclass(frozen=True)
class Local:
    """One region: degrees, with longitudes shortened by the cosine of the middle latitude.

    Args:
        lon: Middle longitude.
        lat: Middle latitude.
        width: Degrees of longitude shown.
        height: Degrees of latitude shown.
    """

    lon: float
    lat: float
    width: float
    height: float

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top of the map in map coordinates."""
        half = self.width / 2 * self._shrink
        return -half, half, self.lat - self.height / 2, self.lat + self.height / 2

    @property
    def _shrink(self) -> float:
        return float(np.cos(np.radians(self.lat)))

    def forward(self, lon: ArrayLike, lat: ArrayLike) -> tuple[Array, Array]:
        """Degrees to map coordinates; longitudes may lie beyond the dateline."""
        x = (np.asarray(lon, np.float64) - self.lon) * self._shrink
        return x, np.asarray(lat, np.float64)

    def inverse(self, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        """Map coordinates to degrees, NaN beyond the poles."""
        lon = wrap_lon(np.asarray(x, np.float64) / self._shrink + self.lon)
        lat = np.asarray(y, np.float64)
        beyond = np.abs(lat) > 90
        return np.where(beyond, np.nan, lon), np.where(beyond, np.nan, lat)


def suitable(lats: Array, lons: Array, margin: float = 0.12) -> Projection:
    """The map that fits the points: a region where they lie together, else the world.

    Args:
        lats: Degrees.
        lons: Degrees.
        margin: Share of the spread that is added on every side.
    """
    if lats.size == 0:
        return EqualEarth()
    middle, width = _arc(lons)
    low, high = float(lats.min()), float(lats.max())
    lat = (low + high) / 2
    if width > WORLD_DEGREES or high - low > WORLD_DEGREES / 2 or max(abs(low), abs(high)) > 80:
        return EqualEarth()
    width = max(width * (1 + 2 * margin), 2.0)
    height = max((high - low) * (1 + 2 * margin), 2.0)
    shrink = float(np.cos(np.radians(lat)))
    # A strip would waste the page: no side is more than twice the other.
    height = max(height, width * shrink / 2)
    width = max(width, height / 2 / shrink)
    return Local(middle, lat, width, height)


def _arc(lons: Array) -> tuple[float, float]:
    """Middle and length of the shortest arc of longitude that holds all points."""
    ordered = np.unique(wrap_lon(lons))
    gaps = np.diff(np.append(ordered, ordered[0] + 360))
    widest = int(np.argmax(gaps))
    length = 360 - float(gaps[widest])
    start = float(ordered[(widest + 1) % ordered.size])
    return float(wrap_lon(start + length / 2)), length
