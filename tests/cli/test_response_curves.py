"""`quadrat explain` of points through the real command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from quadrat import workflow
from quadrat.worlds.points import PointsWorld, make_points
from tests.conftest import Outcome

FILES = {"response.csv", "importance.csv", "response.png", "response.svg"}


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> PointsWorld:
    """More species than are told of without asking."""
    return make_points(tmp_path_factory.mktemp("region"), species=14, visits=400, seed=5)


@pytest.fixture(scope="module")
def points_run(region: PointsWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    overrides = [
        f"data.points={region.records}", "points.models=['network']", "points.members=2",
        "points.folds=2", "optimiser.epochs=2", "score.bootstrap=0", "run.device=cpu",
    ]  # fmt: skip
    out = tmp_path_factory.mktemp("runs")
    return workflow.train("points", out=out, overrides=overrides).folder


def test_points_are_explained_over_a_table(
    quadrat: Callable[..., Outcome], points_run: Path, region: PointsWorld, tmp_path: Path
):
    done = quadrat("explain", points_run, "--data", region.surveys, "--out", tmp_path)
    assert done.code == 0, done.err
    assert {Path(line).name for line in done.out.splitlines()} == FILES
    assert "the first 12 of 14 species are told of" in done.err
    told = pl.read_csv(tmp_path / "response.csv")
    assert told["species"].n_unique() == 12
    assert told["covariate"].unique(maintain_order=True).to_list() == [
        "temperature_c",
        "rain_mm",
        "soil",
    ]
    assert set(pl.read_csv(tmp_path / "importance.csv")["measure"]) == {"auc_drop"}
    drawn = (tmp_path / "response.svg").read_text(encoding="utf-8")
    assert "3 of 12 species of the table" in drawn
    assert "suitability" in drawn


def test_species_are_chosen(
    quadrat: Callable[..., Outcome], points_run: Path, region: PointsWorld, tmp_path: Path
):
    command = ["explain", points_run, "--data", region.records, "--out", tmp_path, "--species"]
    done = quadrat(*command, "sp14, sp02")
    assert done.code == 0, done.err
    told = pl.read_csv(tmp_path / "response.csv")
    assert told["species"].unique(maintain_order=True).to_list() == ["sp14", "sp02"]
    assert "first 12" not in done.err
    wrong = quadrat(*command, "sp02,unicorn")
    assert wrong.code != 0
    assert "unknown species 'unicorn'" in wrong.err


def test_points_without_a_table_are_an_error(
    quadrat: Callable[..., Outcome], points_run: Path, tmp_path: Path
):
    done = quadrat("explain", points_run, "--out", tmp_path)
    assert done.code != 0
    assert "with --data (records, places, or a survey)" in done.err
    assert not list(tmp_path.iterdir())
