"""What an ensemble answers for new tables, where its members lie, and how many live at once."""

from __future__ import annotations

import gc
import shutil
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quadrat.ensemble import family
from quadrat.ensemble.members import Loaded, open_runs
from quadrat.errors import RunError
from quadrat.photos.predictor import PhotosPredictor
from quadrat.predictors import load_run
from quadrat.runs import Run, write_json
from tests.ensemble.runs import ensemble_of
from tests.ensemble.test_training import made
from tests.photos.small import table


def moved(runs: list[Run], folder: Path) -> list[Run]:
    """Copies of the members that a test may spoil."""
    for one in runs:
        shutil.copytree(one.folder, folder / one.folder.name)
    return [Run(folder / one.folder.name) for one in runs]


def means_of(runs: list[Run]) -> np.ndarray:
    return np.stack([load_run(one.folder).predictor.predict(new_table()).raw for one in runs])


def new_table() -> Any:
    return table().head(9).drop("green_g", "dead_g", "total_g")


@pytest.mark.parametrize("jit", [False, True])
def test_predictions_are_pooled_then_balanced(runs: list[Run], tmp_path: Path, jit: bool):
    run = made(ensemble_of(*runs[:2], jit=jit), tmp_path)
    found = load_run(run.folder).predictor.predict(new_table())
    np.testing.assert_allclose(found.raw, means_of(runs[:2]).mean(axis=0))
    np.testing.assert_allclose(found.balanced[:, 2], found.balanced[:, :2].sum(axis=1))
    assert found.ids == tuple(new_table()["image_path"])
    frame = load_run(run.folder).predict(new_table())
    told = ["raw", "balanced", "sigma", "lower", "upper", "distance", "unlike"]
    assert frame.columns == ["sample", "target", *told]
    away = [load_run(one.folder).predictor.predict(new_table()).distance for one in runs[:2]]
    assert found.distance is not None
    np.testing.assert_allclose(found.distance, np.mean(away, axis=0))
    assert (frame["sigma"] > 0).all()


class _Census:
    """Counts predictors that are alive, by weak references."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.living: weakref.WeakSet[PhotosPredictor] = weakref.WeakSet()
        self.loaded, self.most = 0, 0
        load = PhotosPredictor.load.__func__  # type: ignore[attr-defined]

        def counted(cls: type[PhotosPredictor], folder: Path, **more: Any) -> PhotosPredictor:
            predictor: PhotosPredictor = load(cls, folder, **more)
            self.living.add(predictor)
            self.loaded += 1
            self.most = max(self.most, len(self.living))
            return predictor

        monkeypatch.setattr(PhotosPredictor, "load", classmethod(counted))


def test_one_member_lives_at_a_time(
    runs: list[Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run = made(ensemble_of(*runs, jit=True), tmp_path)
    census = _Census(monkeypatch)
    gc.disable()  # nothing may depend on when Python cleans up by itself
    try:
        ensemble = family.load(run.folder)
        assert census.loaded == 0
        ensemble.predict(new_table())
        assert (census.loaded, census.most, len(census.living)) == (3, 1, 0)
        family.evaluate(run, runs[0].folder.parent / "train.parquet")
        assert (census.loaded, census.most) == (6, 1)
    finally:
        gc.enable()


def test_all_members_live_together_otherwise(
    runs: list[Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run = made(ensemble_of(*runs), tmp_path)
    census = _Census(monkeypatch)
    ensemble = family.load(run.folder)
    ensemble.predict(new_table())
    ensemble.predict(new_table())
    assert (census.loaded, census.most) == (3, 3)


@pytest.mark.parametrize("jit", [False, True])
def test_a_member_that_fails_to_load_is_named_and_never_replaced(
    runs: list[Run], tmp_path: Path, jit: bool
):
    members = moved(runs, tmp_path)
    run = made(ensemble_of(*members, jit=jit), tmp_path / "out")
    weights = members[1].path("folds/1/model.safetensors")
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(RunError, match=r"the member 'roots' .* cannot be loaded"):
        load_run(run.folder).predict(new_table())


def test_members_that_move_together_are_found(runs: list[Run], tmp_path: Path):
    members = moved(runs, tmp_path / "one")
    run = made(ensemble_of(*members), tmp_path / "one")
    before = load_run(run.folder).predict(new_table())
    (tmp_path / "one").rename(tmp_path / "two")
    after = load_run(tmp_path / "two" / run.folder.name).predict(new_table())
    assert after.equals(before)


def test_an_ensemble_that_moves_alone_finds_its_members(runs: list[Run], tmp_path: Path):
    run = made(ensemble_of(*runs), tmp_path / "one")
    shutil.move(run.folder, tmp_path / "elsewhere" / "deep")
    assert load_run(tmp_path / "elsewhere" / "deep").predict(new_table()).height == 27


def test_a_member_that_has_moved_is_named(runs: list[Run], tmp_path: Path):
    members = moved(runs, tmp_path)
    run = made(ensemble_of(*members), tmp_path / "out")
    shutil.rmtree(members[1].folder)
    with pytest.raises(RunError, match=r"(?s)'roots' of .* has moved.*combine\.copy = true"):
        load_run(run.folder).predict(new_table())


def test_a_member_that_was_trained_on_is_another_model(runs: list[Run], tmp_path: Path):
    members = moved(runs, tmp_path)
    run = made(ensemble_of(*members), tmp_path / "out")
    metrics = members[0].metrics()
    metrics["scores"]["weighted_r2"] += 0.01
    write_json(members[0].path("metrics.json"), metrics)
    with pytest.raises(RunError, match=r"'normal' .* has other scores"):
        load_run(run.folder).predict(new_table())


def test_copied_members_stand_alone(runs: list[Run], tmp_path: Path):
    members = moved(runs, tmp_path / "one")
    run = made(ensemble_of(*members, copy=True), tmp_path / "out")
    before = load_run(run.folder).predict(new_table())
    metrics = family.evaluate(run, None)
    shutil.rmtree(tmp_path / "one")
    shutil.move(run.folder, tmp_path / "alone")
    assert load_run(tmp_path / "alone").predict(new_table()).equals(before)
    assert family.evaluate(Run(tmp_path / "alone"), None) == metrics
    assert not list((tmp_path / "alone").glob("members/*/folds/*/state"))


def test_a_saved_ensemble_is_loaded_again(runs: list[Run], tmp_path: Path):
    run = made(ensemble_of(*runs, jit=True), tmp_path / "out")
    ensemble = family.load(run.folder)
    ensemble.save(tmp_path / "saved")
    found = load_run(tmp_path / "saved").predict(new_table())
    assert found.equals(ensemble.predict(new_table()).frame())


def test_members_are_asked_in_their_order(runs: list[Run]):
    loaded = Loaded(open_runs(ensemble_of(*runs))[0], one_at_a_time=True)
    kinds = loaded.each(lambda predictor: predictor.experiment.head.distribution)
    assert kinds == ["gaussian", "gaussian", "point"]
