from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from quadrat.errors import RunError, UsageError
from quadrat.search.sampling import MedianPruner, SteadySampler
from quadrat.search.storage import (
    GRACE_SECONDS,
    alive,
    open_storage,
    open_study,
    quiet_optuna,
    repeat_killed,
    repeated_numbers,
)

BEGUN = {"space": {"x": 1}, "epochs": 3}


@pytest.fixture(autouse=True)
def _quiet():
    with quiet_optuna():
        yield


def study_in(path: Path, **changes: object) -> optuna.Study:
    return open_study(
        open_storage(path),
        {**BEGUN, **changes},
        name="small",
        higher_is_better=True,
        sampler=SteadySampler("random", 1),
        pruner=MedianPruner(),
    )


def begun(study: optuna.Study, worker: dict[str, object] | None, age: float) -> optuna.Trial:
    """A trial that runs, as another process would have left it."""
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    if worker is not None:
        seen = datetime.now(UTC) - timedelta(seconds=age)
        trial.set_user_attr("worker", worker)
        trial.set_user_attr("beat", seen.isoformat())
    return trial


def dead_process() -> int:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def here(pid: int) -> dict[str, object]:
    import socket

    return {"host": socket.gethostname(), "pid": pid, "token": "another"}


@pytest.mark.parametrize("name", ["study.db", "study.log"])
def test_a_study_is_kept_and_found_again(tmp_path, name):
    study = study_in(tmp_path / "sub" / name)
    study.tell(study.ask(), 1.0)
    again = study_in(tmp_path / "sub" / name)
    assert [trial.value for trial in again.get_trials()] == [1.0]
    assert again.direction == optuna.study.StudyDirection.MAXIMIZE


def test_another_search_in_the_same_storage_is_refused(tmp_path):
    study_in(tmp_path / "study.log")
    with pytest.raises(RunError, match="begun with epochs = 3, now 4: its trials"):
        study_in(tmp_path / "study.log", epochs=4)
    with pytest.raises(RunError, match=r"begun with another space \(x, y\); epochs = 3, now 4:"):
        study_in(tmp_path / "study.log", epochs=4, space={"x": 2, "y": 1})


def test_files_that_hold_no_study_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"must end in \.db"):
        open_storage(tmp_path / "study.json")
    for name in ("study.db", "study.log"):
        (tmp_path / name).write_text("not a study\n" * 200)
        with pytest.raises(RunError, match="cannot be read as a study"):
            study_in(tmp_path / name)


@pytest.mark.parametrize("name", ["study.db", "study.log"])
def test_trials_of_dead_processes_are_failed_and_repeated(tmp_path, name):
    study = study_in(tmp_path / name)
    killed = begun(study, here(dead_process()), 1.0)
    assert repeat_killed(study) == 1
    assert repeat_killed(study) == 0, "once only"
    trials = study.get_trials()
    assert [t.state for t in trials] == [TrialState.FAIL, TrialState.WAITING]
    assert repeated_numbers(trials) == {0}
    again = study.ask()
    assert again.number == 1
    assert again.suggest_float("x", 0, 1) == killed.params["x"]


def test_trials_of_living_processes_are_left_alone(tmp_path):
    study = study_in(tmp_path / "study.log")
    with alive(begun(study, None, 0.0)):
        begun(study, here(1), 1.0)  # another process of this machine
        begun(study, {"host": "elsewhere", "pid": 1, "token": "t"}, GRACE_SECONDS / 2)
        begun(study, None, 0.0)  # one that has only just begun
        assert repeat_killed(study) == 0


def test_silence_is_death_on_other_machines(tmp_path):
    study = study_in(tmp_path / "study.log")
    begun(study, {"host": "elsewhere", "pid": 1, "token": "t"}, GRACE_SECONDS + 5)
    begun(study, here(1), GRACE_SECONDS + 5)
    assert repeat_killed(study) == 2


def test_an_earlier_process_with_our_number_is_dead(tmp_path):
    import os

    study = study_in(tmp_path / "study.log")
    begun(study, here(os.getpid()), 1.0)
    assert repeat_killed(study) == 1


def test_signs_of_life_are_left(tmp_path, monkeypatch):
    monkeypatch.setattr("quadrat.search.storage.BEAT_SECONDS", 0.05)
    study = study_in(tmp_path / "study.db")
    trial = study.ask()
    with alive(trial):
        first = study.get_trials()[0].user_attrs["beat"]
        ends = datetime.now(UTC) + timedelta(seconds=20)
        while study.get_trials()[0].user_attrs["beat"] == first:
            assert datetime.now(UTC) < ends, "no second sign of life"
