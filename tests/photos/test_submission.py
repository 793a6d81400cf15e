"""Submissions: every id once, in the order of the test table or of the sample, checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from quadrat.errors import DataError
from quadrat.photos.predictions import Predictions
from quadrat.photos.schema import DataSection
from quadrat.photos.submission import (
    check_submission,
    make_submission,
    names_rows,
    submission_from_table,
)

TARGETS = ("dead_g", "green_g")
PHOTOS = ("test/a.jpg", "test/b.jpg", "test/c.jpg")


def predicted(*, nan: bool = False) -> Predictions:
    values = np.arange(6.0).reshape(3, 2)
    if nan:
        values[1, 0] = np.nan
    nothing = np.full_like(values, np.nan)
    return Predictions(PHOTOS, TARGETS, values + 100, values, nothing, nothing, nothing)


def long_table(folder: Path) -> Path:
    rows = [
        (f"{photo[5]}__{target}", photo, target) for photo in PHOTOS[::-1] for target in TARGETS
    ]
    frame = pl.DataFrame(rows, schema=["sample_id", "image_path", "target_name"], orient="row")
    frame.write_csv(folder / "test.csv")
    return folder / "test.csv"


def sample_file(folder: Path, rows: list[tuple[str, ...]], columns: list[str]) -> Path:
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    frame.write_csv(folder / "sample_submission.csv")
    return folder / "sample_submission.csv"


def test_a_submission_follows_the_test_table_and_is_balanced(tmp_path: Path):
    frame = make_submission(predicted(), long_table(tmp_path))
    assert frame.columns == ["sample_id", "target"]
    assert frame.rows() == [
        ("c__dead_g", 4.0), ("c__green_g", 5.0), ("b__dead_g", 2.0),
        ("b__green_g", 3.0), ("a__dead_g", 0.0), ("a__green_g", 1.0),
    ]  # fmt: skip


def test_a_sample_submission_gives_columns_and_order(tmp_path: Path):
    test = long_table(tmp_path)
    ids = [f"{photo}__{target}" for target in TARGETS for photo in "abc"]
    like = sample_file(tmp_path, [(name, "0") for name in ids], ["sample_id", "grams"])
    frame = make_submission(predicted(), test, like)
    assert frame.columns == ["sample_id", "grams"]
    assert frame["sample_id"].to_list() == ids
    assert frame["grams"].to_list() == [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]


def test_a_sample_submission_about_other_rows_is_refused(tmp_path: Path):
    test = long_table(tmp_path)
    names = ["a__dead_g", "a__green_g", "b__dead_g", "b__green_g", "c__dead_g", "x__green_g"]
    like = sample_file(tmp_path, [(name, "0") for name in names], ["sample_id", "target"])
    with pytest.raises(DataError) as caught:
        make_submission(predicted(), test, like)
    assert "'x__green_g' is not in test.csv. Did you mean" in str(caught.value)
    assert "'c__green_g' is not in sample_submission.csv" in str(caught.value)


def test_wide_tables_ask_for_every_target(tmp_path: Path):
    path = tmp_path / "test.csv"
    pl.DataFrame({"image_path": PHOTOS[:2]}).write_csv(path)
    frame = make_submission(predicted(), path)
    assert frame.rows() == [
        ("test/a.jpg__dead_g", 0.0), ("test/a.jpg__green_g", 1.0),
        ("test/b.jpg__dead_g", 2.0), ("test/b.jpg__green_g", 3.0),
    ]  # fmt: skip


def test_a_wide_sample_submission_has_a_column_a_target(tmp_path: Path):
    path = tmp_path / "test.csv"
    pl.DataFrame({"image_path": PHOTOS}).write_csv(path)
    rows = [(photo, "0", "0") for photo in PHOTOS[::-1]]
    like = sample_file(tmp_path, rows, ["image", "green_g", "dead_g"])
    frame = make_submission(predicted(), path, like)
    assert frame.columns == ["image", "green_g", "dead_g"]
    assert frame.rows()[0] == ("test/c.jpg", 5.0, 4.0)


def test_a_column_that_nothing_was_predicted_for_is_named(tmp_path: Path):
    path = tmp_path / "test.csv"
    pl.DataFrame({"image_path": PHOTOS}).write_csv(path)
    rows = [(photo, "0", "0", "0") for photo in PHOTOS]
    like = sample_file(tmp_path, rows, ["image", "green_g", "dead_g", "total_g"])
    with pytest.raises(DataError, match="nothing was predicted for") as caught:
        make_submission(predicted(), path, like)
    assert caught.value.problems == ("column 'total_g'",)


def test_targets_that_were_not_predicted_are_named(tmp_path: Path):
    test = long_table(tmp_path)
    text = test.read_text().replace("a__dead_g,test/a.jpg,dead_g", "a__dead_g,test/a.jpg,ded_g")
    test.write_text(text)
    with pytest.raises(DataError, match=r"'ded_g' was not predicted. Did you mean 'dead_g'"):
        make_submission(predicted(), test)


def test_samples_that_were_left_out_are_named(tmp_path: Path):
    some = predicted()
    kept = Predictions(
        PHOTOS[:2], TARGETS, *(getattr(some, name)[:2] for name in
        ("raw", "balanced", "sigma", "lower", "upper"))
    )  # fmt: skip
    with pytest.raises(DataError, match=r"sample 'test/c.jpg': 'dead_g' was not predicted"):
        make_submission(kept, long_table(tmp_path))


def test_a_number_that_is_not_finite_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="'b__dead_g': target is nan"):
        make_submission(predicted(nan=True), long_table(tmp_path))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["a", "b"], "'c' is missing"),
        (["a", "b", "c", "c"], "'c' is there 2 times"),
        (["a", "b", "c", "d"], "'d' was not asked for"),
        (["b", "a", "c"], "row 2 is 'b', but 'a' was due"),
    ],
)
def test_what_is_wrong_with_ids_is_told(ids: list[str], message: str):
    frame = pl.DataFrame({"id": ids, "target": [0.0] * len(ids)})
    with pytest.raises(DataError, match=message):
        check_submission(frame, ["a", "b", "c"])


def test_a_right_submission_passes():
    check_submission(pl.DataFrame({"id": ["a", "b"], "target": [1, 2]}), ["a", "b"])


@pytest.mark.parametrize("renamed", [False, True])
def test_a_written_table_of_predictions_becomes_a_submission(tmp_path: Path, renamed: bool):
    test = long_table(tmp_path)
    source = tmp_path / "predictions.csv"
    predicted().frame().write_csv(source)
    if renamed:
        names = {"sample_id": "row", "image_path": "photo", "target_name": "quantity"}
        pl.read_csv(test).rename(names).write_csv(test)
    frame = submission_from_table(source, test)
    assert frame.columns == ["row" if renamed else "sample_id", "target"]
    assert frame.row(0) == ("c__dead_g", 4.0)
    assert frame.height == 6


def test_predictions_of_other_photos_are_refused(tmp_path: Path):
    source = tmp_path / "predictions.csv"
    predicted().frame().with_columns(sample=pl.lit("z") + pl.col("sample")).write_csv(source)
    with pytest.raises(DataError, match=r"no column of .* holds the samples"):
        submission_from_table(source, long_table(tmp_path))


def test_predictions_that_repeat_a_sample_are_refused(tmp_path: Path):
    source = tmp_path / "predictions.csv"
    frame = predicted().frame()
    pl.concat([frame, frame[:1]]).write_csv(source)
    with pytest.raises(DataError, match="more than once"):
        submission_from_table(source, long_table(tmp_path))


def test_rows_have_names_where_a_table_or_a_sample_file_gives_them(tmp_path: Path):
    data = DataSection(table=tmp_path / "train.csv", targets=TARGETS)
    nameless = pl.DataFrame({"image_path": PHOTOS})
    assert not names_rows(data, nameless)
    assert names_rows(data, nameless.with_columns(sample_id=pl.lit("x")))
    assert names_rows(data.model_copy(update={"sample_submission": tmp_path / "s.csv"}), nameless)
