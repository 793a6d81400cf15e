"""From the rows of a table to samples: which rows belong together, and what is wrong with them.

A row is counted as a person sees it in the file. Nothing here raises for a single finding: each
check adds lines to ``problems``, so that a user reads about all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.errors import DataError, closest
from quadrat.photos.schema import DataSection
from quadrat.tables import FIRST_ROW, numeric_column

_NAMED = 5
_JOIN = " | "


@dataclass(frozen=True)
class Rows:
    """A table whose rows are assigned to samples.

    Args:
        frame: The table; NaN of float columns are nulls.
        path: Its file.
        long: Whether a row is a target of a photo, rather than a photo.
        owner: Position of each row's sample ``(rows,)``; samples in order of appearance.
        ids: Names of the samples.
        problems: What is wrong, one line each.
        refused: Columns that were asked for as numbers and hold something else.
    """

    frame: pl.DataFrame
    path: Path
    long: bool
    owner: NDArray[np.int64]
    ids: tuple[str, ...]
    problems: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    def numbers(self, column: str) -> NDArray[np.float64]:
        """A column as numbers ``(rows,)``; what is not a number becomes a problem."""
        try:
            return numeric_column(self.frame, column, self.path)
        except DataError as error:
            self.refused.add(column)
            named = error.problems[:_NAMED]
            self.problems.extend(f"column '{column}', {line}" for line in named)
            if len(error.problems) > _NAMED:
                others = len(error.problems) - _NAMED
                row = "row" if others == 1 else "rows"
                self.problems.append(f"column '{column}', {others} more {row}")
            if not error.problems:
                self.problems.append(f"column '{column}' does not hold numbers")
            return np.full(self.frame.height, np.nan)

    def per_sample(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The first known value of each sample ``(B,)``, NaN where there is none."""
        known = np.flatnonzero(~np.isnan(values))[::-1]
        result = np.full(len(self.ids), np.nan)
        result[self.owner[known]] = values[known]
        return result

    def merged(self, columns: Sequence[str], *, constant: Iterable[str]) -> pl.DataFrame:
        """One row a sample, with the columns that say one thing about each.

        Args:
            columns: The columns to bring together; one that varies within a sample is left out.
            constant: Columns that must not vary; where they do is a problem.
        """
        grouped = (
            self.frame.with_columns(pl.Series("_owner", self.owner))
            .select("_owner", *columns)
            .group_by("_owner")
            .agg(
                pl.all().drop_nulls().first().name.prefix("value:"),
                pl.all().drop_nulls().n_unique().name.prefix("count:"),
            )
            .sort("_owner")
        )
        kept = []
        for column in columns:
            conflicts = np.flatnonzero(grouped[f"count:{column}"].to_numpy() > 1)
            if not len(conflicts):
                kept.append(grouped[f"value:{column}"].alias(column))
            elif column in constant:
                self.problems.extend(self._conflict(int(place), column) for place in conflicts)
        return pl.DataFrame(kept)

    def repeated(self, columns: Sequence[str], what: str) -> None:
        """Notes rows that agree in all these columns, where they should differ."""
        repeats = (
            self.frame.select(columns)
            .with_columns(row=self._row_numbers())
            .drop_nulls()
            .group_by(columns, maintain_order=True)
            .agg("row")
            .filter(pl.col("row").list.len() > 1)
        )
        for *values, rows in repeats.iter_rows():
            named = ", ".join(f"{c} '{v}'" for c, v in zip(columns, values, strict=True))
            self.problems.append(f"{what}: {named} stands in {listed_rows(rows)}")

    def blank(self, columns: Iterable[str], key: str) -> None:
        """Notes rows without a value in columns that must have one."""
        for column in columns:
            missing = self.frame[column].is_null()
            if self.frame[column].dtype == pl.String:
                missing |= self.frame[column].str.strip_chars() == ""
            rows = np.flatnonzero(missing.fill_null(True).to_numpy()) + FIRST_ROW
            if len(rows):
                self.problems.append(f"column '{column}' ({key}) is blank in {listed_rows(rows)}")

    def _row_numbers(self) -> pl.Series:
        return pl.Series("row", np.arange(self.frame.height) + FIRST_ROW)

    def _conflict(self, sample: int, column: str) -> str:
        rows = np.flatnonzero(self.owner == sample)
        values = self.frame[column].gather(rows)
        seen: dict[object, int] = {}
        for value, row in zip(values, rows, strict=True):
            if value is not None:
                seen.setdefault(value, int(row) + FIRST_ROW)
        shown = ", ".join(f"{value!r} (row {row})" for value, row in list(seen.items())[:_NAMED])
        return f"sample '{self.ids[sample]}' has different values of '{column}': {shown}"


def read_rows(
    frame: pl.DataFrame, path: Path, data: DataSection, *, required: Sequence[tuple[str, str]]
) -> Rows:
    """Assigns rows to samples.

    Args:
        frame: The table.
        path: Its file, for messages.
        data: The keys that name the columns.
        required: Pairs of column and the key that names it, for columns that must exist.

    Raises:
        DataError: A column is missing without which rows cannot be assigned.
    """
    missing: dict[str, str] = {}
    for column, key in required:
        if column not in frame.columns:
            missing.setdefault(column, key)
    problems = [
        f"no column '{column}' ({key}).{closest(column, frame.columns)}"
        for column, key in missing.items()
    ]
    keys = data.sample_columns or (data.image,)
    if any(column not in frame.columns for column in (data.image, *keys)):
        raise unusable(path, problems, frame.columns)
    frame = frame.with_columns(pl.selectors.float().fill_nan(None))
    long = data.target_name in frame.columns and not set(data.targets) & set(frame.columns)
    groups = frame.select(keys).with_row_index("row").group_by(keys).agg(pl.col("row"))
    groups = groups.with_columns(first=pl.col("row").list.first()).sort("first")
    owner = np.empty(frame.height, dtype=np.int64)
    for place, members in enumerate(groups["row"]):
        owner[members.to_numpy()] = place
    first = frame.select(keys).cast(pl.String)[groups["first"]]
    named = data.sample_columns or long or data.id not in frame.columns
    if not named:
        first = frame.select(data.id).cast(pl.String)[groups["first"]]
    ids = tuple(_JOIN.join(value or "" for value in row) for row in first.iter_rows())
    return Rows(frame, path, long, owner, ids, problems)


def unusable(path: Path, problems: Sequence[str], columns: Sequence[str]) -> DataError:
    """The error that lists all problems of a table."""
    return DataError(
        f"the table {path} cannot be used as it is; its columns are: {', '.join(columns)}.",
        problems,
        fix="correct the table, or the keys of the experiment that name its columns.",
    )


def listed_rows(rows: Iterable[int]) -> str:
    """Row numbers in words, the first of them where they are many."""
    numbers = [str(row) for row in rows]
    more = f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
    word = "row" if len(numbers) == 1 else "rows"
    return f"{word} {', '.join(numbers[:_NAMED])}{more}"
