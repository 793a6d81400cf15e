from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from quadrat.errors import DataError
from quadrat.occurrence.points.background import with_background
from quadrat.occurrence.points.data import prepare
from quadrat.occurrence.points.sites import read_records, read_surveys, read_test
from quadrat.occurrence.schema import PointsSection

RECORDS = pl.DataFrame(
    {
        "x": [0.0, 0.0, 1.0, 2.0, 3.0, 3.0],
        "y": [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        "rain": [5.0, 5.0, None, 7.0, 8.0, 8.0],
        "soil": [1, 1, 2, 2, None, None],
        "species": ["ant", "bee", "bee", "oak", "oak", "bee"],
        "group": ["insect", "insect", "insect", "tree", "tree", "insect"],
    }
)


def section(**keys) -> PointsSection:
    columns = {"x": "x", "y": "y", "covariates": ["rain"], "categorical": ["soil"]}
    return PointsSection.model_validate({**columns, **keys})


def test_records_are_gathered_by_site(tmp_path):
    records = read_records(RECORDS, section(group="group"), tmp_path)
    sites = records.sites
    assert sites.codes == ("ant", "bee", "oak")
    assert records.groups == ("insect", "insect", "tree")
    np.testing.assert_array_equal(sites.place[:, 0], [0, 1, 2, 3])
    np.testing.assert_array_equal(sites.labels, [[1, 1, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1]])
    np.testing.assert_array_equal(sites.covariates.numbers[:, 0], [5, np.nan, 7, 8])
    assert sites.covariates.categories[:, 0].tolist() == ["1", "2", "2", None]


def test_target_group_background_is_where_the_group_was_recorded(tmp_path):
    everything = read_records(RECORDS, section(group="group"), tmp_path)
    labels = everything.sites.labels
    assert not (labels[:, 2] == 0)[everything.visited[:, 2]].any()
    with pytest.raises(DataError, match="no target-group background") as error:
        with_background(everything, section(group="group"), seed=0)
    assert "'bee' of the group 'insect'" in str(error.value) and "'ant'" not in str(error.value)
    one_group = with_background(read_records(RECORDS, section(), tmp_path), section(), seed=0)
    np.testing.assert_array_equal(one_group.labels, labels)


def test_other_groups_are_unknown(points, region):
    data = prepare(points())
    labels, groups = data.sites.labels, np.array(data.groups)
    birds, plants = groups == "bird", groups == "plant"
    assert birds.any() and plants.any()
    seen = labels > 0
    assert np.isnan(labels[np.ix_(~seen[:, birds].any(axis=1), np.flatnonzero(birds))]).all()
    assert not np.isnan(labels[np.ix_(seen[:, birds].any(axis=1), np.flatnonzero(birds))]).any()
    frame = pl.read_csv(region.records)
    for code, count in zip(data.vocabulary.codes, data.counts, strict=True):
        assert frame.filter(pl.col("species") == code).unique(["x", "y"]).height == count


def test_random_background_says_nothing_of_other_species(points, region):
    keys = {"background": "random", "background_table": str(region.background)}
    data = prepare(points({**keys, "background_points": 100}))
    labels = data.sites.labels
    background = (labels == 0).all(axis=1)
    assert background.sum() == 100
    assert not (labels[~background] == 0).any()
    again = prepare(points({**keys, "background_points": 100}))
    np.testing.assert_array_equal(again.sites.place, data.sites.place)
    table = prepare(points({**keys, "background": "table"}))
    assert (table.sites.labels == 0).all(axis=1).sum() == 600


def test_background_from_the_bounding_box(points):
    keys = {"covariates": ["y", "x"], "categorical": None, "background": "random"}
    data = prepare(points({**keys, "background_points": 500}))
    background = (data.sites.labels == 0).all(axis=1)
    drawn, seen = data.sites.place[background], data.sites.place[~background]
    assert (drawn >= seen.min(axis=0)).all() and (drawn <= seen.max(axis=0)).all()
    np.testing.assert_array_equal(data.sites.covariates.numbers, data.sites.place[:, ::-1])


def test_background_on_the_globe_is_even_by_area(tmp_path):
    section = PointsSection.model_validate(
        {"covariates": ["lat"], "background": "random", "background_points": 4000}
    )
    frame = pl.DataFrame({"lat": [0.0, 90.0], "lon": [0.0, 10.0], "species": ["a", "a"]})
    sites = with_background(read_records(frame, section, tmp_path), section, seed=1)
    north = (sites.place[2:, 1] > 30.0).mean()
    assert north == pytest.approx(0.5, abs=0.03), "half of a hemisphere lies beyond 30 degrees"


def test_long_surveys(tmp_path):
    frame = pl.DataFrame(
        {
            "x": [0, 0, 0, 1],
            "y": [0, 0, 0, 0],
            "rain": [1, 1, 1, 2],
            "species": ["a", "b", "a", "b"],
            "seen": [0, 0, 1, 1],
        }
    )
    keys = section(kind="presence-absence", occurrence="seen", categorical=[])
    sites = read_surveys(frame, keys, tmp_path)
    np.testing.assert_array_equal(sites.labels, [[1, 0], [np.nan, 1]])


def test_wide_surveys_may_be_blank(tmp_path):
    frame = pl.DataFrame({"x": [0, 1], "y": [0, 1], "rain": [1, 2], "a": [1, None], "b": [0, 1]})
    keys = section(kind="presence-absence", species_columns=["b", "a"], categorical=[])
    sites = read_surveys(frame, keys, tmp_path)
    np.testing.assert_array_equal(sites.labels, [[0, 1], [1, np.nan]])
    found = read_test(frame, section(categorical=[]), ("a", "unheard-of"), tmp_path)
    assert found.codes == ("a",)
    both = found.of_species(("unheard-of", "a"))
    np.testing.assert_array_equal(both.labels, [[np.nan, 1], [np.nan, np.nan]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (pl.lit("a few").alias("rain"), "'rain' must hold finite numbers"),
        (pl.lit(None, pl.Float64).alias("x"), "coordinates are missing"),
        (pl.lit(None, pl.String).alias("species"), r"'species' \(points.species\) is blank"),
        (pl.col("species").alias("group"), None),
        (pl.Series("group", ["a", "b", "a", "c", "c", "a"]), "two groups"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, change, message):
    frame = RECORDS.with_columns(change)
    if message is None:
        assert read_records(frame, section(group="group"), tmp_path).groups[0] == "ant"
        return
    with pytest.raises(DataError, match=message):
        read_records(frame, section(group="group"), tmp_path / "records.csv")


def test_counts_are_not_presences(tmp_path):
    frame = pl.DataFrame({"rain": [1.0], "a": [7]})
    with pytest.raises(DataError, match="must hold 1") as error:
        read_test(frame, section(categorical=[]), ("a",), tmp_path)
    assert "row 2: 7" in str(error.value)
    with pytest.raises(DataError, match="no column for any"):
        read_test(frame, section(categorical=[]), ("b",), tmp_path)


def test_rare_species_are_left_out(points):
    data = prepare(points())
    least = int(data.counts.min()) + 1
    fewer = prepare(points({"min_records": least}))
    assert set(fewer.too_rare) | set(fewer.vocabulary.codes) == set(data.vocabulary.codes)
    assert fewer.counts.min() >= least
    with pytest.raises(DataError, match="no species was seen at 100000 sites"):
        prepare(points({"min_records": 100_000}))


def test_folds_hold_out_whole_blocks(points):
    folds = prepare(points()).folds
    assert folds.count == 3
    for block in np.unique(folds.blocks):
        assert len(np.unique(folds.fold[folds.blocks == block])) == 1
    sizes = np.bincount(folds.fold)
    assert sizes.max() < 2 * sizes.min()
