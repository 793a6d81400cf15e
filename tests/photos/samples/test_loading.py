"""Tables become samples, and everything that is wrong with a table is told at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from quadrat.errors import DataError
from quadrat.photos.samples.loading import Samples, load_samples
from tests.photos.tables import TARGETS, experiment, long, save, wide


def problems_of(frame: pl.DataFrame, folder: Path, **sections: dict[str, object]) -> str:
    path = save(frame, folder)
    with pytest.raises(DataError) as caught:
        load_samples(experiment(path, **sections), path, require_targets=True)
    return str(caught.value)


@pytest.mark.parametrize("name", ["train.csv", "train.parquet"])
def test_long_and_wide_tables_give_the_same_samples(tmp_path: Path, name: str):
    by_layout = []
    for layout, make in (("long", long), ("wide", wide)):
        (tmp_path / layout).mkdir()
        path = save(make(), tmp_path / layout, name)
        samples = load_samples(experiment(path), path, require_targets=True)
        assert samples.paths[1] == (tmp_path / layout / "photos" / "1.png",)
        by_layout.append(samples)
    first, second = by_layout
    assert first.images == second.images == tuple((f"photos/{k}.png",) for k in range(6))
    assert first.ids == tuple(f"photos/{k}.png" for k in range(6))
    assert second.ids == tuple(f"q{k}" for k in range(6))
    for samples in by_layout:
        np.testing.assert_array_equal(samples.targets, wide().select(TARGETS).to_numpy())
        np.testing.assert_array_equal(samples.numeric, wide().select("height_cm").to_numpy())
        assert samples.categorical[:, 0].tolist() == wide()["site"].to_list()
        assert samples.frame["site"].to_list() == wide()["site"].to_list()
        assert not set(samples.frame.columns) & {*TARGETS, "target", "target_name"}
    assert first.rows == (2, 5, 8, 11, 14, 17)
    assert second.rows == (2, 3, 4, 5, 6, 7)


def test_unknown_targets_are_nan_in_both_layouts(tmp_path: Path):
    known = pl.when(pl.col("sample_id") != "q0").then("dead_g")
    path = save(wide().with_columns(dead_g=known), tmp_path)
    samples = load_samples(experiment(path), path, require_targets=True)
    assert np.argwhere(np.isnan(samples.targets)).tolist() == [[0, 1]]
    path = save(long()[1:], tmp_path, "long.csv")
    samples = load_samples(experiment(path), path, require_targets=True)
    assert np.argwhere(np.isnan(samples.targets)).tolist() == [[0, 0]]


def test_a_new_table_needs_nothing_but_photos(tmp_path: Path):
    train = save(wide(), tmp_path)
    bare = save(wide().select("image_path"), tmp_path, "bare.csv")
    samples = load_samples(experiment(train), bare, require_targets=False)
    assert samples.ids == tuple(f"photos/{k}.png" for k in range(6))
    assert samples.targets.shape == (6, 3)
    assert np.isnan(samples.targets).all()
    assert np.isnan(samples.numeric).all()
    assert samples.categorical.tolist() == [[None]] * 6
    rows = long().select("sample_id", "image_path", "target_name")
    test = save(rows, tmp_path, "test.csv")
    assert len(load_samples(experiment(train), test, require_targets=False)) == 6


def test_targets_of_a_new_table_are_read_where_it_has_them(tmp_path: Path):
    path = save(long().drop("site", "height_cm"), tmp_path)
    samples = load_samples(experiment(path), path, require_targets=False)
    np.testing.assert_array_equal(samples.targets, wide().select(TARGETS).to_numpy())


@pytest.mark.parametrize("key", [{"sample": "site"}, {"set_by": ["site"]}])
def test_several_photos_make_a_sample(tmp_path: Path, key: dict[str, object]):
    frame = wide().with_columns(pl.col("height_cm", *TARGETS).first().over("site"))
    path = save(frame, tmp_path)
    samples = load_samples(experiment(path, data=key), path, require_targets=True)
    assert samples.ids == ("site 0", "site 1", "site 2")
    assert samples.images[1] == ("photos/2.png", "photos/3.png")
    assert samples.owner().tolist() == [0, 0, 1, 1, 2, 2]
    np.testing.assert_array_equal(samples.targets, frame[::2].select(TARGETS).to_numpy())
    assert "image_path" not in samples.frame.columns


def test_several_columns_name_a_set(tmp_path: Path):
    frame = wide().with_columns(day=pl.Series([1, 1, 1, 2, 2, 2]))
    path = save(frame.drop("height_cm"), tmp_path)
    keys = {"set_by": ["site", "day"], "numeric": []}
    with pytest.raises(DataError, match=r"'green_g'.*\(row 2\).*\(row 3\)"):
        load_samples(experiment(path, data=keys), path, require_targets=True)
    bare = save(frame.select("image_path", "site", "day"), tmp_path, "new.csv")
    samples = load_samples(experiment(path, data=keys), bare, require_targets=False)
    assert samples.ids == ("site 0 | 1", "site 1 | 1", "site 1 | 2", "site 2 | 2")


def test_a_set_in_a_long_table_says_one_thing_about_each_target(tmp_path: Path):
    frame = long().with_columns(pl.col("height_cm").first().over("site"))
    path = save(frame, tmp_path)
    with pytest.raises(DataError, match=r"sample 'site 0' has 'green_g' .* here and .* before"):
        load_samples(experiment(path, data={"sample": "site"}), path, require_targets=True)
    agreed = frame.with_columns(pl.col("target").first().over("site", "target_name"))
    path = save(agreed, tmp_path)
    samples = load_samples(experiment(path, data={"sample": "site"}), path, require_targets=True)
    assert samples.images[2] == ("photos/4.png", "photos/5.png")


def test_image_root_moves_the_photos(tmp_path: Path):
    path = save(wide(), tmp_path)
    moved = experiment(path, data={"image_root": str(tmp_path / "elsewhere")})
    samples = load_samples(moved, path, require_targets=True)
    assert samples.paths[0] == (tmp_path / "elsewhere" / "photos" / "0.png",)


def test_all_problems_of_a_long_table_are_told_at_once(tmp_path: Path):
    frame = long().cast({"target": pl.String, "height_cm": pl.String})
    frame = frame.with_row_index("n").with_columns(
        target=pl.when(pl.col("n") == 2).then(pl.lit("12,5")).otherwise("target"),
        height_cm=pl.when(pl.col("n") == 4).then(pl.lit("99.0")).otherwise("height_cm"),
        target_name=pl.when(pl.col("n") == 9).then(pl.lit("gren_g")).otherwise("target_name"),
        sample_id=pl.when(pl.col("n") == 7).then(pl.lit("q0__green_g")).otherwise("sample_id"),
        site=pl.when(pl.col("n").is_in([12, 13, 14])).then(None).otherwise("site"),
    )
    frame = pl.concat([frame, frame[16:17]]).drop("n")
    told = problems_of(frame, tmp_path)
    assert "column 'target', row 4: '12,5'" in told
    assert "sample 'photos/1.png' has different values of 'height_cm'" in told
    assert "99.0 (row 6)" in told
    assert "row 11: 'gren_g' is not in data.targets. Did you mean 'green_g'?" in told
    assert "sample_id 'q0__green_g' stands in rows 2, 9" in told
    assert "target_name 'dead_g' stands in rows 18, 20" in told
    assert "column 'site' (split.by) is blank in rows 14, 15, 16" in told
    assert str(tmp_path / "train.csv") in told


def test_a_misspelt_target_is_told_once(tmp_path: Path):
    frame = long().with_columns(pl.col("target_name").str.replace("green_g", "gren_g"))
    told = problems_of(frame, tmp_path)
    assert told.count("'gren_g' is not in data.targets. Did you mean 'green_g'?") == 1
    assert "rows 2, 5, 8, 11, 14 and 1 more: 'gren_g'" in told


def test_a_column_of_decimal_commas_hides_no_other_problem(tmp_path: Path):
    frame = wide().with_columns(
        pl.lit("1,5").alias("green_g"), dead_g=pl.Series(["1", "2", "3", "heavy", "5", "6"])
    )
    told = problems_of(frame, tmp_path)
    assert "column 'green_g', row 6: '1,5' is not a number: its decimal comma" in told
    assert "column 'green_g', row 7" not in told
    assert "column 'green_g', 1 more row" in told
    assert "column 'dead_g', row 5: 'heavy'" in told


def test_all_problems_of_a_wide_table_are_told_at_once(tmp_path: Path):
    frame = wide().with_columns(
        green_g=pl.Series(["1", "2", "heavy", "4", "", "6"]),
        image_path=pl.Series([None, "a.png", "b.png", "a.png", "c.png", "d.png"]),
        dead_g=pl.lit(None, pl.Float64),
    )
    told = problems_of(frame, tmp_path)
    assert "column 'green_g', row 4: 'heavy'" in told
    assert "repeated photo: image_path 'a.png' stands in rows 3, 5" in told
    assert "column 'image_path' (data.image) is blank in row 2" in told
    assert "the target 'dead_g' has no value in any row" in told
    assert "the target 'green_g' has no value" not in told


def test_missing_columns_are_told_with_the_closest(tmp_path: Path):
    frame = wide().rename({"height_cm": "Height_cm", "site": "place", "dead_g": "dead"})
    told = problems_of(frame, tmp_path)
    assert "no column 'height_cm' (data.numeric). Did you mean 'Height_cm'?" in told
    assert "no column 'site' (data.categorical)" in told
    assert "the target 'dead_g' is not among the columns. Did you mean 'dead'?" in told
    told = problems_of(wide().rename({"image_path": "image"}), tmp_path)
    assert "no column 'image_path' (data.image). Did you mean 'image'?" in told
    told = problems_of(long().rename({"target": "value"}), tmp_path)
    assert "no column 'target' (data.target_value)" in told
    told = problems_of(long().rename({"target_name": "name"}), tmp_path)
    assert "neither long nor wide" in told
    told = problems_of(wide(), tmp_path, data={"id": "quadrat"})
    assert "no column 'quadrat' (data.id)" in told


def test_a_target_that_no_row_has_is_told(tmp_path: Path):
    told = problems_of(long().filter(pl.col("target_name") != "dead_g"), tmp_path)
    assert "the target 'dead_g' is not in column 'target_name'" in told


def test_more_targets_than_an_experiment_predicts_are_no_problem(tmp_path: Path):
    path = save(long(), tmp_path)
    narrow = experiment(path, data={"targets": ["green_g", "total_g"]}, balance=None)
    assert load_samples(narrow, path, require_targets=True).targets.shape == (6, 2)


def test_empty_tables_are_refused(tmp_path: Path):
    assert "no rows" in problems_of(wide(0), tmp_path)


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    path = save(wide(), tmp_path)
    return load_samples(experiment(path), path, require_targets=True)


def test_take_takes_by_position_and_by_mask(samples: Samples):
    some = samples.take([4, 1])
    assert some.ids == ("q4", "q1")
    assert some.rows == (6, 3)
    assert some.frame["sample_id"].to_list() == ["q4", "q1"]
    np.testing.assert_array_equal(some.targets, samples.targets[[4, 1]])
    mask = samples.column("site") == "site 1"
    assert samples.take(mask).ids == ("q2", "q3")
    assert len(samples.take([])) == 0


def test_columns_are_labels_for_splitting(samples: Samples):
    assert samples.column("site").tolist() == wide()["site"].to_list()
    assert samples.column("height_cm").dtype == np.float64
    with pytest.raises(DataError, match="Did you mean 'site'"):
        samples.column("sit")


def test_whole_numbers_are_one_category_however_they_are_stored(tmp_path: Path):
    train = save(wide().with_columns(site=pl.Series([1, 1, 2, 2, 3, 3])), tmp_path)
    one = load_samples(experiment(train), train, require_targets=True)
    new = wide().with_columns(site=pl.Series([1.0, 1.0, None, 2.0, 3.0, 3.0]))
    path = save(new, tmp_path, "new.parquet")
    other = load_samples(experiment(train), path, require_targets=False)
    assert one.categorical[:, 0].tolist() == ["1", "1", "2", "2", "3", "3"]
    assert other.categorical[:, 0].tolist() == ["1", "1", None, "2", "3", "3"]


@pytest.mark.real_data
def test_the_real_pasture_table_is_read(real_data: Path):
    path = real_data / "csiro_biomass" / "train.csv"
    keys = {
        "targets": ["Dry_Green_g", "Dry_Dead_g", "Dry_Clover_g", "GDM_g", "Dry_Total_g"],
        "numeric": ["Pre_GSHH_NDVI", "Height_Ave_cm"],
        "categorical": ["State", "Species"],
    }
    real = experiment(path, data=keys, balance=None, split={"by": ["State", "Sampling_Date"]})
    samples = load_samples(real, path, require_targets=True)
    assert samples.targets.shape == (357, 5)
    assert not np.isnan(samples.targets).any()
    groups = {*zip(samples.column("State"), samples.column("Sampling_Date"), strict=True)}
    assert len(groups) == 30
