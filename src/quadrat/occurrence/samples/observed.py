"""Where a run has records, so that an answer far from all of them can say so."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadrat.errors import RunError
from quadrat.geo import (
    EDGE_KM,
    cell_centres,
    cells_at,
    chord_km,
    great_circle_km,
    spacing_km,
    unit_vectors,
)
from quadrat.runs import atomic_path

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

FILE = "observed.npz"
JUDGED_SHARE = 0.99
"""Farther from all records than this share of the judged cells is beyond what was judged."""

_LOOKED_AT = 1000
"""So many cells tell the grid: the centre of a cell is that of one finer cell in seven too."""

_OFF_CENTRE = 1e-3
"""A point is the centre of an H3 cell within this share of the cell's edge."""

_CLOSE, _SAME_KM = 0.05, 0.01
"""Where cells are no H3 cells: the quantile of their distances, and what is the same place."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ObservedCells:
    """The training cells in which anything was seen.

    Args:
        lat: Latitudes of their centres in degrees ``(C,)``.
        lon: Longitudes in degrees ``(C,)``.
        records: Species seen, summed over the weeks ``(C,)``.
        far_km: From which distance on a place is beyond what was judged.
    """

    lat: Floats
    lon: Floats
    records: NDArray[np.int64]
    far_km: float

    @classmethod
    def of(
        cls,
        training: tuple[Floats, Floats, NDArray[np.int64]],
        judged: tuple[Floats, Floats],
    ) -> ObservedCells:
        """The cells of a run.

        ``far_km`` is the distance within which 99 % of the judged cells have a training cell with
        records: no score says anything about places that are farther away. It is at least the
        usual distance between cells, as where other years of the same cells are judged.

        Args:
            training: Latitudes, longitudes and numbers of records of all training cells ``(C,)``.
            judged: Latitudes and longitudes of the judged cells.
        """
        lat, lon, records = training
        some = records > 0
        found = cls(lat[some], lon[some], records[some], np.inf)
        far = float(np.quantile(found.distance_km(*judged), JUDGED_SHARE))
        return replace(found, far_km=max(far, spacing_km(lat, lon)))

    def distance_km(self, lat: ArrayLike, lon: ArrayLike) -> Floats:
        """The distance in km of places to the nearest of the cells ``(N,)``.

        Args:
            lat: Latitudes in degrees ``(N,)``.
            lon: Longitudes in degrees ``(N,)``.
        """
        chords = self._tree.query(unit_vectors(lat, lon))[0]
        return chord_km(chords)

    def holds(self, lat: ArrayLike, lon: ArrayLike) -> NDArray[np.bool_]:
        """Whether places lie in one of the cells ``(N,)``.

        The cells are those of the H3 grid whose centres they are. Where they are of no such grid,
        a place lies in a cell within half the distance of cells that are close to each other.

        Args:
            lat: Latitudes in degrees ``(N,)``.
            lon: Longitudes in degrees ``(N,)``.
        """
        if self._resolution is None:
            reach = spacing_km(self.lat, self.lon, _CLOSE) / 2
            return np.asarray(self.distance_km(lat, lon) <= max(reach, _SAME_KM))
        own = cells_at(self.lat, self.lon, self._resolution)
        return np.isin(cells_at(lat, lon, self._resolution), own)

    def save(self, folder: Path) -> None:
        """Writes ``observed.npz``, arrays only."""
        names = ("lat", "lon", "records", "far_km")
        arrays = {name: np.asarray(getattr(self, name)) for name in names}
        with atomic_path(folder / FILE) as temporary:
            np.savez(temporary, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, folder: Path) -> ObservedCells | None:
        """Reads what `save` wrote; None where a model does not say where its records were.

        Raises:
            RunError: The file is damaged.
        """
        path = folder / FILE
        if not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as file:
                return cls(file["lat"], file["lon"], file["records"], float(file["far_km"]))
        except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
            raise RunError(f"{path} cannot be used: {error}. Repeat the run.") from error

    @cached_property
    def _resolution(self) -> int | None:
        """The coarsest H3 resolution of which all cells are cells."""
        lat, lon = self.lat[:_LOOKED_AT], self.lon[:_LOOKED_AT]
        for resolution, edge in enumerate(EDGE_KM):
            centres = cell_centres(cells_at(lat, lon, resolution))
            if (great_circle_km(lat, lon, *centres) <= _OFF_CENTRE * edge).all():
                return resolution
        return None

    @cached_property
    def _tree(self) -> cKDTree:
        from scipy.spatial import cKDTree

        return cKDTree(unit_vectors(self.lat, self.lon))
