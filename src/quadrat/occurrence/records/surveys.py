"""Reading surveys: places and dates at which species were looked for, and found or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.errors import DataError, UnknownNameError
from quadrat.geo import wrap_lon
from quadrat.occurrence.records.places import (
    LATITUDES,
    LONGITUDES,
    PlaceTable,
    find_column,
    read_places,
)
from quadrat.occurrence.records.taxonomy import Vocabulary
from quadrat.tables import FIRST_ROW, numeric_column

_SPECIES, _PRESENT = ("species", "species_code", "code"), ("present", "presence", "occurrence")
_PRESENCE = "1 where the species was found, 0 where it was looked for in vain"
_DIGITS = 9
"""Of a longitude in degrees: a tenth of a millimetre."""

_NOT_SPECIES = {*LATITUDES, *LONGITUDES, "week", "date"}


@dataclass(frozen=True)
class Survey:
    """What was found at visits, each a place and a week.

    Args:
        lat: Latitudes of the visits in degrees ``(V,)``.
        lon: Longitudes in degrees ``(V,)``.
        week: Weeks 0-48 ``(V,)``.
        visit: Visit of every judged pair of visit and species ``(N,)``, ascending.
        column: Its species in the model's vocabulary ``(N,)``; a pair occurs once.
        present: Whether it was found ``(N,)``.
        unknown: Species of the table that the model does not know.
        left_out: Visits of the table without a judged pair, which are none of the ``V``.
    """

    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    week: NDArray[np.int64]
    visit: NDArray[np.int64]
    column: NDArray[np.int64]
    present: NDArray[np.bool_]
    unknown: tuple[str, ...]
    left_out: int = 0


def is_combined(path: Path) -> bool:
    """Whether a table has weeks as columns: cells with lists of species, and no survey."""
    if path.suffix.lower() not in (".parquet", ".pq") or not path.is_file():
        return False
    try:
        return any(name.startswith("week_") for name in pl.read_parquet_schema(path))
    except pl.exceptions.PolarsError:
        return True  # damaged: the reader of cells says so


def read_survey(path: Path, vocabulary: Vocabulary) -> Survey:
    """Reads a survey with lat, lon, and week or date.

    Long: a row a visit and species, with ``species`` (code or name) and ``present`` (0 or 1). Wide:
    a row a visit, and a column a species with 0, 1 or blank where it was not looked for. Rows of
    one place and week are one visit; a species found in any of them was present.

    Raises:
        DataError: Columns are missing, values are not 0 or 1, or no species is known.
    """
    places = read_places(path)
    frame = places.frame
    species, present = (find_column(frame.columns, names) for names in (_SPECIES, _PRESENT))
    if species is not None and present is not None:
        row, name, found = _long(frame, species, present, path)
    else:
        _refuse_half_long(frame, vocabulary, path)
        row, name, found = _wide(frame, vocabulary, path)
    if not len(row):
        raise DataError(
            f"{path} does not say of any visit whether a species was found: all of it is blank.",
            fix="write 0 (looked for, not found) or 1 (found).",
        )
    names, which = np.unique(name, return_inverse=True)
    known = [_column(text, vocabulary) for text in names.tolist()]
    column = np.array([-1 if c is None else c for c in known], np.int64)[which]
    unknown = tuple(text for text, c in zip(names.tolist(), known, strict=True) if c is None)
    if (column < 0).all():
        raise DataError(
            f"{path}: the model knows none of the species.",
            [f"the table has: {', '.join(unknown[:5])}", f"the model: {vocabulary.codes[0]}"],
            fix="use codes or names of the model's labels.txt; see `quadrat evaluate` in the docs.",
        )
    visits, visit = _visits(places)
    judged = column >= 0
    looked, visit_of = np.unique(visit[row[judged]], return_inverse=True)
    pairs, place = np.unique(visit_of * len(vocabulary) + column[judged], return_inverse=True)
    present_in = np.zeros(len(pairs), dtype=bool)
    np.logical_or.at(present_in, place, found[judged])
    left_out, visits = len(visits) - len(looked), visits[looked]
    return Survey(
        lat=visits[:, 0],
        lon=visits[:, 1],
        week=visits[:, 2].astype(np.int64),
        visit=pairs // len(vocabulary),
        column=pairs % len(vocabulary),
        present=present_in,
        unknown=unknown,
        left_out=left_out,
    )


def _visits(places: PlaceTable) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The visits as latitude, longitude and week ``(V, 3)``, and the visit of every row ``(R,)``.

    Longitudes are rounded: 359.9 less a full turn is not quite -0.1.
    """
    lon = np.round(wrap_lon(places.lon), _DIGITS)
    lon[lon == 180.0] = -180.0
    where = np.stack([places.lat, lon, places.week.astype(np.float64)], axis=1)
    visits, visit = np.unique(where, axis=0, return_inverse=True)
    return visits, visit.reshape(-1)


