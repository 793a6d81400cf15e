from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import ExifTags, Image

from quadrat.errors import DataError, ExperimentError
from quadrat.photos.samples.exif import Taken, taken
from quadrat.photos.samples.loading import load_samples
from tests.photos.tables import experiment, save, wide

SYDNEY = {1: "S", 2: (33.0, 52.0, 10.2), 3: "E", 4: (151.0, 12.0, 30.0)}
DEGREES = (-(33 + 52 / 60 + 10.2 / 3600), 151 + 12 / 60 + 30 / 3600)


def shot(path: Path, day: str | None = None, place: dict[int, Any] | None = None) -> None:
    """A photo with the notes of a camera."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if day is not None:
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = day
    if place is not None:
        exif.get_ifd(ExifTags.IFD.GPSInfo).update(place)
    Image.new("RGB", (16, 12), "green").save(path, exif=exif)


def test_date_and_place_are_read(tmp_path: Path):
    shot(tmp_path / "a.jpg", "2026:03:14 23:59:59", SYDNEY)
    found = taken(tmp_path / "a.jpg")
    assert found.date == date(2026, 3, 14)
    assert (found.lat, found.lon) == pytest.approx(DEGREES, abs=1e-6)


@pytest.mark.parametrize(
    ("north", "east", "signs"),
    [("N", "E", (1, 1)), ("N", "W", (1, -1)), ("S", "E", (-1, 1)), ("S", "W", (-1, -1))],
)
def test_hemispheres_are_signs(tmp_path: Path, north: str, east: str, signs: tuple[int, int]):
    shot(tmp_path / "a.jpg", None, {1: north, 2: (1.0, 30.0, 0.0), 3: east, 4: (2.0, 0.0, 36.0)})
    assert taken(tmp_path / "a.jpg") == Taken(None, signs[0] * 1.5, signs[1] * 2.01)


@pytest.mark.parametrize(
    ("day", "place"),
    [
        ("0000:00:00 00:00:00", None),
        ("yesterday", None),
        (None, {2: (0.0, 0.0, 0.0), 4: (0.0, 0.0, 0.0)}),
        (None, {1: "S", 2: (33.0, 52.0, 10.0)}),
        (None, {1: "S", 2: (95.0, 0.0, 0.0), 3: "E", 4: (151.0, 0.0, 0.0)}),
    ],
)
def test_what_says_nothing_is_unknown(tmp_path: Path, day: str | None, place: Any):
    shot(tmp_path / "a.jpg", day, place)
    assert taken(tmp_path / "a.jpg") == Taken()


def test_a_photo_without_notes_is_unknown(tmp_path: Path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    assert taken(tmp_path / "a.png") == Taken()


def loaded(folder: Path, frame: pl.DataFrame, **data: Any):
    keys = {"date": "day", "lat": "lat", "lon": "lon", "exif": True, **data}
    asked = experiment(save(frame, folder), data=keys)
    return load_samples(asked, asked.data.table, require_targets=True)


def photos(folder: Path) -> pl.DataFrame:
    table = wide(4).with_columns(image_path=pl.Series([f"photos/{k}.jpg" for k in range(4)]))
    for row, name in enumerate(table["image_path"]):
        shot(folder / name, f"2026:03:1{row} 08:00:00", SYDNEY)
    return table


def test_columns_that_a_table_lacks_come_from_the_photos(tmp_path: Path):
    samples = loaded(tmp_path, photos(tmp_path))
    assert samples.column("day").tolist() == [f"2026-03-1{row}" for row in range(4)]
    assert samples.column("lat").tolist() == pytest.approx([DEGREES[0]] * 4, abs=1e-6)
    assert samples.column("lon").tolist() == pytest.approx([DEGREES[1]] * 4, abs=1e-6)


def test_what_a_table_knows_stays(tmp_path: Path):
    frame = photos(tmp_path).with_columns(
        day=pl.Series(["2020-01-01", None, " ", None]),
        lat=pl.Series([1.5, None, None, float("nan")]),
        lon=pl.Series([2.5, None, 7.0, float("nan")]),
    )
    samples = loaded(tmp_path, frame)
    days = ["2020-01-01", "2026-03-11", "2026-03-12", "2026-03-13"]
    assert samples.column("day").tolist() == days
    lat, lon = samples.column("lat"), samples.column("lon")
    assert (lat[0], lon[0]) == (1.5, 2.5)
    assert (lat[1], lon[1]) == pytest.approx(DEGREES, abs=1e-6)
    assert lon[2] == 7.0 and lat[2] != lat[2], "half a known place is not completed by another"
    assert (lat[3], lon[3]) == pytest.approx(DEGREES, abs=1e-6)


def test_dates_of_a_table_may_be_dates(tmp_path: Path):
    frame = photos(tmp_path).with_columns(day=pl.Series([date(2020, 1, 1), None, None, None]))
    assert loaded(tmp_path, frame).column("day").tolist()[:2] == ["2020-01-01", "2026-03-11"]


def test_dates_in_another_writing_are_refused(tmp_path: Path):
    frame = photos(tmp_path).with_columns(day=pl.Series(["2015/9/4", None, None, None]))
    with pytest.raises(DataError, match="YYYY-MM-DD") as caught:
        loaded(tmp_path, frame)
    assert list(caught.value.problems) == ["row 2: '2015/9/4'"]


def test_a_set_of_photos_has_the_place_of_its_first(tmp_path: Path):
    frame = photos(tmp_path).with_columns(
        site=pl.Series(["a", "a", "b", "b"]),
        **{name: pl.Series([1.0, 1.0, 2.0, 2.0]) for name in ("height_cm", "green_g", "dead_g")},
        total_g=pl.Series([2.0, 2.0, 4.0, 4.0]),
        day=pl.Series([None, None, None, "2021-05-05"]),
    )
    samples = loaded(tmp_path, frame, set_by=["site"])
    assert samples.column("day").tolist() == ["2026-03-10", "2021-05-05"]


def test_without_the_key_nothing_is_read(tmp_path: Path):
    with pytest.raises(DataError, match=r"no column 'day' \(data.date\)"):
        loaded(tmp_path, photos(tmp_path), exif=False)


def test_photos_that_say_nothing_leave_columns_missing(tmp_path: Path):
    frame = wide(2)
    for name in frame["image_path"]:
        shot(tmp_path / name)
    with pytest.raises(DataError, match=r"no column 'day' \(data.date\)"):
        loaded(tmp_path, frame)


def test_the_key_needs_columns_to_fill(tmp_path: Path):
    with pytest.raises(ExperimentError, match="name the columns to fill"):
        experiment(save(wide(2), tmp_path), data={"exif": True})
