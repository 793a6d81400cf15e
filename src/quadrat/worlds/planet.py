"""A planet of species whose true ranges, seasons and observer effort are known."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quadrat.errors import UsageError
from quadrat.worlds._combined import TARGET_KM, Detections, write_combined
from quadrat.worlds._fauna import WEEKS, Fauna, make_fauna, suitability
from quadrat.worlds._globe import Globe, make_globe
from quadrat.worlds._truth import PlanetTruth, read_truth, write_truth

_WATCHED = 18


@dataclass(frozen=True)
class PlanetWorld:
    """The files of an invented planet.

    Attributes:
        folder: Where everything lies.
        table: The combined parquet: ``h3_index``, environment columns, ``target_km``,
            ``h3_resolution`` and ``week_1`` … ``week_48`` with lists of species codes.
        taxonomy: CSV with ``species_code,sci_name,com_name,class_name``.
        watchlist: Codes of the recorded species with the smallest ranges, one a line.
        truth_file: Occupancy, phenology, effort and abundance as arrays (npz).
    """

    folder: Path
    table: Path
    taxonomy: Path
    watchlist: Path
    truth_file: Path

    @cached_property
    def truth(self) -> PlanetTruth:
        """Who is where and when, and the chance of every record; read when first asked for."""
        return read_truth(self.truth_file)


def make_planet(
    folder: str | Path,
    *,
    resolution: int = 1,
    species: int = 150,
    radius_km: float = 1800,
    effort: float = 1.0,
    seed: int = 0,
) -> PlanetWorld:
    """Invent continents, climate, species and observers, and write what the observers recorded.

    Cells are real H3 cells on the real globe; land, climate and species are invented. A species
    has a circular range with a soft edge (radius in km), a preferred temperature and precipitation,
    and a phenology: resident, summer or winter visitor, or passage migrant by the hemisphere of its
    centre. A cell's effort is lognormal, smooth over regions, and higher where towns are. A species
    is listed in a cell and week with probability
    ``1 − exp(−effort · abundance · suitability · phenology)``: see `PlanetTruth`.

    Args:
        folder: Made if needed; files of the same name are overwritten.
        resolution: H3 resolution, 0 to 4 (122, 842, 5,882, 41,162, 288,122 cells).
        species: Number of species, birds, mammals and amphibians.
        radius_km: Median radius of a range; radii are lognormal, between 120 and 6,000 km.
        effort: Of the median land cell: records a week of a species with abundance 1 that occupies
            all of the cell.
        seed: The same seed makes the same bytes (with the same versions of numpy and pyarrow), and
            the same continents at every resolution.

    Returns:
        The files made.

    Raises:
        UsageError: A resolution, number or effort that no planet can have.
    """
    _check(resolution, species, radius_km, effort)
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    world = PlanetWorld(
        folder=root,
        table=root / "combined.parquet",
        taxonomy=root / "taxonomy.csv",
        watchlist=root / "watchlist.txt",
        truth_file=root / "truth.npz",
    )
    globe = make_globe(resolution, seed)
    fauna = make_fauna(globe, species, radius_km, seed)
    truth = _truth(globe, fauna, effort)
    write_truth(truth, world.truth_file)
    weeks, recorded = _observe(truth, np.random.default_rng((seed, 2)))
    write_combined(world.table, globe, resolution, [name.code for name in fauna.names], weeks)
    _write_taxonomy(world.taxonomy, fauna)
    rarest = [row for row in np.argsort(fauna.radius_km, kind="stable") if recorded[row]]
    watched = rarest[: min(_WATCHED, max(1, species // 8))]
    world.watchlist.write_text(
        "".join(f"{fauna.names[row].code}\n" for row in watched), encoding="utf-8"
    )
    return world


def _truth(globe: Globe, fauna: Fauna, effort: float) -> PlanetTruth:
    rows, values = zip(*suitability(globe, fauna), strict=True)
    return PlanetTruth(
        cells=np.array(globe.cells),
        lat=globe.lat,
        lon=globe.lon,
        land=globe.land,
        effort=effort * globe.effort,
        species=np.array([name.code for name in fauna.names]),
        abundance=fauna.abundance,
        phenology=fauna.phenology,
        indptr=np.concatenate([[0], np.cumsum([len(part) for part in rows])]),
        rows=np.concatenate(rows),
        suitability=np.concatenate(values).astype(np.float16),
    )


def _observe(
    truth: PlanetTruth, rng: np.random.Generator
) -> tuple[list[Detections], NDArray[np.int64]]:
    """Draw every record of the year, species by species.

    Returns:
        The records of each week, and how often each species was recorded.
    """
    cells: list[NDArray[np.int32]] = []
    weeks: list[NDArray[np.uint8]] = []
    effort = truth.effort.astype(np.float32)
    for row, (start, stop) in enumerate(zip(truth.indptr[:-1], truth.indptr[1:], strict=True)):
        where = truth.rows[start:stop]
        rate = effort[where] * truth.suitability[start:stop] * np.float32(truth.abundance[row])
        expected = rate[:, None] * truth.phenology[row].astype(np.float32)
        seen = rng.random(expected.shape, dtype=np.float32) < -np.expm1(-expected)
        cell, week = np.nonzero(seen)
        cells.append(where[cell])
        weeks.append(week.astype(np.uint8))
    counts = np.array([len(part) for part in cells])
    all_cells, all_weeks = np.concatenate(cells), np.concatenate(weeks)
    species = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    return [_of_week(all_cells, species, all_weeks == number) for number in range(WEEKS)], counts


def _of_week(
    cell: NDArray[np.int32], species: NDArray[np.int32], chosen: NDArray[np.bool_]
) -> Detections:
    order = np.argsort(cell[chosen], kind="stable")
    return Detections(cell[chosen][order], species[chosen][order])


def _write_taxonomy(path: Path, fauna: Fauna) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("species_code", "sci_name", "com_name", "class_name"))
        writer.writerows(
            (name.code, name.scientific, name.common, name.class_name) for name in fauna.names
        )


def _check(resolution: int, species: int, radius_km: float, effort: float) -> None:
    if not 0 <= resolution < len(TARGET_KM):
        raise UsageError(f"resolution = {resolution}: give 0 to {len(TARGET_KM) - 1}")
    if species < 1:
        raise UsageError(f"species = {species}: a planet needs at least one species")
    if not 0 < radius_km < float("inf"):
        raise UsageError(f"radius_km = {radius_km}: give a number above 0")
    if not 0 < effort < float("inf"):
        raise UsageError(f"effort = {effort}: give a number above 0")
