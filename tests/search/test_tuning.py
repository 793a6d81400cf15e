from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quadrat.errors import RunError, Stopped, TrainingError, UsageError
from quadrat.experiment import load
from quadrat.search.tuning import tune
from tests.search.conftest import SPACE, not_finite, unusable

ROOT = Path(__file__).parents[2]

WORKER = """
import sys, time
from quadrat.search import tuning
from tests.search.conftest import FakeFamily, SPACE

class Slow(FakeFamily):
    def validation_score(self, experiment, data, *, report=None):
        print("begun", flush=True)
        time.sleep(float(sys.argv[4]))
        return super().validation_score(experiment, data, report=report)

tuning.family_of = lambda experiment: Slow()
tuning.tune(sys.argv[1], storage=sys.argv[2], trials=int(sys.argv[3]), space=SPACE,
            method="random", out=sys.argv[5])
"""


def worker(experiment, storage: Path, trials: int, seconds: float, out: Path) -> subprocess.Popen:
    """Another process that searches, with trials of so many seconds."""
    path = out / "experiment.toml"
    path.write_text(experiment.to_toml(), encoding="utf-8")
    arguments = [str(path), str(storage), str(trials), str(seconds), str(out)]
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, *arguments],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_the_best_values_are_found_and_kept(family, occurrence, tmp_path):
    found = tune(occurrence(), space=SPACE, trials=25, out=tmp_path)
    assert found.best is not None
    assert found.given is not None
    assert found.best.value > found.given.value
    assert found.best.value == max(t.value for t in found.finished)
    assert found.trials[0].given, "the experiment's own values come first"
    assert found.given.values == {
        "network.scale": 0.75, "optimiser.learning_rate": 1e-3, "optimiser.batch_size": 1024,
    }  # fmt: skip
    assert len(found.trials) == 25
    assert found.counts()["given up"] > 0
    assert sum(found.importances.values()) == pytest.approx(1.0)

    assert found.folder.parent == tmp_path
    kept = load(found.folder / "best.toml")
    assert kept.name == "small-tuned"
    assert kept.optimiser.epochs == 4
    assert kept.network.scale == found.best.values["network.scale"]
    told = json.loads((found.folder / "study.json").read_text())
    assert told["best"]["value"] == found.best.value
    rows = list(csv.DictReader((found.folder / "trials.csv").read_text().splitlines()))
    assert [float(row["network.scale"]) for row in rows] == [
        trial.values["network.scale"] for trial in found.trials
    ]
    assert found.command == f"quadrat train {found.folder / 'best.toml'}"


@pytest.mark.parametrize("method", ["tpe", "random"])
def test_the_same_seed_gives_the_same_trials(family, occurrence, tmp_path, method):
    def values(seed: int) -> list[object]:
        experiment = occurrence().model_copy(update={"seed": seed})
        found = tune(experiment, method=method, space=SPACE, trials=14, out=tmp_path)
        return [(dict(t.values), t.value, t.state) for t in found.trials]

    first = values(1)
    assert values(1) == first
    assert values(2)[1:] != first[1:]


def test_a_study_goes_on_in_its_storage(family, occurrence, tmp_path):
    storage = tmp_path / "study.db"
    first = tune(occurrence(), space=SPACE, trials=5, storage=storage, out=tmp_path)
    again = tune(occurrence(), space=SPACE, trials=12, storage=storage, out=tmp_path)
    whole = tune(occurrence(), space=SPACE, trials=12, out=tmp_path)
    assert again.folder == first.folder
    assert len(family.trained) == 24
    assert [t.values for t in again.trials] == [t.values for t in whole.trials]
    with pytest.raises(RunError, match="begun with epochs = 4, now 2"):
        tune(occurrence(), space=SPACE, epochs=2, storage=storage, out=tmp_path)


def test_values_that_do_not_go_together_are_no_crash(family, occurrence, tmp_path):
    space = {
        "optimiser.warmup_epochs": {"low": 0.5, "high": 1.0},
        "network.scale": {"low": 0.5, "high": 1.0},
    }
    experiment = occurrence(optimiser={"warmup_steps": 10})
    with pytest.raises(TrainingError, match=r"warmup_steps or warmup_epochs, not both"):
        tune(experiment, space=space, trials=3, out=tmp_path)
    told = json.loads(next(tmp_path.glob("tune-*/study.json")).read_text())
    assert told["counts"] == {"invalid": 3}
    assert "warmup_steps" in told["trials"][0]["reason"]
    assert family.trained == []


