"""Reading a table of places to predict: latitude, longitude, and a week or a date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.errors import DataError
from quadrat.runtime.weeks import WEEKS, weeks_of_dates
from quadrat.tables import FIRST_ROW, numeric_column, read_table

LATITUDES, LONGITUDES = ("lat", "latitude"), ("lon", "longitude", "lng")

MAX_LATITUDE, MAX_LONGITUDE = 90.0, 360.0
"""Degrees north or south, east or west."""


@dataclass(frozen=True)
class PlaceTable:
    """Places and weeks to predict.

    Args:
        frame: The table's own columns, which go before the predictions.
        lat: Latitudes in degrees ``(N,)``.
        lon: Longitudes in degrees ``(N,)``.
        week: Weeks 0-48 ``(N,)``; 0 is the whole year.
    """

    frame: pl.DataFrame
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    week: NDArray[np.int64]


def read_places(table: pl.DataFrame | Path | str) -> PlaceTable:
    """Reads places.

    Args:
        table: A table or its file. It has ``lat`` and ``lon`` (or ``latitude`` and ``longitude``)
            and ``week`` (0-48) or ``date``.

    Raises:
        DataError: Names the columns that are missing, or the rows whose values cannot be.
    """
    if isinstance(table, pl.DataFrame):
        frame, path = table, Path("the table of places")
    else:
        path = Path(table)
        frame = read_table(path)
    return PlaceTable(frame, *read_coordinates(frame, path), _weeks(frame, path))


def read_coordinates(
    frame: pl.DataFrame, path: Path
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Latitudes and longitudes of a table, in degrees, each ``(N,)``.

    Raises:
        DataError: Names the column that is missing, or the rows whose values cannot be.
    """
    lat = _degrees(frame, LATITUDES, MAX_LATITUDE, path)
    return lat, _degrees(frame, LONGITUDES, MAX_LONGITUDE, path)


def check_places(
    lat: NDArray[np.float64], lon: NDArray[np.float64], week: NDArray[np.int64]
) -> None:
    """Checks places given as arrays.

    Raises:
        DataError: A latitude, longitude or week outside its range.
    """
    limits = (("latitude", lat, MAX_LATITUDE), ("longitude", lon, MAX_LONGITUDE))
    for name, values, limit in limits:
        check_range(values, -limit, limit, name, "the places", first_row=0)
    check_range(week.astype(np.float64), 0, WEEKS, "week", "the places", first_row=0)


def _degrees(
    frame: pl.DataFrame, names: tuple[str, ...], limit: float, path: Path
) -> NDArray[np.float64]:
    column = find_column(frame.columns, names)
    if column is None:
        raise DataError(
            f"{path} has no column '{names[0]}'; it has: {', '.join(frame.columns)}.",
            fix="give lat and lon in degrees, and week (1-48, 0 for the whole year) or date.",
        )
    values = numeric_column(frame, column, path)
    check_range(values, -limit, limit, f"column '{column}'", path)
    return values


def _weeks(frame: pl.DataFrame, path: Path) -> NDArray[np.int64]:
    week, date = find_column(frame.columns, ("week",)), find_column(frame.columns, ("date",))
    if week is not None:
        values = numeric_column(frame, week, path)
        check_range(values, 0, WEEKS, f"column '{week}'", path, whole=True)
        return values.astype(np.int64)
    if date is None:
        raise DataError(
            f"{path} has no column 'week' or 'date'; it has: {', '.join(frame.columns)}.",
            fix="add week (1-48, 0 for the whole year), or date as 2026-05-17.",
        )
    try:
        return weeks_of_dates(frame[date].to_list(), first_row=FIRST_ROW)
    except DataError as error:
        raise DataError(f"{path}: column '{date}': {error}") from None


def find_column(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The first column that bears one of some names, whatever its case."""
    return next((column for column in columns if column.strip().lower() in names), None)


def check_range(
    values: NDArray[np.float64],
    low: float,
    high: float,
    what: str,
    path: Path | str,
    *,
    whole: bool = False,
    first_row: int = FIRST_ROW,
) -> None:
    """Checks that numbers lie in a range.

    Args:
        values: The numbers ``(N,)``.
        low: The smallest that may be.
        high: The greatest that may be.
        what: What they are, for the message.
        path: Where they stand, for the message.
        whole: Only whole numbers may be.
        first_row: The row number of the first value, for the message.

    Raises:
        DataError: Lists the rows outside the range.
    """
    bad = ~((values >= low) & (values <= high))
    if whole:
        bad |= values != np.floor(values)
    if bad.any():
        blank = np.isnan(values)
        swapped = "; were columns exchanged?" if (bad & ~blank).any() else "."
        alone = len(values) == 1 and first_row == 0  # one place, from the command line or Python
        raise DataError(
            f"{path}: {what} must lie between {low:g} and {high:g}.",
            [
                ("" if alone else f"row {row + first_row}: ")
                + ("blank" if blank[row] else f"{values[row]:g}")
                for row in np.flatnonzero(bad)
            ],
            fix=f"correct {'the value' if alone else 'these rows'}{swapped}",
        )
