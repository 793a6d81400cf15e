"""What a run knows of the environment of places, so that it can be asked without its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.errors import RunError, UsageError, closest
from quadrat.geo import EDGE_KM, chord, spacing_km, unit_vectors
from quadrat.occurrence.samples.environment import EnvironmentEncoder
from quadrat.runs import FORMAT_VERSION, read_json, write_json
from quadrat.tables import read_table, write_table

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

    from quadrat.occurrence.records.cells import CellTable

_DESCRIPTION, _CELLS = "environment.json", "environment.parquet"

Floats = NDArray[np.float64]


class Surroundings(Protocol):
    """What says of the environment of places as much as a model wants to know."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that may be given."""
        ...

    def encoded(
        self, lat: Floats, lon: Floats, given: Mapping[str, Floats] | None = None
    ) -> NDArray[np.float32]:
        """The encoded environment of places ``(N, E)``; see `KnownEnvironment.encoded`."""
        ...


@dataclass(frozen=True)
class KnownEnvironment:
    """The environment of a run's cells in its own units, and how it is encoded.

    Args:
        encoder: Fitted on training cells.
        lat: Latitudes of the cells in degrees ``(C,)``.
        lon: Longitudes of the cells in degrees ``(C,)``.
        values: Their columns, in the encoder's order ``(C, columns)``, NaN where unknown.
        reach_km: How far from its centre a cell still speaks for a place.
    """

    encoder: EnvironmentEncoder
    lat: Floats
    lon: Floats
    values: Floats
    reach_km: float

    @classmethod
    def of(cls, table: CellTable, encoder: EnvironmentEncoder) -> KnownEnvironment:
        """The environment of all cells of a table; a cell reaches as far as its diameter."""
        resolution = table.resolution()
        reach = spacing_km(table.lat, table.lon) if resolution is None else 2 * EDGE_KM[resolution]
        values = table.environment[:, : len(encoder.columns)]
        return cls(encoder, table.lat, table.lon, values, reach)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return self.encoder.names

    def at(self, lat: Floats, lon: Floats) -> Floats:
        """The columns of the nearest cell ``(N, columns)``, NaN where it is out of reach.

        Args:
            lat: Latitudes in degrees ``(N,)``.
            lon: Longitudes in degrees ``(N,)``.
        """
        distance, nearest = self._tree.query(unit_vectors(lat, lon))
        near = distance <= chord(self.reach_km)
        return np.where(near[:, None], self.values[nearest], np.nan)

    def encoded(
        self, lat: Floats, lon: Floats, given: Mapping[str, Floats] | None = None
    ) -> NDArray[np.float32]:
        """The encoded environment of places ``(N, E)``, NaN where unknown.

        Args:
            lat: Latitudes in degrees ``(N,)``.
            lon: Longitudes in degrees ``(N,)``.
            given: Columns in their own units ``(N,)`` by name; they go before what the cells know,
                wherever they are not NaN.

        Raises:
            UsageError: A name is not that of a column.
        """
        values = self.at(lat, lon)
        for name, column in (given or {}).items():
            if name not in self.encoder.names:
                raise UsageError(
                    f"the model knows no environment column '{name}'; it has: "
                    f"{', '.join(self.encoder.names)}.{closest(name, self.encoder.names)}"
                )
            own = values[:, self.encoder.names.index(name)]
            np.copyto(own, column, where=~np.isnan(column))
        return self.encoder.encoded(values)

    def save(self, folder: Path) -> None:
        """Writes ``environment.json`` and ``environment.parquet`` (lat, lon and the columns)."""
        columns = dict(zip(self.encoder.names, self.values.T, strict=True))
        frame = pl.DataFrame({"lat": self.lat, "lon": self.lon, **columns})
        write_table(frame, folder / _CELLS)
        description = {
            "format_version": FORMAT_VERSION,
            "reach_km": self.reach_km,
            "columns": self.encoder.to_dict(),
        }
        write_json(folder / _DESCRIPTION, description)

    @classmethod
    def load(cls, folder: Path) -> KnownEnvironment:
        """Reads what `save` wrote.

        Raises:
            RunError: The files are missing or do not belong together.
        """
        description = read_json(folder / _DESCRIPTION)
        encoder = EnvironmentEncoder.from_dict(description["columns"])
        frame = read_table(folder / _CELLS)
        if frame.columns != ["lat", "lon", *encoder.names]:
            raise RunError(
                f"{folder}: {_CELLS} and {_DESCRIPTION} name different columns. Restore both files "
                "as they were written."
            )
        values = frame.select(encoder.names).to_numpy()
        lat, lon = frame["lat"].to_numpy(), frame["lon"].to_numpy()
        return cls(encoder, lat, lon, values, float(description["reach_km"]))

    @cached_property
    def _tree(self) -> cKDTree:
        from scipy.spatial import cKDTree

        return cKDTree(unit_vectors(self.lat, self.lon))
