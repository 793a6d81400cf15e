"""A region of species whose niches are known, recorded by people who stay near a road."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SIDE_KM = 100.0
SOILS = ("clay", "peat", "sand")
COLUMNS = ("x", "y", "temperature_c", "rain_mm", "soil")


@dataclass(frozen=True, eq=False)
class Landscape:
    """Places of the region; all arrays have one entry a place.

    Attributes:
        x: Kilometres to the east.
        y: Kilometres to the north.
        temperature_c: Annual mean.
        rain_mm: Annual sum.
        soil: Position in ``SOILS``.
        effort: How likely an observer is to come here, relative to a place at the road.
    """

    x: Floats
    y: Floats
    temperature_c: Floats
    rain_mm: Floats
    soil: NDArray[np.int64]
    effort: Floats

    def rows(self) -> Iterable[list[object]]:
        """The columns of a table, in the order of ``COLUMNS``."""
        soils = [SOILS[soil] for soil in self.soil.tolist()]
        columns = (self.x, self.y, self.temperature_c, self.rain_mm)
        numbers = (np.round(column, 3).tolist() for column in columns)
        return ([*row] for row in zip(*numbers, soils, strict=True))


@dataclass(frozen=True, eq=False)
class PointsWorld:
    """The files of an invented region.

    Attributes:
        records: CSV of presences, one row a record: species, group, and the columns of a place.
        background: CSV of places drawn evenly.
        surveys: CSV of places drawn evenly, with a column of 1 and 0 for every species.
        codes: The species.
        survey_chances: The true probability of each species at every survey ``(N, S)``.
    """

    records: Path
    background: Path
    surveys: Path
    codes: tuple[str, ...]
    survey_chances: Floats


def make_points(
    folder: str | Path, *, species: int = 8, visits: int = 600, surveys: int = 600, seed: int = 0
) -> PointsWorld:
    """Invent a region and its species, and write what observers recorded and surveys found.

    A species has a Gaussian niche along temperature and rain and a preference of soil. It gets
    warmer to the north, where the road runs, so that records alone make every species look fond
    of warmth.

    Args:
        folder: Where the tables go; it is made.
        species: Number of species; every other one is a plant, the rest are birds.
        visits: Visits by observers, of which each sees one group.
        surveys: Surveyed places, and background places.
        seed: Of everything.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng((seed, 11))
    niches = _Niches.drawn(species, rng)
    codes = tuple(f"sp{number:02d}" for number in range(1, species + 1))
    groups = np.array(["bird", "plant"])[np.arange(species) % 2]
    tried = _landscape(visits * 6, rng)
    came = _some(tried, rng.random(visits * 6) < tried.effort)
    seen = rng.random((len(came.x), species)) < niches.chances(came)
    looked_for = rng.choice(["bird", "plant"], len(came.x))
    records = [
        [codes[column], str(groups[column]), *row]
        for row, found, group in zip(came.rows(), seen, looked_for, strict=True)
        for column in np.flatnonzero(found & (groups == group)).tolist()
    ]
    _write(folder / "records.csv", ["species", "group", *COLUMNS], records)
    _write(folder / "background.csv", COLUMNS, _landscape(surveys, rng).rows())
    surveyed = _landscape(surveys, rng)
    chances = niches.chances(surveyed)
    found = (rng.random(chances.shape) < chances).astype(np.int64).tolist()
    rows = ([*row, *seen] for row, seen in zip(surveyed.rows(), found, strict=True))
    _write(folder / "surveys.csv", [*COLUMNS, *codes], rows)
    tables = {name: folder / f"{name}.csv" for name in ("records", "background", "surveys")}
    return PointsWorld(**tables, codes=codes, survey_chances=chances)


@dataclass(frozen=True, eq=False)
class _Niches:
    """Optimum, breadth and preferred soils of every species."""

    temperature_c: Floats
    rain_mm: Floats
    breadth: Floats
    soil: Floats

    @classmethod
    def drawn(cls, species: int, rng: np.random.Generator) -> _Niches:
        return cls(
            temperature_c=rng.uniform(6.0, 16.0, species),
            rain_mm=rng.uniform(500.0, 1100.0, species),
            breadth=rng.uniform(0.8, 1.4, species),
            soil=rng.uniform(0.2, 1.0, (species, len(SOILS))),
        )

    def chances(self, places: Landscape) -> Floats:
        """The probability of every species ``(N, S)``."""
        warmth = (places.temperature_c[:, None] - self.temperature_c) / (2.5 * self.breadth)
        wetness = (places.rain_mm[:, None] - self.rain_mm) / (180.0 * self.breadth)
        fit: Floats = np.exp(-0.5 * (warmth**2 + wetness**2)) * self.soil[:, places.soil].T
        return fit


def _landscape(count: int, rng: np.random.Generator) -> Landscape:
    """Places drawn evenly; the land itself is the same for every seed."""
    x, y = rng.uniform(0.0, SIDE_KM, (2, count))
    temperature = 6.0 + 10.0 * y / SIDE_KM + 1.5 * np.sin(x / 9.0)
    rain = 800.0 + 250.0 * np.sin(x / 17.0 + 1.0) * np.cos(y / 13.0)
    soil = np.floor(1.5 + 1.5 * np.sin(x / 11.0) * np.sin(y / 7.0)).astype(np.int64)
    road = 75.0 + 8.0 * np.sin(x / 15.0)
    effort = np.exp(-np.abs(y - road) / 20.0)
    return Landscape(x, y, temperature, rain, np.clip(soil, 0, len(SOILS) - 1), effort)


def _some(places: Landscape, rows: NDArray[np.bool_]) -> Landscape:
    return Landscape(**{name: values[rows] for name, values in vars(places).items()})


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
