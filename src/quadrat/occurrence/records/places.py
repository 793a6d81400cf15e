"""Reading a table of places to predict: latitude, longitude, and a week or a date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.errors import DataError
from quadrat.runtime.weeks import WEEKS, weeks_of_dates
from quadrat.tables import FIRST_ROW, numeric_column, read_table

LATITUDES, LONGITUDES = ("lat", "latitude"), ("lon", "longitude", "lng")

MAX_LATITUDE, MAX_LONGITUDE = 90.0, 360.0
"""Degrees north or south, east or west."""

_ANY_DAY = dt.date(2000, 1, 1)


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


def read_places(
    table: pl.DataFrame | Path | str, *, source: Path | str = "the table of places"
) -> PlaceTable:
    """Reads places.

    Args:
        table: A table or its file. It has ``lat`` and ``lon`` (or ``latitude`` and ``longitude``)
            and ``week`` (0-48) or ``date``; rows that have both must not contradict themselves.
        source: Where a table that is no file comes from, for messages.

    Raises:
        DataError: Names the columns that are missing, or the rows whose values cannot be.
    """
    if isinstance(table, pl.DataFrame):
        frame, path = table, Path(source)
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
    if week is None:
        if date is None:
            raise DataError(
                f"{path} has no column 'week' or 'date'; it has: {', '.join(frame.columns)}.",
                fix="add week (1-48, 0 for the whole year), or date as 2026-05-17.",
            )
        return _weeks_of(frame[date].to_list(), f"{path}: column '{date}'")
    values = numeric_column(frame, week, path)
    check_range(values, 0, WEEKS, f"column '{week}'", path, whole="weeks")
    weeks = values.astype(np.int64)
    if date is not None:
        _check_same(weeks, frame[date].to_list(), f"{path}: column '{date}'")
    return weeks


def _weeks_of(dates: list[Any], where: str) -> NDArray[np.int64]:
    try:
        return weeks_of_dates(dates, first_row=FIRST_ROW)
    except DataError as error:
        raise DataError(f"{where}: {error}") from None


def _check_same(weeks: NDArray[np.int64], dates: list[Any], where: str) -> None:
    """Refuses rows whose week is not that of their date; a blank date says nothing."""
    blank = np.array([date is None or not str(date).strip() for date in dates])
    filled = [_ANY_DAY if none else date for date, none in zip(dates, blank, strict=True)]
    told = _weeks_of(filled, where)
    wrong = np.flatnonzero(~blank & (told != weeks))
    if len(wrong):
        raise DataError(
            f"{where} lies in other weeks than the table says.",
            [
                f"row {row + FIRST_ROW}: {dates[row]} is in week {told[row]}, not {weeks[row]}"
                for row in wrong
            ],
            fix="correct these rows, or leave one of the columns out; week 0 is the whole year.",
        )


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
    whole: str = "",
    first_row: int = FIRST_ROW,
) -> None:
    """Checks that numbers lie in a range.

    Args:
        values: The numbers ``(N,)``.
        low: The smallest that may be.
        high: The greatest that may be.
        what: What they are, for the message.
        path: Where they stand, for the message.
        whole: What they count, such as ``"weeks"``, where only whole numbers may be.
        first_row: The row number of the first value, for the message; 0 for values of no table.

    Raises:
        DataError: Lists the rows outside the range.
    """
    outside = ~((values >= low) & (values <= high))
    bad = outside | (values != np.floor(values)) if whole else outside
    if bad.any():
        must = f"be whole {whole}" if (bad & ~outside).any() else "lie"
        swapped = "; were columns exchanged?" if (outside & ~np.isnan(values)).any() else "."
        alone = len(values) == 1 and first_row == 0  # one place, from Python
        raise DataError(
            f"{path}: {what} must {must} between {low:g} and {high:g}.",
            [
                ("" if alone else f"row {row + first_row}: ")
                + ("blank" if np.isnan(values[row]) and first_row else f"{values[row]:g}")
                for row in np.flatnonzero(bad)
            ],
            fix=f"correct {'the value' if alone else 'these rows'}{swapped}",
        )
