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
    assert "trial 1:" in done.err and "trial 2:" in done.err and "trial 0" not in done.err
    study = json.loads((Path(shlex.split(done.last_line)[-1]).parent / "study.json").read_text())
    assert [trial["number"] for trial in study["trials"]] == [1, 2]
    assert f"(trial {study['best']['number']})" in done.out
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
        (["--only", "lr,network.scael"], "'lr'. The geomodel's --lr is 'optimiser.learning_rate'"),
        (["--only", "lr,pos_lambda"], "'pos_lambda'. The geomodel's --pos_lambda is 'loss.pos_l"),
        (["--autotune_epochs", "3"], "use `quadrat tune EXPERIMENT --epochs N`"),
        (["--autotune_ranges", "3"], "use `quadrat tune EXPERIMENT --space FILE`"),
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
