"""The report of a run of points tells of this run, and of nothing that cells have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from quadrat.experiment import parse
from quadrat.geo import land_polygons
from quadrat.occurrence import family
from quadrat.report import write_report
from quadrat.report.occurrence_figures import plain_reliability
from quadrat.report.points_figures import fold_map
from quadrat.report.points_keys import points_keys
from quadrat.report.style import to_svg
from quadrat.runs import Run, write_json
from quadrat.worlds.points import PointsWorld, make_points


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> PointsWorld:
    return make_points(tmp_path_factory.mktemp("region"), species=6, visits=200, seed=3)


def trained(region: PointsWorld, folder: Path, **points: Any) -> Run:
    """A run of regressions, which need no time."""
    data = points.pop("points", region.records)
    columns = {"x": "x", "y": "y", "covariates": ["temperature_c", "rain_mm"], "folds": 3}
    document = {
        "family": "occurrence",
        "name": "region",
        "data": {"points": str(data)},
        "points": {**columns, "models": ["logistic"], **points},
        "score": {"bootstrap": 20},
        "run": {"device": "cpu"},
    }
    made = parse(document)
    run = Run.create(folder, made)
    family.train(made, run, history=run.history())
    return run


@pytest.fixture(scope="module")
def records(region: PointsWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = trained(
        region, tmp_path_factory.mktemp("runs"), group="group", categorical=["soil"], block=60.0
    )
    return write_report(run).parent


@pytest.fixture(scope="module")
def surveys(region: PointsWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    keys = {"kind": "presence-absence", "species_columns": list(region.codes)}
    run = trained(region, tmp_path_factory.mktemp("runs"), points=region.surveys, **keys)
    return write_report(run).parent


def read(folder: Path) -> str:
    """The page without the experiment file and without drawings."""
    page = (folder / "report.html").read_text("utf-8")
    return re.sub(r"<svg.*?</svg>|<code>.*?</code>", "", page, flags=re.DOTALL)


def test_nothing_is_told_that_points_do_not_have(records: Path) -> None:
    page = read(records)
    for strange in (
        "watchlist",
        "sample_fraction",
        "ocean_rate",
        "yearly",
        "block_km",
        ">validation<",
        ">test<",
        "check.json",
        "cells",
        "from place and week",
        "over whole groups",
        "carry the scores",
    ):
        assert strange not in page, strange
    for told in ("<dt>block</dt><dd>60</dd>", "<dt>points.group</dt>", "target-group"):
        assert told in page, told


def test_the_findings_of_the_data_check_are_shown(records: Path) -> None:
    page = read(records)
    assert "What to be careful about" in page
    assert "cross-validation rests on 4 spatial blocks only" in page
    assert "The data check" in page and "2 numbers, 1 category" in page
    assert "cross-validation rests on 4 spatial blocks" in (records / "card.md").read_text("utf-8")


def test_sentences_are_whole(records: Path) -> None:
    page = read(records)
    assert "In spatial blocks that it did not learn from, the model ranks" in page
    assert "50\u00a0% for the same answer everywhere" in page
    assert not re.search(r"\d %", page)


def test_only_surveys_have_a_calibration(records: Path, surveys: Path) -> None:
    assert not (records / "figures" / "reliability.svg").exists()
    assert "Can the probabilities be believed?" not in read(records)
    assert (surveys / "figures" / "reliability.svg").exists()
    assert "each by a model that has not learnt the spatial block of the site" in read(surveys)
    assert "most are tiny" not in read(surveys)


@pytest.mark.parametrize("which", ["records", "surveys"])
def test_sites_and_covariates_are_drawn(which: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(which)
    drawn = {path.stem for path in (folder / "figures").iterdir()}
    assert {"sites", "importance", "response"} <= drawn
    texts = (folder / "figures" / "sites.svg").read_text("utf-8")
    assert all(f"fold {number}" in texts for number in (1, 2, 3))
    assert "temperature_c" in (folder / "figures" / "response.svg").read_text("utf-8")
    answer = "suitability" if which == "records" else "probability"
    assert f"The {answer} of the most recorded species along" in read(folder)


def test_a_run_of_an_earlier_version_has_a_report_too(surveys: Path, tmp_path: Path) -> None:
    for name in ("metrics.json", "model.json", "experiment.toml", "species.parquet"):
        (tmp_path / name).write_bytes((surveys / name).read_bytes())
    assert "How the split was made" in write_report(tmp_path).read_text("utf-8")


def test_an_evaluation_leaves_out_groups_without_scores(records: Path) -> None:
    from quadrat.report.writing import write_evaluation_report

    scores = {"macro_auc": 0.7, "macro_ap": 0.5}
    classes = {
        name: {"species": 3.0, "macro_ap": ap, "macro_auc": ap}
        for name, ap in (("bird", 0.5), ("plant", 0.6), ("moss", None))
    }
    metrics = {"primary": "macro_auc", "scores": scores, "per_target": classes, "protocol": {}}
    folder = records / "evaluations" / "elsewhere"
    write_json(folder / "metrics.json", metrics)
    pl.read_parquet(records / "species.parquet").write_parquet(folder / "species.parquet")
    page = write_evaluation_report(records, "elsewhere").read_text("utf-8")
    assert "Means over the species of each group" in page
    assert "plant" in page and "moss" not in page
    assert "from place and covariates" in page


def test_only_keys_that_did_something_are_data() -> None:
    given = {
        "data": {"points": "a.csv", "watchlist": ["a"], "taxonomy": ""},
        "points": {
            "kind": "presence-absence",
            "lat": "lat",
            "lon": "lon",
            "species_columns": ["a", "b"],
            "background": "target-group",
            "background_points": 10_000,
            "species": "species",
            "covariates": ["rain"],
            "folds": 5,
        },
    }
    assert points_keys(given) == {
        "points": "a.csv",
        "points.lat": "lat",
        "points.lon": "lon",
        "points.species_columns": 2,
        "points.kind": "presence-absence",
        "points.covariates": ["rain"],
        "points.folds": 5,
    }


def test_places_in_degrees_are_drawn_on_land_also_at_the_dateline() -> None:
    rng = np.random.default_rng(0)
    lon = np.where(np.arange(80) % 2, 179.0, -179.0) + rng.uniform(-0.9, 0.9, 80)
    lat = rng.uniform(-20, -15, 80)
    figure = fold_map(lon, lat, np.arange(80) % 8, land=land_polygons())
    axes = figure.axes[0]
    dots = np.concatenate([np.asarray(each.get_offsets()) for each in axes.collections[-8:]])
    left, right = axes.get_xlim()
    assert len(dots) == 80 and (dots[:, 0] > left).all() and (dots[:, 0] < right).all()
    assert "fold 8" in to_svg(figure)


def test_fine_bins_are_joined_to_steps_of_equal_width() -> None:
    edges = np.array([0.0, 0.01, 1 / 15, 2 / 15, 1.0])
    counts = np.array([30.0, 10.0, 0.0, 5.0])
    said, seen = np.array([0.0, 0.04, np.nan, 0.2]), np.array([0.0, 0.4, np.nan, 0.6])
    top, bottom = plain_reliability(said, seen, counts, edges).axes
    line = np.asarray(top.lines[1].get_xydata())
    np.testing.assert_allclose(line, [[1.0, 10.0], [20.0, 60.0]])
    assert [bar.get_height() for bar in bottom.patches] == [40.0, 5.0]