def test_failures_of_training_are_recorded_and_passed_over(family, occurrence, tmp_path):
    failures = {1: not_finite(1), 2: unusable()}
    family.fails = failures.get
    found = tune(occurrence(), space=SPACE, trials=5, out=tmp_path)
    states = [trial.state for trial in found.trials]
    assert states[:3] == ["finished", "failed", "invalid"]
    assert "not finite" in found.trials[1].reason
    assert "too few" in found.trials[2].reason
    family.fails = not_finite
    with pytest.raises(TrainingError, match="none of 3 trials"):
        tune(occurrence(), space=SPACE, trials=3, out=tmp_path)


def test_what_is_wrong_with_the_data_shows_before_any_trial(family, occurrence, tmp_path):
    def prepare(experiment: object) -> str:
        raise unusable()

    family.prepare = prepare
    with pytest.raises(type(unusable()), match="nothing is left"):
        tune(occurrence(), space=SPACE, trials=3, out=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_data_are_prepared_once(family, occurrence, tmp_path):
    tune(occurrence(), space=SPACE, trials=4, out=tmp_path)
    assert len(family.prepared) == 1


def test_overridden_keys_are_not_searched(family, occurrence, tmp_path):
    found = tune(occurrence(), space=SPACE, trials=2, out=tmp_path, overrides=["network.scale=2.0"])
    assert set(found.trials[1].values) == {"optimiser.learning_rate", "optimiser.batch_size"}
    assert {experiment.network.scale for experiment in family.trained} == {2.0}
    with pytest.raises(UsageError, match="nothing to search"):
        tune(
            occurrence(), space=SPACE, only=["network.scale"], overrides=["network.scale=2.0"],
            out=tmp_path,
        )  # fmt: skip


def test_a_wish_to_stop_is_followed_and_the_trial_repeated(family, occurrence, tmp_path):
    storage = tmp_path / "study.log"
    family.fails = {2: Stopped("stopped on request")}.get
    with pytest.raises(Stopped):
        tune(occurrence(), space=SPACE, trials=4, storage=storage, out=tmp_path)
    told = json.loads(next(tmp_path.glob("tune-*/study.json")).read_text())
    assert told["counts"] == {"finished": 2, "killed": 1}
    found = tune(occurrence(), space=SPACE, trials=4, storage=storage, out=tmp_path)
    assert found.counts() == {"finished": 4, "killed": 1}
    assert found.trials[3].values == found.trials[2].values


def test_no_trial_begins_after_the_time_is_over(family, occurrence, tmp_path):
    before = family.validation_score

    def slow(*arguments: object, **more: object) -> float:
        time.sleep(0.3)
        return before(*arguments, **more)

    family.validation_score = slow
    found = tune(occurrence(), space=SPACE, trials=50, timeout=0.5, out=tmp_path)
    assert 1 <= len(found.trials) <= 2


def test_wrong_settings_are_named(family, occurrence, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="method"):
        tune(occurrence(), method="grid", out=tmp_path)
    with pytest.raises(UsageError, match="trials"):
        tune(occurrence(), trials=0, out=tmp_path)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="several processes"):
        tune(occurrence(), out=tmp_path)


@pytest.mark.parametrize("name", ["study.log", "study.db"])
def test_a_search_survives_kill_9(family, occurrence, tmp_path, name):
    storage = tmp_path / name
    process = worker(occurrence(), storage, 4, 1.0, tmp_path)
    for _ in range(3):
        assert process.stdout.readline() == "begun\n", process.stderr.read()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    found = tune(
        occurrence(), space=SPACE, method="random", trials=4, storage=storage, out=tmp_path
    )
    assert [trial.state for trial in found.trials] == [
        "finished", "finished", "killed", "finished", "finished",
    ]  # fmt: skip
    assert found.trials[3].values == found.trials[2].values
    assert len(list(tmp_path.glob("tune-*"))) == 1


def test_processes_share_a_storage(family, occurrence, tmp_path):
    storage = tmp_path / "study.log"
    process = worker(occurrence(), storage, 12, 0.2, tmp_path)
    assert process.stdout.readline() == "begun\n", process.stderr.read()
    before = family.validation_score

    def slow(*arguments: object, **more: object) -> float:
        time.sleep(0.2)
        return before(*arguments, **more)

    family.validation_score = slow
    tune(occurrence(), space=SPACE, method="random", trials=12, storage=storage, out=tmp_path)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    found = tune(
        occurrence(), space=SPACE, method="random", trials=12, storage=storage, out=tmp_path
    )
    assert 1 <= len(family.trained) < 12, "both have worked"
    assert len(found.trials) in (12, 13), "two that begin at the same moment may make one more"
    assert len({str(t.values) for t in found.trials}) == len(found.trials), "no point twice"
