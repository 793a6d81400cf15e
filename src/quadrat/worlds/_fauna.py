"""The species of an invented planet: where they can live, when they are there, how visible."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quadrat.worlds._globe import EARTH_RADIUS_KM, Floats, Globe
from quadrat.worlds._names import SpeciesName, invent

WEEKS = 48
RESIDENT, SUMMER, WINTER, PASSAGE = range(4)

_CLASSES = ("aves", "mammalia", "amphibia")
_CLASS_SHARES = (0.72, 0.15, 0.13)
_CLASS_VISIBILITY = (1.0, 0.4, 0.5)  # birds sing, most mammals are seen by chance
_LEAST_SUITABILITY = 1e-3
_RADIUS_KM = (120, 6000)
_EDGE = 0.15  # width of the soft edge of a range as a share of its radius


@dataclass(frozen=True, eq=False)
class Fauna:
    """Traits of species; all arrays have one row a species.

    Attributes:
        names: Codes and names.
        centre: Row of the cell in the middle of the range.
        radius_km: Where the soft edge of the range has fallen to one half.
        warmth_c: Tolerated deviation from the temperature of the centre (standard deviation).
        wetness: The same for the logarithm of precipitation.
        abundance: Expected detections a week at full occupancy and effort 1.
        season: ``RESIDENT``, ``SUMMER``, ``WINTER`` or ``PASSAGE``.
        phenology: (S, 48) share of the occupied range that is occupied in each week, 0–1.
    """

    names: tuple[SpeciesName, ...]
    centre: NDArray[np.int64]
    radius_km: Floats
    warmth_c: Floats
    wetness: Floats
    abundance: Floats
    season: NDArray[np.int64]
    phenology: Floats


def make_fauna(globe: Globe, species: int, radius_km: float, seed: int) -> Fauna:
    """Draw the traits of a number of species that live on a planet's land."""
    rng = np.random.default_rng((seed, 1))
    classes = rng.choice(len(_CLASSES), species, p=_CLASS_SHARES)
    centre = rng.choice(np.flatnonzero(globe.land), species)
    visibility = np.asarray(_CLASS_VISIBILITY)[classes]
    lat = globe.lat[centre]
    season = _seasons(lat, rng)
    season[_CLASSES.index("amphibia") == classes] = SUMMER  # heard while they breed
    return Fauna(
        names=tuple(invent([_CLASSES[kind] for kind in classes], seed)),
        centre=centre,
        radius_km=np.clip(radius_km * np.exp(rng.normal(0, 0.7, species)), *_RADIUS_KM),
        warmth_c=rng.uniform(3, 14, species),
        wetness=rng.uniform(0.4, 2.0, species),
        abundance=visibility * np.exp(rng.normal(-0.5, 1.0, species)),
        season=season,
        phenology=_phenology(season, lat),
    )


def suitability(globe: Globe, fauna: Fauna) -> Iterator[tuple[NDArray[np.int32], Floats]]:
    """Yield for each species the rows of its cells, ascending, and its occupancy there (0–1).

    Occupancy is the logistic edge of a circular range times Gaussian responses to temperature and
    to the logarithm of precipitation, 1 in the middle; cells below 0.001 are left out.
    """
    land = np.flatnonzero(globe.land)
    xyz = globe.xyz[land]
    temperature = globe.environment["temperature_c"]
    log_rain = np.log(globe.environment["precipitation_mm"])
    for centre, radius, warmth, wetness in zip(
        fauna.centre, fauna.radius_km, fauna.warmth_c, fauna.wetness, strict=True
    ):
        cosine = xyz @ globe.xyz[centre]
        near = cosine > np.cos(min(2.1 * radius / EARTH_RADIUS_KM, np.pi))
        rows = land[near]
        distance = EARTH_RADIUS_KM * np.arccos(np.minimum(cosine[near], 1))
        heat = (temperature[rows] - temperature[centre]) / warmth
        wet = (log_rain[rows] - log_rain[centre]) / wetness
        value = np.exp(-0.5 * (heat**2 + wet**2)) / (
            1 + np.exp((distance - radius) / (_EDGE * radius))
        )
        kept = value >= _LEAST_SUITABILITY
        # Half precision is what the truth file holds: labels are drawn from just these numbers.
        yield rows[kept].astype(np.int32), value[kept].astype(np.float16).astype(np.float64)


def _seasons(lat: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """Most species stay in the tropics; towards the poles more of them migrate."""
    migrants = 0.1 + 0.55 * np.sin(np.radians(np.abs(lat))) ** 1.5
    kind = rng.choice([SUMMER, WINTER, PASSAGE], len(lat), p=[0.55, 0.27, 0.18])
    return np.where(rng.random(len(lat)) < migrants, kind, RESIDENT)


def _phenology(season: NDArray[np.int64], lat: Floats) -> Floats:
    """(S, 48): 1 all year, in the local summer, in the local winter, or in two passage peaks."""
    midsummer = np.where(lat >= 0, 25, 1)[:, None]
    weeks = np.arange(1, WEEKS + 1)
    from_summer = np.abs((weeks - midsummer + WEEKS // 2) % WEEKS - WEEKS // 2)
    curves = np.stack(
        [
            np.ones_like(from_summer, dtype=float),
            1 / (1 + np.exp((from_summer - 9) / 1.2)),
            1 / (1 + np.exp((14 - from_summer) / 1.2)),
            np.exp(-(((from_summer - 11) / 2.5) ** 2)),
        ]
    )
    return np.asarray(curves[season, np.arange(len(season))], dtype=float)
