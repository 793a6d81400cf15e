"""Date and place that a phone or camera wrote into photos, as columns of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from PIL import ExifTags

from quadrat.errors import DataError
from quadrat.photos.schema import DataSection
from quadrat.photos.views.threads import in_threads
from quadrat.runtime.images import PhotoError, read_exif
from quadrat.tables import FIRST_ROW

_DATE_FORMAT = "%Y:%m:%d"
_DATE_LENGTH = 10
_LISTED = 5


class Taken(NamedTuple):
    """When and where a photo was taken; None for what it does not say.

    Attributes:
        date: The camera's own day (``DateTimeOriginal``).
        lat: Latitude in degrees, north positive (WGS 84).
        lon: Longitude in degrees, east positive.
    """

    date: date | None = None
    lat: float | None = None
    lon: float | None = None


def taken(path: Path) -> Taken:
    """Reads date and place of a photo.

    What is absent, damaged or impossible counts as unknown. A place is whole or unknown: phones
    without a fix write zeros without hemispheres, or a latitude alone.

    Raises:
        PhotoError: The file is missing or no picture.
    """
    exif = read_exif(path)
    if exif is None:
        return Taken()
    details = exif.get_ifd(ExifTags.IFD.Exif)
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    lat = _degrees(place, ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLatitudeRef, "NS", 90.0)
    lon = _degrees(place, ExifTags.GPS.GPSLongitude, ExifTags.GPS.GPSLongitudeRef, "EW", 180.0)
    if lat is None or lon is None:
        lat = lon = None
    return Taken(_date(details.get(ExifTags.Base.DateTimeOriginal)), lat, lon)


def filled_from_photos(frame: pl.DataFrame, path: Path, data: DataSection) -> pl.DataFrame:
    """A table whose unknown dates and places are those that its photos tell.

    Nothing that the table knows is changed. A sample of several photos gets what the first of them
    tells, and only where none of its rows knows better. Latitude and longitude are filled together,
    where both are unknown. Columns that the table lacks are added where a photo fills them.

    Args:
        frame: The table.
        path: Its file.
        data: Names the columns.

    Raises:
        DataError: The table writes dates in another way than YYYY-MM-DD, so that the same day
            would have two names.
    """
    keys = list(data.sample_columns or (data.image,))
    if not {data.image, *keys} <= set(frame.columns):
        return frame  # told by those who read the rows
    if data.date is not None and data.date in frame.columns:
        frame = _with_iso_dates(frame, data.date, path)
    root = data.image_root or path.parent
    images = frame[data.image].cast(pl.String).to_list()
    unique = list(dict.fromkeys(image for image in images if image))
    found = in_threads(_taken_or_nothing, [root / image for image in unique], workers=0)
    by_image = dict(zip(unique, found, strict=True))
    told = [by_image.get(image or "", Taken()) for image in images]
    for columns, values in (
        ((data.date,), [(None if one.date is None else one.date.isoformat(),) for one in told]),
        ((data.lat, data.lon), [(one.lat, one.lon) for one in told]),
    ):
        names = [name for name in columns if name is not None]
        if names:
            frame = _filled(frame, keys, names, values)
    return frame


def _taken_or_nothing(path: Path) -> Taken:
    try:
        return taken(path)
    except PhotoError:  # the audit of photos names it
        return Taken()


def _filled(
    frame: pl.DataFrame, keys: list[str], names: list[str], values: Sequence[Sequence[Any]]
) -> pl.DataFrame:
    """Fills columns together, in samples of which no row knows any of them."""
    kinds = {name: pl.String if isinstance(_first(values, at), str) else pl.Float64
             for at, name in enumerate(names)}  # fmt: skip
    if all(_first(values, at) is None for at in range(len(names))):
        return frame
    told = pl.DataFrame(
        {f"told:{name}": [row[at] for row in values] for at, name in enumerate(names)},
        schema={f"told:{name}": kinds[name] for name in names},
    )
    absent = [pl.lit(None, dtype=kinds[n]).alias(n) for n in names if n not in frame.columns]
    wide = pl.concat([frame.with_columns(absent), told], how="horizontal")
    unknown = pl.all_horizontal(_is_unknown(wide, name).all().over(keys) for name in names)
    first = [pl.col(f"told:{name}").drop_nulls().first().over(keys) for name in names]
    filled = wide.with_columns(
        pl.when(unknown).then(value.cast(wide.schema[name])).otherwise(pl.col(name)).alias(name)
        for name, value in zip(names, first, strict=True)
    )
    return filled.drop(told.columns)


def _first(values: Sequence[Sequence[Any]], at: int) -> Any:
    return next((row[at] for row in values if row[at] is not None), None)


def _is_unknown(frame: pl.DataFrame, name: str) -> pl.Expr:
    column, kind = pl.col(name), frame.schema[name]
    if kind == pl.String:
        return column.is_null() | (column.str.strip_chars() == "")
    return column.is_null() | column.is_nan() if kind.is_float() else column.is_null()


def _with_iso_dates(frame: pl.DataFrame, name: str, path: Path) -> pl.DataFrame:
    """Dates as texts YYYY-MM-DD, which those of photos can stand beside."""
    column = frame[name]
    if column.dtype == pl.Date:
        return frame.with_columns(column.dt.to_string("%Y-%m-%d"))
    texts = column.cast(pl.String).str.strip_chars()
    known = (texts.is_not_null() & (texts != "")).fill_null(False)
    other = known & ~texts.str.contains(r"^\d{4}-\d{2}-\d{2}$").fill_null(False)
    if other.any():
        rows = other.arg_true().to_list()[:_LISTED]
        raise DataError(
            f"{path}: the dates of photos (data.exif) are written YYYY-MM-DD, and column '{name}' "
            "writes them in another way, so that one day would have two names.",
            [f"row {row + FIRST_ROW}: '{texts[row]}'" for row in rows],
            fix="write the column as YYYY-MM-DD, or leave data.exif out.",
        )
    return frame.with_columns(texts.alias(name))


def _date(written: object) -> date | None:
    """The day of ``"2026:03:14 09:26:53"``; cameras whose clock was never set write zeros."""
    try:
        return datetime.strptime(str(written)[:_DATE_LENGTH], _DATE_FORMAT).date()
    except ValueError:
        return None


def _degrees(
    place: Mapping[int, Any], tag: int, reference: int, hemispheres: str, limit: float
) -> float | None:
    """Degrees from three rationals (degrees, minutes, seconds) and their hemisphere."""
    letter = str(place.get(reference, "")).strip("\x00 ").upper()
    try:
        degrees, minutes, seconds = (float(part) for part in place[tag])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    value = degrees + minutes / 60.0 + seconds / 3600.0
    if letter not in tuple(hemispheres) or not 0.0 <= value <= limit:
        return None
    return -value if letter == hemispheres[1] else value
