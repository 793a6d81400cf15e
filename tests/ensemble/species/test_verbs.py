"""The verbs of species networks, on an ensemble of them, through the real command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from quadrat import workflow
from quadrat.errors import RunError
from quadrat.runs import Run
from quadrat.worlds.planet import PlanetWorld
from tests.conftest import Outcome
from tests.ensemble.runs import ensemble_of


@pytest.fixture(scope="module")
def ensemble(networks: list[Run], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One ensemble for all verbs."""
    out = tmp_path_factory.mktemp("ensembles")
    members = [one.folder for one in networks]
    return workflow.ensemble(members, out=out, overrides=["score.bootstrap=20"]).folder


def test_it_leaves_the_files_of_a_run(ensemble: Path):
    assert {path.name for path in ensemble.iterdir()} == {
        "calibration.npz",
        "card.md",
        "cells.parquet",
        "check.json",
        "experiment.toml",
        "figures",
        "labels.txt",
        "metrics.json",
        "model.json",
        "observed.npz",
        "preprocessing.json",
        "provenance.json",
        "reliability.json",
        "report.html",
        "species.parquet",
        "status.json",
    }
    report, card = (ensemble / "report.html").read_text(), (ensemble / "card.md").read_text()
    assert "The members" in report and "How training went" not in report
    assert "It is 2 networks, combined by their mean." in card


def test_all_verbs_take_it(
    quadrat: Callable[..., Outcome], ensemble: Path, planet: PlanetWorld, tmp_path: Path
):
    asked = ("--lat", 40, "--lon", -100, "--week", 20)
    listed = json.loads(quadrat("species", ensemble, *asked, "--threshold", 0, "--json").out)
    by_name = {row["code"]: row["probability"] for row in listed}
    places = tmp_path / "places.csv"
    places.write_text("lat,lon,week\n40,-100,20\n40,-100,0\n")
    answers = tmp_path / "answers.parquet"
    done = quadrat("predict", ensemble, "--data", places, "--out", answers, "--distance")
    assert done.code == 0
    frame = pl.read_parquet(answers)
    for code, probability in by_name.items():
        assert frame[code][0] == pytest.approx(probability, rel=1e-4)
        assert frame[code][1] >= frame[code][0]
    cut = workflow.predict(ensemble, data=places, threshold="species")
    assert set(cut.select(pl.col(list(by_name)).max()).row(0)) <= {0, 1}
    picture = tmp_path / "map.png"
    code = next(iter(by_name))
    assert quadrat("map", ensemble, "--species", code, "--step", 20, "--out", picture).code == 0
    assert picture.stat().st_size > 1000
    assert quadrat("evaluate", ensemble).code == 0
    assert (ensemble / "evaluations" / "held-out" / "report.html").is_file()


def test_it_is_evaluated_on_other_tables(ensemble: Path, planet: PlanetWorld, tmp_path: Path):
    told = workflow.evaluate(ensemble, data=planet.table, name="table")
    assert told["protocol"]["judged"] == "table" and told["scores"]["map"] > 0.3
    code = pl.read_parquet(ensemble / "species.parquet").sort("n_train")["code"][-1]
    cells = pl.read_parquet(ensemble / "cells.parquet").head(40)
    there = [i % 2 for i in range(cells.height)]
    survey = cells.select("lat", "lon", week=pl.lit(20)).with_columns(pl.Series(code, there))
    survey.write_csv(tmp_path / "survey.csv")
    told = workflow.evaluate(ensemble, data=tmp_path / "survey.csv")
    assert told["protocol"]["judged"] == "survey"
    assert 0.0 <= told["scores"]["macro_auc"] <= 1.0


def test_a_member_that_was_trained_on_is_told(ensemble: Path, networks: list[Run]):
    path = networks[0].path("metrics.json")
    before = path.read_bytes()
    try:
        path.write_bytes(before + b"\n")
        with pytest.raises(RunError, match=r"'places' .* has other scores"):
            workflow.species_list(ensemble, lat=0, lon=0)
    finally:
        path.write_bytes(before)


def test_an_ensemble_that_was_not_finished_says_so(networks: list[Run], tmp_path: Path):
    run = Run(tmp_path)
    run.write_experiment(ensemble_of(*networks))
    with pytest.raises(RunError, match=r"holds no trained model: .*--resume"):
        workflow.species_list(run.folder, lat=0, lon=0, week=1)
