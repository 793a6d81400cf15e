"""Where the cells of a combined parquet lie: H3 indices, or latitudes and longitudes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from quadrat.errors import DataError
from quadrat.geo import CellIds, cell_centres, format_cells, parse_cells, wrap_lon
from quadrat.occurrence.records._arrow import as_floats, as_series
from quadrat.occurrence.records.places import LATITUDES, LONGITUDES, check_range, find_column
from quadrat.tables import FIRST_ROW


def read_cell_places(
    table: pa.Table, path: Path, years: NDArray[np.int64] | None = None
) -> tuple[CellIds | None, NDArray[np.float64], NDArray[np.float64]]:
    """The cells of a table.

    Args:
        table: It has ``h3_index``, or ``lat`` and ``lon``.
        path: The file, for messages.
        years: The year of each row, where a cell may have several rows.

    Returns:
        H3 indices ``(C,)`` or None, latitudes and longitudes of the centres ``(C,)``.

    Raises:
        DataError: Names the rows whose cell is none, or is there twice.
    """
    if "h3_index" in table.column_names:
        cells = _cells(table.column("h3_index"), path)
        lat, lon = cell_centres(cells)
        _check_unique(format_cells(cells), years, path, "h3_index")
        return cells, lat, wrap_lon(lon)
    columns = [find_column(table.column_names, names) for names in (LATITUDES, LONGITUDES)]
    if columns[0] is not None and columns[1] is not None:
        lat = _degrees(table.column(columns[0]), columns[0], 90.0, path)
        lon = _degrees(table.column(columns[1]), columns[1], 360.0, path)
        pairs = zip(lat.tolist(), lon.tolist(), strict=True)
        names = [f"{a}, {b}" for a, b in pairs]
        _check_unique(names, years, path, f"{columns[0]} and {columns[1]}")
        return None, lat, wrap_lon(lon)
    raise DataError(
        f"the table {path} does not say where its cells lie.",
        [f"it has: {', '.join(table.column_names[:12])}"],
        fix="add the column h3_index, or lat and lon in degrees.",
    )


def _cells(column: pa.ChunkedArray, path: Path) -> CellIds:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    texts = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if not texts and not pa.types.is_integer(kind):
        raise DataError(
            f"{path}: column 'h3_index' is {kind}.",
            fix="store H3 indices as hexadecimal text (82…) or as integers.",
        )
    cells, valid = parse_cells(as_series(column))
    if not valid.all():
        rows = np.flatnonzero(~valid)
        raise DataError(
            f"{path}: column 'h3_index' holds values that are no H3 cells.",
            [f"row {row + FIRST_ROW}: {column[int(row)].as_py()!r}" for row in rows],
            fix="correct or remove these rows.",
        )
    return cells


def _degrees(column: pa.ChunkedArray, name: str, limit: float, path: Path) -> NDArray[np.float64]:
    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        raise DataError(
            f"{path}: column '{name}' is {column.type}, not numbers.",
            fix="store degrees as double.",
        )
    values = as_floats(column)
    check_range(values, -limit, limit, f"column '{name}'", path)
    return values


def _check_unique(
    keys: Sequence[str], years: NDArray[np.int64] | None, path: Path, column: str
) -> None:
    if years is not None:
        keys = [f"{key}, year {year}" for key, year in zip(keys, years.tolist(), strict=True)]
    first: dict[str, int] = {}
    problems = [
        f"rows {first[key] + FIRST_ROW} and {row + FIRST_ROW}: {key}"
        for row, key in enumerate(keys)
        if first.setdefault(key, row) != row
    ]
    if problems:
        raise DataError(
            f"{path}: a cell must have one row ({column}){' a year' if years is not None else ''}.",
            problems,
            fix="merge these rows: the species lists of a week are united.",
        )
