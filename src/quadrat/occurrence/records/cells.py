"""Reading the combined parquet: one row a cell, its environment, and 48 lists of species.

What stands in the lists becomes one sparse matrix of cells × weeks over species.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from quadrat.errors import DataError, closest
from quadrat.geo import CellIds, format_cells, resolutions
from quadrat.occurrence.labels.matrix import LabelMatrix
from quadrat.occurrence.records._arrow import as_floats
from quadrat.occurrence.records._cell_places import read_cell_places
from quadrat.occurrence.records._species_lists import (
    WEEK_COLUMNS,
    check_week_columns,
    read_species_lists,
)
from quadrat.occurrence.records.places import LATITUDES, LONGITUDES, check_range, find_column
from quadrat.tables import FIRST_ROW

YEAR, WATER = "year", "water_fraction"

_NOT_ENVIRONMENT = {"h3_index", "target_km", "h3_resolution", YEAR}


@dataclass(frozen=True)
class CellTable:
    """The cells of a combined parquet and what was seen in them.

    In a table with years there is one row a cell and year, and `C` counts these rows.

    Args:
        path: The file.
        cells: H3 indices ``(C,)``, or None where the table gives coordinates.
        lat: Latitudes of the centres in degrees ``(C,)``.
        lon: Longitudes of the centres in degrees ``(C,)``, in [-180, 180).
        environment_names: Names of the environment columns.
        environment: Their values ``(C, E)``, NaN where unknown.
        codes: The species codes that occur, sorted.
        labels: The positives; row ``cell * 48 + week - 1``, column by ``codes``.
        water: Share of water ``(C,)``, NaN where unknown.
        years: The year of each row ``(C,)``, or None where the table has no years.
        renamed: The old codes that occurred and whose records count for others by synonyms.
    """

    path: Path
    cells: CellIds | None
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    environment_names: tuple[str, ...]
    environment: NDArray[np.float64]
    codes: tuple[str, ...]
    labels: LabelMatrix
    water: NDArray[np.float64]
    years: NDArray[np.int64] | None = None
    renamed: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.lat)

    def names(self, index: Sequence[int] | NDArray[np.int64] | None = None) -> list[str]:
        """The rows' names: H3 indices, or ``lat,lon`` where there are none; then the year."""
        rows = np.arange(len(self)) if index is None else np.asarray(index, np.int64)
        if self.cells is not None:
            names = format_cells(self.cells[rows])
        else:
            pairs = zip(self.lat[rows].tolist(), self.lon[rows].tolist(), strict=True)
            names = [f"{lat:.5f},{lon:.5f}" for lat, lon in pairs]
        if self.years is None:
            return names
        years = self.years[rows].tolist()
        return [f"{name} {year}" for name, year in zip(names, years, strict=True)]

    def places(self) -> NDArray[np.int64]:
        """The number of each row's place ``(C,)``: rows of one cell in several years share it."""
        if self.years is None:
            return np.arange(len(self))
        keys = np.stack([self.lat, self.lon], axis=1)
        return np.unique(keys, axis=0, return_inverse=True)[1].astype(np.int64)

    def resolution(self) -> int | None:
        """The H3 resolution of the cells, if they have one in common."""
        if self.cells is None:
            return None
        found = np.unique(resolutions(self.cells))
        return int(found[0]) if len(found) == 1 else None


