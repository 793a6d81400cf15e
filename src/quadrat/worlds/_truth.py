"""What is true on an invented planet: who is where and when, and the chance to be recorded."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadrat.errors import DataError, UnknownNameError, UsageError
from quadrat.worlds._fauna import WEEKS


@dataclass(frozen=True, eq=False)
class PlanetTruth:
    """Occupancy and detection of every species; N cells, S species, K occupied pairs of both.

    Attributes:
        cells: (N,) H3 indices, in the row order of the combined table.
        lat: (N,) degrees.
        lon: (N,) degrees.
        land: (N,) bool.
        effort: (N,) observer effort a week.
        species: (S,) codes, in the row order of the taxonomy.
        abundance: (S,) expected detections a week at full occupancy and effort 1.
        phenology: (S, 48) factor of each week, 0–1.
        indptr: (S + 1,) where each species begins in ``rows`` and ``suitability``.
        rows: (K,) rows of cells, ascending within a species.
        suitability: (K,) occupancy in the best week, 0–1.
    """

    cells: NDArray[np.str_]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    land: NDArray[np.bool_]
    effort: NDArray[np.float64]
    species: NDArray[np.str_]
    abundance: NDArray[np.float64]
    phenology: NDArray[np.float64]
    indptr: NDArray[np.int64]
    rows: NDArray[np.int32]
    suitability: NDArray[np.float16]

    def occupancy(self, species: str, week: int) -> NDArray[np.float64]:
        """Share of each cell that a species occupies, whether or not anybody looks.

        Args:
            species: A species code.
            week: 1 to 48, or 0 for the highest of the year.

        Returns:
            (N,) values from 0 to 1.

        Raises:
            UnknownNameError: No such species.
            UsageError: No such week.
        """
        if species not in self._row_of_species:
            raise UnknownNameError("species", species, self._row_of_species)
        row = self._row_of_species[species]
        season = self.phenology[row].max() if _week(week) == 0 else self.phenology[row, week - 1]
        occupied = np.zeros(len(self.cells))
        span = slice(self.indptr[row], self.indptr[row + 1])
        occupied[self.rows[span]] = self.suitability[span] * season
        return occupied

    def oracle_probability(self, rows: ArrayLike, weeks: ArrayLike) -> NDArray[np.float32]:
        """Chance that each species stands in the list of a cell and week: no model can know more.

        ``1 − exp(−effort · abundance · suitability · phenology)``; for week 0 the chance of at
        least one record in the year.

        Args:
            rows: (B,) rows of cells.
            weeks: (B,) weeks 1 to 48, or 0 for the year; one number stands for all.

        Returns:
            (B, S) probabilities: dense, so ask for a batch at a time.

        Raises:
            UsageError: Rows or weeks outside the planet.
        """
        row = np.atleast_1d(np.asarray(rows, dtype=np.int64))
        week = np.broadcast_to(np.asarray(weeks, dtype=np.int64), row.shape)
        if row.size and not (row.min() >= 0 and row.max() < len(self.cells)):
            raise UsageError(f"rows: give numbers from 0 to {len(self.cells) - 1}")
        for value in np.unique(week):
            _week(int(value))
        starts, species, suitability = self._by_cell
        expected = np.zeros((len(row), len(self.species)), np.float32)
        for index, cell in enumerate(row):
            span = slice(starts[cell], starts[cell + 1])
            expected[index, species[span]] = suitability[span]
        yearly = np.concatenate([self.phenology.sum(1, keepdims=True), self.phenology], axis=1)
        expected *= (yearly * self.abundance[:, None]).astype(np.float32).T[week]
        expected *= self.effort[row, None].astype(np.float32)
        return np.asarray(-np.expm1(-expected))

    @cached_property
    def _row_of_species(self) -> dict[str, int]:
        return {str(code): row for row, code in enumerate(self.species)}

    @cached_property
    def _by_cell(self) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float16]]:
        """The occupied pairs sorted by cell: starts (N + 1,), species (K,), suitability (K,)."""
        counts = np.diff(self.indptr)
        species = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        order = np.argsort(self.rows, kind="stable")
        starts = np.searchsorted(self.rows[order], np.arange(len(self.cells) + 1))
        return starts, species[order], self.suitability[order]


def write_truth(truth: PlanetTruth, path: Path) -> None:
    """Write all arrays into one compressed npz file."""
    arrays = {field.name: getattr(truth, field.name) for field in fields(truth)}
    np.savez_compressed(path, allow_pickle=False, **arrays)


def read_truth(path: str | Path) -> PlanetTruth:
    """Read the truth of a planet made earlier.

    Args:
        path: Its ``truth.npz``.

    Raises:
        DataError: The file is missing or is not the truth of a planet.
    """
    file = Path(path)
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return PlanetTruth(**{field.name: arrays[field.name] for field in fields(PlanetTruth)})
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{file}: cannot be read as the truth of a planet ({error})",
            fix="make the planet again with quadrat.worlds.make_planet",
        ) from error


def _week(week: int) -> int:
    if not 0 <= week <= WEEKS:
        raise UsageError(f"week = {week}: give 1 to {WEEKS}, or 0 for the whole year")
    return week
