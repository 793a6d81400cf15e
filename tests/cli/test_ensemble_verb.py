"""The verb ensemble, and all others on what it makes, through the real command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from quadrat.worlds.pasture import PastureWorld
from tests.conftest import Outcome

SMALL = ["views.size=32", "split.folds=2", "optimiser.epochs=2", "score.bootstrap=20"]
RUN_FILES = [
    "experiment.toml", "provenance.json", "status.json", "metrics.json", "model.json",
    "check.json", "oof.parquet", "predictions.parquet", "submission.csv", "report.html", "card.md",
]  # fmt: skip


@pytest.fixture(scope="module")
def members(pasture: PastureWorld, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs that differ in their scale."""
    from quadrat import workflow

    out = tmp_path_factory.mktemp("runs")
    data = [f"data.table={pasture.train}", f"data.test={pasture.test}"]
    data.append(f"data.sample_submission={pasture.sample_submission}")
    keys = (["name=plain"], ["name=roots", "loss.transform=sqrt"])
    return [
        workflow.train("pasture-frozen", out=out, overrides=[*SMALL, *data, *more]).folder
        for more in keys
    ]


@pytest.fixture(scope="module")
def ensemble(members: list[Path]) -> Path:
    """One ensemble for the verbs that ask one."""
    from quadrat import workflow

    overrides = ["score.bootstrap=20"]
    return workflow.ensemble(members, out=members[0].parent, overrides=overrides).folder


def test_ensemble_leaves_the_files_of_a_run(
    quadrat: Callable[..., Outcome], members: list[Path], tmp_path: Path
):
    done = quadrat("ensemble", *members, "--method", "weighted", "--jit", "--out", tmp_path)
    assert done.code == 0, done.err
    run = Path(done.last_line)
    assert run.parent == tmp_path
    for name in RUN_FILES:
        assert (run / name).is_file(), name
    assert {"best_member", "members_mean"} <= set(done.out.splitlines()[0].split())
    assert json.loads((run / "status.json").read_text())["state"] == "finished"
    report = (run / "report.html").read_text()
    assert "The members" in report
    assert "How training went" not in report
    assert "2 runs, combined by a weighted mean" in (run / "card.md").read_text()


def test_an_ensemble_is_trained_from_a_file_and_repeated_from_its_folder(
    quadrat: Callable[..., Outcome], members: list[Path], tmp_path: Path
):
    lines = ['family = "ensemble"', *[f'[[member]]\nrun = "{one}"' for one in members]]
    path = tmp_path / "ensemble.toml"
    path.write_text("\n".join([*lines, "[combine]", 'method = "median"', "copy = true"]))
    checked = quadrat("check", path, "--set", "score.bootstrap=0")
    assert checked.code == 0, checked.err
    assert "share of Dry_Total_g" in checked.out
    first = Path(quadrat("train", path, "--out", tmp_path, "--quiet").last_line)
    again = Path(quadrat("train", first, "--out", tmp_path, "--quiet").last_line)
    assert (first / "metrics.json").read_bytes() == (again / "metrics.json").read_bytes()
    assert (first / "members" / "1" / "model.json").is_file()


def test_all_verbs_take_an_ensemble(
    quadrat: Callable[..., Outcome], ensemble: Path, pasture: PastureWorld, tmp_path: Path
):
    answers, submission = tmp_path / "answers.csv", tmp_path / "submission.csv"
    done = quadrat("predict", ensemble, "--data", pasture.test, "--out", answers)
    assert done.code == 0, done.err
    assert done.err.count("warning: the table has no Pre_GSHH_NDVI") == 1, "once, not by member"
    written = pl.read_parquet(ensemble / "predictions.parquet")
    assert pl.read_csv(answers)["balanced"].to_list() == pytest.approx(
        written["balanced"].to_list()
    )
    like = ["--like", pasture.sample_submission]
    done = quadrat("submit", ensemble, "--test", pasture.test, *like, "--out", submission)
    assert done.code == 0, done.err
    assert submission.read_text() == (ensemble / "submission.csv").read_text()
    done = quadrat("evaluate", ensemble, "--data", pasture.truth, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["protocol"]["samples"] == 4
    assert quadrat("evaluate", ensemble).code == 0
    assert quadrat("report", ensemble).last_line == str(ensemble / "report.html")
    listed = json.loads(quadrat("runs", ensemble.parent, "--json").out)
    assert [row["primary"] for row in listed] == ["weighted_r2"] * 3


def test_wrong_use_is_told(quadrat: Callable[..., Outcome], members: list[Path], ensemble: Path):
    assert quadrat("ensemble", members[0]).code == 2
    done = quadrat("ensemble", members[0], members[0])
    assert (done.code, "named twice" in done.err) == (2, True)
    done = quadrat("ensemble", members[0], ensemble)
    assert (done.code, "it is of the family 'ensemble'" in done.err) == (1, True)
    assert quadrat("tune", ensemble).code == 2
