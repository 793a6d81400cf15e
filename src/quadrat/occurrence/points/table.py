"""Reading tables of points: where they lie, and what is known of the place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.errors import DataError
from quadrat.occurrence.schema.points import PointsSection
from quadrat.tables import FIRST_ROW, numeric_column, require_columns

Floats = NDArray[np.float64]
Rows = NDArray[np.int64] | NDArray[np.bool_]


@dataclass(frozen=True)
class Covariates:
    """What is known of N places.

    Args:
        numbers: ``(N, F)``, NaN where unknown.
        categories: ``(N, C)``, text, or None where unknown.
    """

    numbers: Floats
    categories: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.numbers)

    def rows(self, rows: Rows) -> Covariates:
        """Those of some places."""
        return Covariates(self.numbers[rows], self.categories[rows])

    def column(self, number: int) -> NDArray[Any]:
        """One covariate ``(N,)``; numbers come before categories."""
        split = self.numbers.shape[1]
        return self.numbers[:, number] if number < split else self.categories[:, number - split]

    def with_column(self, number: int, values: object) -> Covariates:
        """The places with other values of one covariate, or the same value everywhere."""
        found = Covariates(self.numbers.copy(), self.categories.copy())
        found.column(number)[:] = values
        return found

    def followed_by(self, other: Covariates) -> Covariates:
        """These places, then others."""
        return Covariates(
            np.concatenate([self.numbers, other.numbers]),
            np.concatenate([self.categories, other.categories]),
        )


def read_covariates(frame: pl.DataFrame, section: PointsSection, path: Path | str) -> Covariates:
    """The covariates of every row.

    Raises:
        DataError: Columns are missing, or hold what is not a number.
    """
    require_columns(frame, section.covariates, path, key="points.covariates")
    require_columns(frame, section.categorical, path, key="points.categorical")
    numbers = [numeric_column(frame, name, path) for name in section.covariates]
    categories = [_texts(frame[name]) for name in section.categorical]
    return Covariates(
        np.stack(numbers, axis=1) if numbers else np.empty((frame.height, 0)),
        np.stack(categories, axis=1) if categories else np.empty((frame.height, 0), dtype=object),
    )


def read_coordinates(frame: pl.DataFrame, section: PointsSection, path: Path | str) -> Floats:
    """Where every row lies ``(N, 2)``, the coordinate to the east first.

    Raises:
        DataError: A coordinate is missing, or is not on the globe.
    """
    names = section.coordinates
    require_columns(frame, names, path, key="points.lat, points.lon, points.x or points.y")
    place = np.stack([numeric_column(frame, name, path) for name in names], axis=1)
    bad = np.isnan(place).any(axis=1)
    if section.geographic:
        bad |= (np.abs(place) > (360.0, 90.0)).any(axis=1)
    if bad.any():
        raise DataError(
            f"{path}: coordinates are missing"
            + (" or not on the globe." if section.geographic else "."),
            [
                f"row {row + FIRST_ROW}: {names[0]} = {place[row, 0]:g}, "
                f"{names[1]} = {place[row, 1]:g}"
                for row in np.flatnonzero(bad).tolist()
            ],
            fix="correct or remove these rows; are the two columns swapped?",
        )
    return place


def read_names(frame: pl.DataFrame, column: str, path: Path | str, *, key: str) -> list[str]:
    """A column of names, none of which is missing.

    Raises:
        DataError: Lists the rows without a name.
    """
    require_columns(frame, [column], path, key=key)
    texts = _texts(frame[column]).tolist()
    missing = [row for row, text in enumerate(texts, FIRST_ROW) if text is None]
    if missing:
        raise DataError(
            f"{path}: column '{column}' ({key}) is blank.",
            [f"row {row}" for row in missing],
            fix="fill in the names, or remove these rows.",
        )
    return [str(text) for text in texts]


def read_presences(frame: pl.DataFrame, column: str, path: Path | str) -> Floats:
    """A column of 1 (seen) and 0 (not seen) ``(N,)``, NaN where it is blank.

    Raises:
        DataError: Lists rows with another value.
    """
    values = numeric_column(frame, column, path)
    bad = np.flatnonzero(~np.isnan(values) & (values != 0) & (values != 1))
    if len(bad):
        raise DataError(
            f"{path}: column '{column}' must hold 1 (seen) and 0 (not seen), or be blank.",
            [f"row {row + FIRST_ROW}: {values[row]:g}" for row in bad.tolist()],
            fix="turn counts into 1, or name the right columns.",
        )
    return values


def _texts(series: pl.Series) -> NDArray[np.object_]:
    """A column as text; blanks are None. Whole numbers read as floats look as they were written."""
    if series.dtype.is_float():
        whole = series.drop_nulls().drop_nans()
        if (whole == whole.round()).all() and whole.is_finite().all():
            series = series.fill_nan(None).cast(pl.Int64)
    texts = series.cast(pl.String).str.strip_chars()
    return np.array([text or None for text in texts.to_list()], dtype=object)