def read_cells(
    path: Path | str,
    *,
    environment: Sequence[str] | None = None,
    synonyms: Mapping[str, str] | None = None,
) -> CellTable:
    """Reads a combined parquet.

    Args:
        path: The file. It has ``h3_index``, or ``lat`` and ``lon``; ``week_1`` … ``week_48`` as
            lists of species codes; perhaps ``year``, with one row a cell and year; every other
            numeric column is environment.
        environment: Only these environment columns; all by default.
        synonyms: Old code → new code, for which its records count.

    Raises:
        DataError: Names the file, the columns and rows that are wrong, and what to do.
    """
    path = Path(path)
    table = _read_table(path, environment)
    if table.num_rows == 0:
        raise DataError(f"the table {path} has no rows.", fix="give a table with cells in it.")
    years = _years(table, path)
    cells, lat, lon = read_cell_places(table, path, years)
    names = _environment_columns(table.schema, path, environment)
    values = [as_floats(table.column(name)) for name in names]
    _check_finite(values, names, path)
    codes, labels, renamed = read_species_lists(table, path, synonyms or {})
    water = _water(table)
    del table
    pa.default_memory_pool().release_unused()  # arrow would keep as much as the file took
    return CellTable(
        path=path,
        cells=cells,
        lat=lat,
        lon=lon,
        environment_names=names,
        environment=np.stack(values, axis=1) if values else np.empty((len(lat), 0)),
        codes=codes,
        labels=labels,
        water=water,
        years=years,
        renamed=renamed,
    )


def _read_table(path: Path, environment: Sequence[str] | None) -> pa.Table:
    if not path.is_file():
        raise DataError(f"the table {path} does not exist.", fix="check data.table.")
    try:
        with pq.ParquetFile(path) as file:
            schema, leaves = file.schema_arrow, [column.path for column in file.schema]
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"the table {path} is not a parquet file: {str(error).rstrip('.')}.",
            fix="give the combined parquet: one row a cell, with week_1 … week_48.",
        ) from error
    check_week_columns(schema, path)
    wanted = {*WEEK_COLUMNS, "h3_index", YEAR, WATER}
    wanted.update(_environment_columns(schema, path, environment))
    places = [find_column(schema.names, names) for names in (LATITUDES, LONGITUDES)]
    wanted.update(name for name in places if name is not None)
    lists = [leaf for leaf in leaves if leaf.partition(".")[0] in WEEK_COLUMNS]
    columns = [name for name in schema.names if name in wanted]
    with pq.ParquetFile(path, read_dictionary=lists, memory_map=True) as file:
        # One row group at a time: arrow cannot join lists over different dictionaries itself.
        groups = [file.read_row_group(n, columns=columns) for n in range(file.num_row_groups)]
    return pa.concat_tables(groups) if groups else schema.empty_table()


def _environment_columns(
    schema: pa.Schema, path: Path, chosen: Sequence[str] | None
) -> tuple[str, ...]:
    numeric = [
        field.name
        for field in schema
        if field.name not in _NOT_ENVIRONMENT
        and field.name.lower() not in (*LATITUDES, *LONGITUDES)
        and _is_number(field.type)
    ]
    if chosen is None:
        return tuple(numeric)
    problems = [
        f"'{name}' is not a numeric column.{closest(name, numeric)}"
        for name in chosen
        if name not in numeric
    ]
    if problems:
        raise DataError(
            f"the table {path} lacks columns of data.environment; "
            f"its numeric columns are: {', '.join(numeric) or 'none'}.",
            problems,
            fix="change data.environment.",
        )
    return tuple(chosen)


def _years(table: pa.Table, path: Path) -> NDArray[np.int64] | None:
    if YEAR not in table.column_names:
        return None
    column = table.column(YEAR)
    if not _is_number(column.type):
        raise DataError(
            f"{path}: column '{YEAR}' is {column.type}, not numbers.", fix="store years as int."
        )
    values = as_floats(column)
    check_range(values, 1, 9999, f"column '{YEAR}'", path, whole="years")
    return values.astype(np.int64)


def _water(table: pa.Table) -> NDArray[np.float64]:
    if WATER not in table.column_names or not _is_number(table.schema.field(WATER).type):
        return np.full(table.num_rows, np.nan)
    return as_floats(table.column(WATER))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _check_finite(values: Sequence[NDArray[np.float64]], names: Sequence[str], path: Path) -> None:
    problems = [
        f"column '{name}', row {row + FIRST_ROW}: {column[row]}"
        for name, column in zip(names, values, strict=True)
        for row in np.flatnonzero(np.isinf(column))
    ]
    if problems:
        raise DataError(
            f"{path}: environment values must be finite.",
            problems,
            fix="leave unknown values blank.",
        )
