"""Reading tables, with errors that name file, row and column.

Rows are counted as a person sees them: the first row below the header is row 2 of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.errors import DataError, closest
from quadrat.runs import atomic_path

FIRST_ROW = 2
"""The row of a file in which the data begin, below the header."""

_TEXT = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz")
_DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+")
_FORMATS = "CSV (comma, semicolon or tab; .gz too) and parquet"


def read_table(path: Path | str, *, columns: list[str] | None = None) -> pl.DataFrame:
    """Reads a CSV or parquet table.

    Args:
        path: ``.csv``, ``.tsv``, ``.txt`` (the separator is found), the same with ``.gz``, or
            ``.parquet``.
        columns: Only these; all by default.

    Raises:
        DataError: The file is missing, empty, damaged or of another format.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"the table {path} does not exist.", fix=_similar_file(path))
    name = path.name.lower()
    try:
        if name.endswith((".parquet", ".pq")):
            frame = pl.read_parquet(path, columns=columns)
        elif name.endswith(_TEXT):
            frame = _read_text(path)
        else:
            raise DataError(f"the table {path} has an unknown format.", fix=f"give {_FORMATS}.")
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    if frame.height == 0:
        raise DataError(f"the table {path} has no rows.", fix="give a table with data in it.")
    if columns is not None:
        require_columns(frame, columns, path)
        frame = frame.select(columns)
    return frame


def require_columns(
    frame: pl.DataFrame, columns: Iterable[str], path: Path | str, *, key: str = ""
) -> None:
    """Checks that columns exist.

    Args:
        frame: The table.
        columns: The names that must exist.
        path: The table's file, for the message.
        key: The experiment's key that names the columns, for the message.

    Raises:
        DataError: Lists every missing column with the closest existing one.
    """
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        problems = [f"no column '{c}'.{closest(c, frame.columns)}" for c in missing]
        named = f" or change {key}" if key else ""
        raise DataError(
            f"the table {path} lacks columns; it has: {', '.join(frame.columns)}.",
            problems,
            fix=f"rename the columns{named}.",
        )


def numeric_column(frame: pl.DataFrame, column: str, path: Path | str) -> NDArray[np.float64]:
    """A column as numbers.

    Args:
        frame: The table.
        column: The column's name.
        path: The table's file, for the message.

    Returns:
        The values ``(rows,)``; blanks, ``NA`` and ``NaN`` are NaN.

    Raises:
        DataError: Lists rows whose value is not a number, or is infinite.
    """
    require_columns(frame, [column], path)
    series = frame[column]
    if series.dtype == pl.String:
        text = series.str.strip_chars()
        blank = text.is_null() | text.str.to_lowercase().is_in(["", "na", "nan", "null", "none"])
        numbers = text.cast(pl.Float64, strict=False)
        bad = (numbers.is_null() & ~blank).to_numpy()
    elif series.dtype.is_numeric() or series.dtype in (pl.Boolean, pl.Null):
        numbers = series.cast(pl.Float64)
        bad = np.zeros(len(series), dtype=bool)
    else:
        raise DataError(f"{path}: column '{column}' is {series.dtype}, not numbers.")
    values = numbers.fill_null(np.nan).to_numpy().astype(np.float64)
    bad |= np.isinf(values)
    if bad.any():
        rows = np.flatnonzero(bad)
        problems = [f"row {row + FIRST_ROW}: {_refused(series[int(row)])}" for row in rows]
        raise DataError(
            f"{path}: column '{column}' must hold finite numbers.",
            problems,
            fix="correct these values, or leave them blank where they are unknown.",
        )
    return values


def check_writable(path: Path | str) -> None:
    """Says before any work is done that a table could not be written.

    Raises:
        DataError: The suffix is neither ``.csv`` nor ``.parquet``, or the path is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"cannot write {path}: it is a folder.", fix="name a file in it.")
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise DataError(f"cannot write {path}: the suffix must be .csv or .parquet.")


def write_table(frame: pl.DataFrame, path: Path | str) -> None:
    """Writes a table atomically, as CSV or parquet by the suffix.

    Raises:
        DataError: As `check_writable`.
    """
    path = Path(path)
    check_writable(path)
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".csv":
            frame.write_csv(temporary)
        else:
            frame.write_parquet(temporary)


def _read_text(path: Path) -> pl.DataFrame:
    """Every column is read whole before its type is guessed; ids such as 0042 stay text."""
    header, separator = _header(path)
    _require_distinct(path, header, separator)
    frame = pl.read_csv(path, separator=separator, infer_schema_length=None)
    whole = [name for name, kind in frame.schema.items() if kind.is_integer()]
    if not whole:
        return frame
    written = pl.read_csv(path, separator=separator, infer_schema=False, columns=whole)
    padded = written.select(pl.all().str.contains(r"^\s*[-+]?0\d").any()).row(0, named=True)
    return frame.with_columns(written[name] for name in whole if padded[name])


def _header(path: Path) -> tuple[str, str]:
    """The first line, and what separates its names."""
    import gzip

    opener = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8-sig", errors="replace") as handle:
        header = handle.readline()
    if not header.strip():
        raise DataError(f"the table {path} is empty.", fix="give a table with a header and data.")
    return header, max([",", ";", "\t"], key=header.count)


def _require_distinct(path: Path, header: str, separator: str) -> None:
    """Of columns with the same name only one could be meant; blank names at the end are none."""
    import csv

    names = [name.strip() for name in next(csv.reader([header], delimiter=separator))]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise DataError(
            f"the table {path} has several columns of the same name.",
            [f"{name}: {names.count(name)} columns" for name in twice],
            fix="give every column a name of its own.",
        )


def _unreadable(path: Path, error: Exception) -> DataError:
    """The first line of another library's message, with what most often helps."""
    why = str(error).splitlines()[0]
    if "utf-8" in why.lower():
        return DataError(
            f"the table {path} cannot be read: its text is not UTF-8.",
            fix="save it again as CSV with the encoding UTF-8.",
        )
    if path.name.lower().endswith(_TEXT):
        fix = "give every row as many cells as the header, and quote text that holds separators."
    else:
        fix = "write the file again; it may have been cut short, or is of another format."
    return DataError(f"the table {path} cannot be read: {why}", fix=fix)


def _refused(value: object) -> str:
    """A value that is no finite number, and why it is none."""
    text = str(value).strip()
    if _DECIMAL_COMMA.fullmatch(text):
        return f"{value!r} is not a number: its decimal comma must be a point"
    try:
        float(text)
    except ValueError:
        return f"{value!r} is not a number"
    return f"{value!r} is infinite"


def _similar_file(path: Path) -> str:
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist either; check the path."
    hint = closest(path.name, [other.name for other in path.parent.iterdir()])
    return f"check the path.{hint}"
