"""`quadrat tune` through the real command line, for both families, with the files it must leave."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from quadrat.experiment import load
from quadrat.worlds.planet import PlanetWorld
from tests.cli.test_occurrence_verbs import settings
from tests.conftest import Outcome
from tests.photos.small import small

FILES = ["study.json", "trials.csv", "best.toml", "report.html", "study.log"]


def test_tune_occurrence(quadrat: Callable[..., Outcome], planet: PlanetWorld, tmp_path: Path):
    done = quadrat(
        "tune", "species", *settings(planet), "--set", "split.test=0.2",
        "--trials", 2, "--epochs", 1, "--only", "network.environment_weight,loss.label_smoothing",
        "--out", tmp_path,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "trial 0:" in done.err
    *command, file = shlex.split(done.last_line)
    assert command == ["quadrat", "train"]
    for name in FILES:
        assert (Path(file).parent / name).is_file(), name
    best = load(file)
    assert best.optimiser.epochs == 2, "the experiment's own epochs"
    assert best.name == "species-tuned"


def test_show_space_is_the_space_that_is_searched(quadrat: Callable[..., Outcome], tmp_path: Path):
    experiment = tmp_path / "experiment.toml"
    experiment.write_text(small(tmp_path).to_toml(), encoding="utf-8")
    only = ("--only", "loss.transform,fusion.dropout")
    shown = quadrat("tune", experiment, "--show-space", *only, "--set", "fusion.dropout=0.2")
    assert shown.code == 0, shown.err
    assert "transform = " in shown.out
    assert "dropout" not in shown.out
    assert "learning_rate" not in shown.out
    unknown = quadrat("tune", experiment, "--show-space", "--only", "los.transform")
    assert unknown.code == 2
    assert "Did you mean 'loss.transform'?" in unknown.err


def test_tune_photos(quadrat: Callable[..., Outcome], tmp_path: Path):
    experiment = tmp_path / "experiment.toml"
    experiment.write_text(small(tmp_path, split={"inner": 0.3}).to_toml(), encoding="utf-8")
    space = tmp_path / "space.toml"
    shown = quadrat("tune", experiment, "--show-space")
    assert shown.code == 0, shown.err
    space.write_text(shown.out, encoding="utf-8")
    done = quadrat(
        "tune", experiment, "--space", space, "--method", "random", "--trials", 3, "--epochs", 1,
        "--storage", tmp_path / "study.db", "--out", tmp_path / "runs", "--json", "--quiet",
    )  # fmt: skip
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert sum(told["counts"].values()) == 3
    assert told["primary"] == "weighted_r2"
    assert told["best"]["value"] >= max(t["value"] or -9 for t in told["trials"])
    assert (Path(told["folder"]) / "best.toml").is_file()
    assert not list((tmp_path / "runs").glob("*/folds")), "trials leave no run folders"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--only", "network.scael"], "Did you mean 'network.scale'?"),
        (["--storage", "study.json"], "must end in .db"),
        (["--trials", "0"], "trials"),
    ],
)
def test_wrong_use(
    quadrat: Callable[..., Outcome], planet: PlanetWorld, tmp_path: Path,
    arguments: list[str], told: str,
):  # fmt: skip
    overrides = [value for value in settings(planet) if "network.scale" not in value]
    values = [value for value in overrides if value != "--set"]
    flags = [part for value in values for part in ("--set", value)]
    done = quadrat("tune", "species", *flags, "--out", tmp_path, *arguments)
    assert done.code == 2
    assert told in done.err
