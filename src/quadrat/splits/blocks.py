"""Blocks of the globe of about equal area, so that neighbours are held out together."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadrat.errors import DataError
from quadrat.geo.sphere import EARTH_RADIUS_KM

HALF_ROUND_KM = np.pi * EARTH_RADIUS_KM


def spatial_blocks(lat: ArrayLike, lon: ArrayLike, block_km: float) -> NDArray[np.str_]:
    """The block of every point.

    A block is about a square with sides of ``block_km``. Around each pole lies a round cap of the
    same area; between the caps, collars of equal height are cut into as many equal pieces as their
    middle has room for (after Leopardi 2006, "A partition of the unit sphere into regions of equal
    area and small diameter", ETNA 25, 309-327). Longitudes that differ by 360° are the same place,
    and at the poles the longitude does not matter.

    Args:
        lat: Latitudes in degrees, ``(N,)``.
        lon: Longitudes in degrees, ``(N,)``.
        block_km: Side of a block in km.

    Returns:
        Labels such as ``"12:034"`` (collar from the south, piece eastwards from 180° W), ``(N,)``.

    Raises:
        DataError: A coordinate is missing or not on the globe, or the side is not sensible.
    """
    lats, lons = np.asarray(lat, dtype=np.float64), np.asarray(lon, dtype=np.float64)
    _check(lats, lons, block_km)
    cap = np.degrees(2.0 * np.arcsin(block_km / (2.0 * np.sqrt(np.pi) * EARTH_RADIUS_KM)))
    between = 180.0 - 2.0 * cap
    collars = max(1, round(np.radians(between) * EARTH_RADIUS_KM / block_km))
    height = between / collars
    collar = 1 + np.clip(np.floor((lats + 90.0 - cap) / height), 0, collars - 1).astype(np.int64)
    collar = np.where(lats < cap - 90.0, 0, np.where(lats > 90.0 - cap, collars + 1, collar))

    middle = np.radians(-90.0 + cap + (np.arange(collars) + 0.5) * height)
    pieces = np.maximum(1, np.rint(2.0 * HALF_ROUND_KM * np.cos(middle) / block_km))
    pieces = np.concatenate([[1], pieces, [1]]).astype(np.int64)
    turn = np.mod(lons + 180.0, 360.0) / 360.0
    piece = np.minimum((turn * pieces[collar]).astype(np.int64), pieces[collar] - 1)

    wide, long = len(str(collars + 1)), len(str(pieces.max() - 1))
    keys, which = np.unique(collar * (pieces.max() + 1) + piece, return_inverse=True)
    names = [
        f"{key // (pieces.max() + 1):0{wide}d}:{key % (pieces.max() + 1):0{long}d}" for key in keys
    ]
    return np.array(names, dtype=np.str_)[which]


def _check(lat: NDArray[np.float64], lon: NDArray[np.float64], block_km: float) -> None:
    if lat.shape != lon.shape or lat.ndim != 1:
        raise ValueError(f"lat and lon must be (N,) alike, not {lat.shape} and {lon.shape}")
    bad = ~(np.isfinite(lat) & np.isfinite(lon) & (np.abs(lat) <= 90.0) & (np.abs(lon) <= 360.0))
    if bad.any():
        raise DataError(
            "coordinates are missing or not on the globe",
            problems=[f"row {r}: lat = {lat[r]}, lon = {lon[r]}" for r in np.flatnonzero(bad)],
            fix="give latitudes within ±90 and longitudes within ±180 degrees; are the two "
            "columns swapped?",
        )
    if not 0.0 < block_km <= HALF_ROUND_KM / 2:
        raise DataError(
            f"blocks of {block_km:g} km do not part the globe",
            fix=f"set split.block_km between 0 and {HALF_ROUND_KM / 2:.0f}.",
        )
