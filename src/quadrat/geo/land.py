"""The outline of the land: for drawing, and to tell land from sea.

The outline is Natural Earth's at 1:110 million (public domain), cut at the dateline and kept with
two decimals of a degree in ``land_110m.npz``. It knows coasts to about 50 km and no small islands.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadrat.geo.sphere import wrap_lon

Ring = NDArray[np.float64]


def land_polygons() -> list[list[Ring]]:
    """The land as polygons in degrees.

    Returns:
        One list of rings a polygon: its outline, then its holes. A ring is ``(N, 2)`` with
        longitude and latitude, open (the last point is not the first) and within [-180, 180].
    """
    rings, owner = _rings()
    polygons: list[list[Ring]] = [[] for _ in range(int(owner[-1]) + 1)]
    for ring, polygon in zip(rings, owner.tolist(), strict=True):
        polygons[polygon].append(ring.copy())
    return [polygon for polygon in polygons if polygon]


def is_land(lat: ArrayLike, lon: ArrayLike) -> NDArray[np.bool_]:
    """Whether points lie on land.

    Counts the edges that a ray along the meridian towards the south pole crosses. The points are
    sorted by longitude once, so an edge only looks at the points between its two ends.

    Args:
        lat: Latitudes in degrees, any shape.
        lon: Longitudes in degrees, the same shape.

    Returns:
        True on land, of the common shape; lakes at this scale (the Caspian Sea) are not land.
    """
    lats, lons = np.broadcast_arrays(np.asarray(lat, np.float64), wrap_lon(lon))
    order = np.argsort(lons, axis=None, kind="stable")
    x, y = lons.ravel()[order], lats.ravel()[order]
    inside = np.zeros(x.size, dtype=bool)
    start, end = _edges()
    low, high = np.minimum(start[:, 0], end[:, 0]), np.maximum(start[:, 0], end[:, 0])
    first, last = np.searchsorted(x, low), np.searchsorted(x, high)
    for edge in np.flatnonzero(last > first):
        points = slice(first[edge], last[edge])
        (x0, y0), (x1, y1) = start[edge], end[edge]
        inside[points] ^= y[points] >= y0 + (x[points] - x0) * ((y1 - y0) / (x1 - x0))
    answer = np.empty(x.size, dtype=bool)
    answer[order] = inside
    return answer.reshape(lats.shape)


@cache
def _rings() -> tuple[list[Ring], NDArray[np.int32]]:
    with (
        files("quadrat.geo").joinpath("land_110m.npz").open("rb") as handle,
        np.load(handle, allow_pickle=False) as stored,
    ):
        points = stored["points"].astype(np.float64) / 100
        return np.split(points, stored["offsets"][1:-1]), stored["polygon"]


@cache
def _edges() -> tuple[Ring, Ring]:
    rings, _ = _rings()
    return np.concatenate(rings), np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
