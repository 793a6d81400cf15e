from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from quadrat.errors import RunError, Stopped
from quadrat.experiment import parse
from quadrat.runs import History, Run, atomic_path, read_json, write_json


@pytest.fixture
def experiment():
    document = {"family": "photos", "data": {"table": "t.csv", "targets": ["a_g"]}}
    document |= {"split": {"kind": "random"}, "encoder": {"name": "timm:x", "weights": "none"}}
    return parse(document)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert read_json(path) == {"old": 1}
    assert [other.name for other in tmp_path.iterdir()] == ["a.json"]


def test_numbers_that_are_not_finite_become_null(tmp_path):
    write_json(tmp_path / "a.json", {"x": [float("nan"), float("inf"), 1.5]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": [None, None, 1.5]}


def test_damaged_and_missing_json(tmp_path):
    with pytest.raises(RunError, match="does not exist"):
        read_json(tmp_path / "none.json")
    (tmp_path / "a.json").write_text('{"x": ')
    with pytest.raises(RunError, match="damaged"):
        read_json(tmp_path / "a.json")


def test_history_leaves_out_a_line_cut_short(tmp_path):
    history = History(tmp_path / "history.jsonl")
    history.append({"fold": 0, "epoch": 1})
    with history.path.open("a") as handle:
        handle.write('{"fold": 0, "ep')
    assert history.records() == [{"fold": 0, "epoch": 1}]
    history.restore(0, [])
    assert history.records() == []


def test_two_runs_of_the_same_second_get_folders_of_their_own(tmp_path, experiment):
    assert Run.create(tmp_path, experiment).folder != Run.create(tmp_path, experiment).folder


def test_open_says_what_is_missing(tmp_path):
    with pytest.raises(RunError, match="does not exist"):
        Run.open(tmp_path / "none")
    with pytest.raises(RunError, match=r"no experiment\.toml"):
        Run.open(tmp_path)


def test_a_run_of_a_later_version_is_refused(tmp_path, experiment):
    run = Run.create(tmp_path, experiment)
    write_json(run.path("model.json"), {"format_version": 999})
    with pytest.raises(RunError, match="newer quadrat"):
        Run.open(run.folder)


@pytest.mark.parametrize(
    ("error", "state"),
    [(None, "finished"), (Stopped("asked"), "stopped"), (ValueError("no"), "failed")],
)
def test_status_tells_how_a_run_ended(tmp_path, experiment, error, state):
    run = Run.create(tmp_path, experiment)

    def work() -> None:
        with run.running(experiment):
            assert run.status()["state"] == "running"
            assert run.status()["pid"] == os.getpid()
            assert run.is_alive()
            if error is not None:
                raise error

    if error is None:
        work()
    else:
        with pytest.raises(type(error)):
            work()
    assert run.status()["state"] == state
    assert not run.is_alive()


def test_metrics_of_an_unfinished_run(tmp_path, experiment):
    with pytest.raises(RunError, match="--resume"):
        Run.create(tmp_path, experiment).metrics()


def test_latest_finds_the_newest_run_that_is_not_over(tmp_path, experiment):
    assert Run.latest(tmp_path, experiment) is None
    done, killed = Run.create(tmp_path, experiment), Run.create(tmp_path, experiment)
    with done.running(experiment):
        pass
    write_status(killed, experiment, state="running", pid=2**22 + 1)
    assert Run.latest(tmp_path, experiment) == killed
    other = parse(experiment.content(), ["seed=5"])
    assert Run.latest(tmp_path, other) is None


def test_more_epochs_make_a_finished_run_unfinished(tmp_path, experiment):
    run = Run.create(tmp_path, experiment)
    with run.running(experiment):
        pass
    assert Run.latest(tmp_path, experiment) is None
    longer = parse(experiment.content(), [f"optimiser.epochs={experiment.optimiser.epochs + 1}"])
    assert Run.latest(tmp_path, longer) == run


def write_status(run: Run, experiment, **values) -> None:
    status = {"heartbeat": "2020-01-01T00:00:00+00:00", "experiment": experiment.content_hash()}
    write_json(run.path("status.json"), status | values)


def test_paths(tmp_path, experiment):
    run = Run.create(tmp_path, experiment)
    assert run.fold(2) == run.folder / "folds" / "2"
    assert run.fold(2).is_dir()
    assert isinstance(run.path("x"), Path)
