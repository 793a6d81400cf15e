"""Members that are named by an experiment file, and trained with the ensemble."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quadrat.ensemble import family
from quadrat.ensemble.schema import EnsembleExperiment
from quadrat.errors import DataError, ExperimentError, RunError, Stopped, UsageError
from quadrat.experiment import parse
from quadrat.photos import family as photos
from quadrat.predictors import load_run
from quadrat.report import write_report
from quadrat.runs import Run
from tests.ensemble.runs import train_run
from tests.ensemble.test_training import made, wide
from tests.photos import tables
from tests.photos.small import small, table


def write(folder: Path, name: str, **sections: Any) -> Path:
    """An experiment file that can be a member."""
    path = folder / f"{name}.toml"
    path.write_text(small(folder, **sections).to_toml())
    return path


def ensemble_of(*members: dict[str, Any], **combine: Any) -> EnsembleExperiment:
    document = {"family": "ensemble", "member": members, "combine": combine}
    parsed = parse({**document, "score": {"bootstrap": 20}})
    assert isinstance(parsed, EnsembleExperiment)
    return parsed


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("files")
    return [write(folder, name, split={"seed": 4}, loss=loss) for name, loss in _LOSSES.items()]


_LOSSES = {"squares": {"kind": "mse"}, "huber": {"kind": "huber"}}


def go_on(run: Run) -> None:
    experiment = run.experiment()
    with run.running(experiment):
        family.train(experiment, run, history=run.history())


def test_members_are_trained_into_the_run_folder(files: list[Path], tmp_path: Path):
    folder = files[0].parent
    alone = train_run(folder, "alone", split={"seed": 4}, loss=_LOSSES["huber"])
    sections = [{"experiment": str(files[0])}, {"experiment": str(files[1])}]
    run = made(ensemble_of(*sections, copy=True), tmp_path)
    members = [Run(run.folder / "members" / str(place)) for place in (0, 1)]
    assert [member.status()["state"] for member in members] == ["finished", "finished"]
    np.testing.assert_array_equal(wide(members[1], "raw"), wide(alone, "raw"))
    mean = (wide(members[0], "raw") + wide(members[1], "raw")) / 2
    np.testing.assert_allclose(wide(run, "raw"), mean)
    new = table().head(4)
    before = load_run(run.folder).predict(new)
    run.folder.rename(tmp_path / "moved")
    assert load_run(tmp_path / "moved").predict(new).equals(before)
    assert family.evaluate(Run(tmp_path / "moved"), None) == Run(tmp_path / "moved").metrics()
    assert "squares" in write_report(tmp_path / "moved").read_text()
    load_run(tmp_path / "moved").predictor.save(tmp_path / "saved")
    assert load_run(tmp_path / "saved").predict(new).equals(before)


def test_runs_and_experiments_go_together(files: list[Path], tmp_path: Path):
    alone = train_run(files[0].parent, "one", split={"seed": 4})
    sections = [{"run": str(alone.folder)}, {"experiment": str(files[1])}]
    run = made(ensemble_of(*sections), tmp_path)
    assert [path.name for path in (run.folder / "members").iterdir()] == ["1"]
    mean = (wide(alone, "raw") + wide(Run(run.folder / "members" / "1"), "raw")) / 2
    np.testing.assert_allclose(wide(run, "raw"), mean)


def test_it_is_taken_up_after_a_crash(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    experiment = ensemble_of(*({"experiment": str(path)} for path in files))
    run, train, begun = Run.create(tmp_path, experiment), photos.train, []

    def stopped(one: Any, its: Run, **more: Any) -> Any:
        begun.append(its.folder.name)
        if begun == ["0", "1"]:
            raise Stopped("enough")
        return train(one, its, **more)

    monkeypatch.setattr(photos, "train", stopped)
    with pytest.raises(Stopped):
        go_on(run)
    assert Run(run.folder / "members" / "1").status()["state"] == "stopped"
    go_on(run)
    assert begun == ["0", "1", "1"]
    go_on(run)
    assert begun == ["0", "1", "1"]
    longer = files[1].read_text().replace("epochs = 4", "epochs = 5")
    before = files[1].read_text()
    try:
        files[1].write_text(longer)
        go_on(run)
        assert begun == ["0", "1", "1", "1"]
        files[1].write_text(before.replace('kind = "huber"', 'kind = "mae"'))
        with pytest.raises(RunError, match="begun with another experiment than its file"):
            go_on(run)
    finally:
        files[1].write_text(before)


def test_everything_is_looked_at_before_the_first_is_trained(files: list[Path], tmp_path: Path):
    path = write(tmp_path, "lost")
    (tmp_path / "train.parquet").unlink()
    sections = [{"experiment": str(files[0])}, {"experiment": str(path)}, {"run": "nowhere"}]
    experiment = ensemble_of(*sections)
    report = family.check(experiment)
    assert any(line.startswith("member.1.experiment: ") for line in report.errors)
    assert any("nowhere is not a run folder" in line for line in report.errors)
    assert report.facts["member 0, table"].startswith("48 samples")
    run = Run.create(tmp_path, experiment)
    with pytest.raises(DataError, match="members cannot be trained"):
        go_on(run)
    assert not (run.folder / "members").exists()
    (tmp_path / "wrong.toml").write_text('family = "photos"\nsplits = 3\n')
    wrong = ensemble_of(sections[0], {"experiment": str(tmp_path / "wrong.toml")})
    assert "member.1.experiment: splits: unknown key" in family.check(wrong).errors[0]


def test_what_could_never_be_a_member_is_not_trained(files: list[Path], tmp_path: Path):
    (tmp_path / "sites.toml").write_text(
        'family = "occurrence"\n[data]\npoints = "records.csv"\n[points]\ncovariates = ["rain"]\n'
    )
    sections = [{"experiment": str(tmp_path / "sites.toml")}, {"experiment": str(files[0])}]
    (error,) = family.check(ensemble_of(*sections)).errors
    assert "member.0.experiment: it cannot be a member: it is about points" in error


def test_a_size_that_a_member_could_not_take_is_told_before_it_is_trained(tmp_path: Path):
    tables.paint(tmp_path, 6)
    tables.save(tables.wide(6), tmp_path)
    sections = []
    for name, keys in {
        "any": {"encoder": {"name": "timm:test_efficientnet", "weights": "none"}},
        "patches": {"encoder": {"name": "timm:test_vit", "weights": "none"}},
        "places": {
            "encoder": {"name": "timm:test_efficientnet", "weights": "none"},
            "head": {"kind": "density"},
        },
    }.items():
        made = tables.experiment(
            tmp_path / "train.csv", data={"categorical": []}, views={"size": 32}, **keys
        )
        (tmp_path / f"{name}.toml").write_text(made.to_toml())
        sections.append({"experiment": str(tmp_path / f"{name}.toml")})
    assert not family.check(ensemble_of(*sections, predict_size=32)).errors
    errors = family.check(ensemble_of(*sections, predict_size=40)).errors
    assert [line.split(": ")[:2] for line in errors] == [
        ["member.1.experiment", "views.predict_size"],
        ["member.2.experiment", "views.predict_size"],
    ]


def test_a_member_is_a_run_or_an_experiment(files: list[Path]):
    with pytest.raises(ExperimentError, match="either run, a finished run, or experiment"):
        ensemble_of({"run": "a", "experiment": "b"}, {"run": "c"})
    with pytest.raises(ExperimentError, match="either run, a finished run, or experiment"):
        ensemble_of({"weight": 1.0}, {"run": "c"})
    with pytest.raises(ExperimentError, match="is named twice"):
        ensemble_of({"experiment": "a"}, {"experiment": "a"})


def test_several_processes_train_no_members(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="several processes cannot train"):
        made(ensemble_of(*({"experiment": str(path)} for path in files)), tmp_path)