Pairs = tuple[NDArray[np.int64], NDArray[np.str_], NDArray[np.bool_]]
"""Row of the table, name of the species, and whether it was found, of every pair ``(N,)``."""


def _long(frame: pl.DataFrame, species: str, present: str, path: Path) -> Pairs:
    row, found = _zeros_and_ones(frame, present, path)
    names = frame[species].cast(pl.String).fill_null("").str.strip_chars()
    empty = np.flatnonzero((names == "").to_numpy())
    if len(empty):
        raise DataError(
            f"{path}: column '{species}' is empty.", [f"row {r + FIRST_ROW}" for r in empty]
        )
    return row, names.to_numpy().astype(np.str_)[row], found


def _refuse_half_long(frame: pl.DataFrame, vocabulary: Vocabulary, path: Path) -> None:
    """Refuses a row a species without its presence, or the reverse, and says which is missing.

    A column ``code`` alone says nothing: it may be that of a site.
    """
    species = find_column(frame.columns, _SPECIES[:2])
    here = species or find_column(frame.columns, _PRESENT)
    if here is None or any(_column(name, vocabulary) is not None for name in frame.columns):
        return
    missing = "'present' (0 or 1)" if species else "'species' (code or name)"
    raise DataError(
        f"{path} has a column '{here}' but no {missing}; it has: {', '.join(frame.columns[:12])}.",
        fix=f"add it: {_PRESENCE}; counts above 0 become 1.",
    )


def _wide(frame: pl.DataFrame, vocabulary: Vocabulary, path: Path) -> Pairs:
    parts = []
    for column in frame.columns:
        if column.strip().lower() in _NOT_SPECIES:
            continue
        if _column(column, vocabulary) is None and not _looks_like_presence(frame[column]):
            continue
        row, found = _zeros_and_ones(frame, column, path)
        parts.append((row, np.full(len(row), column), found))
    if not parts:
        raise DataError(
            f"{path} holds no presence of species; it has: {', '.join(frame.columns[:12])}.",
            fix="give columns species and present (0 or 1), or a column of 0 and 1 a species; "
            "counts above 0 become 1.",
        )
    row, name, found = (np.concatenate(column) for column in zip(*parts, strict=True))
    return row, name, found


def _looks_like_presence(series: pl.Series) -> bool:
    """Whether a column that is no known species holds 0, 1 and blanks only."""
    values = series.cast(pl.Float64, strict=False)
    same = values.is_null() == series.is_null()
    return bool(same.all()) and bool(values.drop_nulls().is_in([0.0, 1.0]).all())


def _zeros_and_ones(
    frame: pl.DataFrame, column: str, path: Path
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    values = numeric_column(frame, column, path)
    known = np.flatnonzero(~np.isnan(values))
    bad = known[~np.isin(values[known], (0.0, 1.0))]
    if len(bad):
        raise DataError(
            f"{path}: column '{column}' must be 0 (looked for, not found), 1 (found) or blank.",
            [f"row {row + FIRST_ROW}: {values[row]:g}" for row in bad],
            fix=f"presence is no count: give {_PRESENCE}.",
        )
    return known, values[known] == 1


def _column(name: str, vocabulary: Vocabulary) -> int | None:
    try:
        return vocabulary.find(name)
    except UnknownNameError:
        return None
