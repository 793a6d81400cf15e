"""An invented planet on the real H3 grid: continents, climate, land cover, and where observers go.

Every map is a sum of random plane waves through the sphere, so it is smooth, has no seam at the
date line, and shows the same continents at every resolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

EARTH_RADIUS_KM = 6371.0088
ENVIRONMENT = (
    "water_fraction",
    "elevation_m",
    "precipitation_mm",
    "temperature_c",
    "urban_fraction",
    "landcover_class",
    "canopy_height_m",
)

_LAND_SHARE = 0.3
_SEA_EFFORT = 0.02  # observers at sea, as a share of those in a median land cell
_TREE_HEIGHT_M = {1: 22.0, 2: 30.0, 4: 20.0, 8: 12.0, 9: 6.0, 12: 1.0}  # by land cover class


@dataclass(frozen=True, eq=False)
class Globe:
    """The cells of a planet; all arrays have one row a cell.

    Attributes:
        cells: H3 indices in text order.
        lat: Latitude of the centre, degrees.
        lon: Longitude of the centre, degrees.
        xyz: The centre as a unit vector, (N, 3).
        land: Whether the cell is land.
        environment: Column name to values; NaN over the sea.
        effort: Observer effort a week; 1 is the median land cell.
    """

    cells: tuple[str, ...]
    lat: Floats
    lon: Floats
    xyz: Floats
    land: NDArray[np.bool_]
    environment: dict[str, Floats]
    effort: Floats


def make_globe(resolution: int, seed: int) -> Globe:
    """Make the planet of a seed at an H3 resolution."""
    import h3

    cells = sorted(
        cell for base in h3.get_res0_cells() for cell in h3.cell_to_children(base, resolution)
    )
    lat, lon = np.array([h3.cell_to_latlng(cell) for cell in cells]).T
    phi, theta = np.radians(lat), np.radians(lon)
    xyz = np.stack([np.cos(phi) * np.cos(theta), np.cos(phi) * np.sin(theta), np.sin(phi)], -1)
    rng = np.random.default_rng((seed, 0))
    continents = _waves(xyz, 3.0, rng)
    land = continents > np.quantile(continents, 1 - _LAND_SHARE)
    environment = _environment(xyz, continents, land, rng)
    towns = np.nan_to_num(environment["urban_fraction"])
    log_effort = 1.1 * _waves(xyz, 5.0, rng) + 8 * towns + 0.7 * rng.standard_normal(len(cells))
    effort = np.exp(log_effort - np.median(log_effort[land]))
    return Globe(
        cells=tuple(cells),
        lat=lat,
        lon=lon,
        xyz=xyz,
        land=land,
        environment=environment,
        effort=np.where(land, effort, _SEA_EFFORT),
    )


def _environment(
    xyz: Floats, continents: Floats, land: NDArray[np.bool_], rng: np.random.Generator
) -> dict[str, Floats]:
    """Elevation, climate and cover that go together: high is cold, wet and warm is forest."""
    sine = xyz[:, 2]
    elevation = np.clip(350 + 500 * _waves(xyz, 8.0, rng) + 350 * _waves(xyz, 20.0, rng), 0, 6000)
    temperature = 27 - 42 * sine**2 - 0.0065 * elevation + 2 * _waves(xyz, 6.0, rng)
    # Wet at the equator and in the westerlies (50°), dry in the horse latitudes between.
    tropics = np.exp(-((sine / 0.22) ** 2))
    westerlies = np.exp(-(((np.abs(sine) - 0.77) / 0.2) ** 2))
    rain = np.exp(6.0 + 1.05 * tropics + 0.5 * westerlies + 0.5 * _waves(xyz, 6.0, rng))
    urban = np.clip(rng.beta(0.15, 6, len(sine)) * (temperature > -2), 0, 1)
    shore = np.quantile(continents, 1 - _LAND_SHARE)
    water = np.clip(rng.beta(0.4, 8, len(sine)) + 0.5 * np.exp(-(continents - shore) / 0.08), 0, 1)
    cover = _land_cover(temperature, rain, urban)
    trees = np.array([_TREE_HEIGHT_M.get(int(kind), 0.0) for kind in cover])
    canopy = trees * np.exp(0.2 * rng.standard_normal(len(sine)))
    columns = (water, elevation, rain, temperature, urban, cover, canopy)
    return {
        name: np.where(land, values, np.nan)
        for name, values in zip(ENVIRONMENT, columns, strict=True)
    }


def _land_cover(temperature: Floats, rain: Floats, urban: Floats) -> Floats:
    """Classes of the IGBP legend from climate: 1 needleleaf forest … 16 barren."""
    cover: Floats = np.select(
        [
            urban > 0.4,
            temperature < -8,
            rain < 230,
            temperature < 5,
            (temperature > 20) & (rain > 1200),
            rain > 1000,
            (temperature > 18) & (rain > 650),
            temperature > 18,
            rain > 600,
        ],
        [13.0, 15.0, 16.0, 1.0, 2.0, 4.0, 8.0, 9.0, 12.0],
        default=10.0,
    )
    return cover


def _waves(xyz: Floats, frequency: float, rng: np.random.Generator, count: int = 60) -> Floats:
    """A smooth random map of unit variance: (N,); higher frequency, smaller patches."""
    vectors = frequency * rng.standard_normal((3, count))
    phases = rng.uniform(0, 2 * np.pi, count)
    total = np.zeros(len(xyz))
    for vector, phase in zip(vectors.T, phases, strict=True):
        total += np.cos(xyz @ vector + phase)
    total /= np.sqrt(count / 2)
    return total
