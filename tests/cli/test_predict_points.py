"""`quadrat predict` of runs that were trained on points, through the real command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from quadrat import workflow
from quadrat.worlds.points import PointsWorld, make_points
from tests.conftest import Outcome


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> PointsWorld:
    return make_points(tmp_path_factory.mktemp("region"), species=5, visits=200, seed=5)


@pytest.fixture(scope="module")
def points_run(region: PointsWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    overrides = [
        f"data.points={region.records}", "points.models=['network']", "points.members=1",
        "points.folds=2", "optimiser.epochs=2", "score.bootstrap=0", "run.device=cpu",
    ]  # fmt: skip
    out = tmp_path_factory.mktemp("runs")
    return workflow.train("points", out=out, overrides=overrides).folder


def test_a_number_cuts_suitability_into_presence(
    quadrat: Callable[..., Outcome], points_run: Path, region: PointsWorld, tmp_path: Path
):
    asked = ["predict", points_run, "--data", region.surveys, "--out"]
    assert quadrat(*asked, tmp_path / "raw.parquet").code == 0
    raw = pl.read_parquet(tmp_path / "raw.parquet")
    species = [line.split("\t")[0] for line in (points_run / "labels.txt").read_text().splitlines()]
    least = float(raw[species[0]].quantile(0.6) or 0.0)
    done = quadrat(*asked, tmp_path / "cut.parquet", "--threshold", least)
    assert done.code == 0, done.err
    cut = pl.read_parquet(tmp_path / "cut.parquet")
    assert set(cut[species[0]]) == {0, 1}
    for code in species:
        expected = [int(value >= least) for value in raw[code].to_list()]
        assert cut[code].to_list() == expected


def test_one_row_is_no_rows(
    quadrat: Callable[..., Outcome], points_run: Path, region: PointsWorld, tmp_path: Path
):
    pl.read_csv(region.surveys).head(1).write_csv(tmp_path / "one.csv")
    done = quadrat(
        "predict", points_run, "--data", tmp_path / "one.csv", "--out", tmp_path / "a.csv"
    )
    assert "1 row\n" in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--distance"], "knows no distance"),
        (["--distance", "--threshold", "0.3"], "knows no distance"),
        (["--threshold", "species"], "no thresholds of species: give a number"),
    ],
)
def test_what_only_places_have_is_refused_in_one_line(
    quadrat: Callable[..., Outcome], points_run: Path, region: PointsWorld, tmp_path: Path,
    options: list[str], said: str,
):  # fmt: skip
    out = tmp_path / "answers.csv"
    done = quadrat("predict", points_run, "--data", region.surveys, "--out", out, *options)
    assert done.code == 2
    assert said in done.err and len(done.err.splitlines()) == 1
    assert not out.exists()
