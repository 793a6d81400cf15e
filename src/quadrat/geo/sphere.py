"""Points on the sphere as unit vectors: distances and angles that know no dateline and no poles."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

EARTH_RADIUS_KM = 6371.0088
"""The mean radius R1 of the WGS 84 ellipsoid."""


def unit_vectors(lat: ArrayLike, lon: ArrayLike) -> NDArray[np.float64]:
    """Points as vectors of length one.

    Args:
        lat: Latitudes in degrees, any shape.
        lon: Longitudes in degrees, the same shape; any multiple of 360 may be added.

    Returns:
        x (towards 0 N 0 E), y (towards 0 N 90 E) and z (towards the north pole) ``(..., 3)``.
    """
    phi, lam = np.radians(np.asarray(lat, np.float64)), np.radians(np.asarray(lon, np.float64))
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)


def lat_lon(vectors: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Latitudes and longitudes in degrees of vectors of any length ``(..., 3)``.

    Longitudes lie in [-180, 180].
    """
    x, y, z = np.moveaxis(np.asarray(vectors, np.float64), -1, 0)
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))


def great_circle_km(
    lat: ArrayLike, lon: ArrayLike, other_lat: ArrayLike, other_lon: ArrayLike
) -> NDArray[np.float64]:
    """Distances along the sphere in km, by the haversine formula.

    ``2 R asin sqrt(sin²(Δφ/2) + cos φ₁ cos φ₂ sin²(Δλ/2))``, exact for near points (R. W. Sinnott,
    "Virtues of the haversine", Sky & Telescope 68, 1984).

    Args:
        lat: Latitudes in degrees.
        lon: Longitudes in degrees.
        other_lat: Latitudes of the other points; the four broadcast.
        other_lon: Longitudes of the other points.
    """
    phi, lam, other_phi, other_lam = (
        np.radians(np.asarray(value, np.float64)) for value in (lat, lon, other_lat, other_lon)
    )
    half = (
        np.sin((other_phi - phi) / 2) ** 2
        + np.cos(phi) * np.cos(other_phi) * np.sin((other_lam - lam) / 2) ** 2
    )
    return np.asarray(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1))))


def chord(km: ArrayLike) -> NDArray[np.float64]:
    """The straight distance of unit vectors whose great circle distance is ``km``.

    With it a search tree over unit vectors answers questions in km, across the dateline too.
    """
    angle = np.clip(np.asarray(km, np.float64) / EARTH_RADIUS_KM, 0, np.pi)
    return np.asarray(2 * np.sin(angle / 2))


def chord_km(chord: ArrayLike) -> NDArray[np.float64]:
    """The great circle distance in km of unit vectors whose straight distance is ``chord``."""
    half = np.clip(np.asarray(chord, np.float64) / 2, 0, 1)
    return np.asarray(2 * EARTH_RADIUS_KM * np.arcsin(half))


def spacing_km(lat: ArrayLike, lon: ArrayLike, share: float = 0.5) -> float:
    """The usual distance of a place to the nearest other one in km; 0 where there is no other.

    Args:
        lat: Latitudes in degrees ``(N,)``.
        lon: Longitudes in degrees ``(N,)``; of several points at one place, one counts.
        share: Of the places that have another within the distance.
    """
    from scipy.spatial import cKDTree

    places = np.unique(unit_vectors(lat, lon), axis=0)
    if len(places) < 2:
        return 0.0
    return float(chord_km(np.quantile(cKDTree(places).query(places, k=2)[0][:, 1], share)))


def wrap_lon(lon: ArrayLike) -> NDArray[np.float64]:
    """Longitudes in [-180, 180)."""
    return (np.asarray(lon, np.float64) + 180) % 360 - 180
