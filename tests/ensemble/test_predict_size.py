"""Members that are shown photos at another size, against twins that were trained to answer there.

Without inner rows nothing is chosen by a score, so that a run whose ``views.predict_size`` is set
has the same weights as one without it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quadrat.ensemble import family, reading
from quadrat.ensemble.members import open_runs
from quadrat.ensemble.reading import Reader
from quadrat.errors import DataError, ExperimentError
from quadrat.photos import family as photos
from quadrat.predictors import load_run
from quadrat.runs import Run, read_json
from tests.ensemble.runs import ensemble_of, train_run
from tests.ensemble.test_training import made, wide
from tests.photos import tables

KINDS: dict[str, dict[str, Mapping[str, Any]]] = {
    "frozen": {"head": {"distribution": "gaussian"}},
    "learns": {"encoder": {"train": "all", "learning_rate": 1e-2}},
    "refit": {"run": {"refit": True}},
}
NAME = "timm:test_efficientnet"


def trained(folder: Path, name: str, size: int, **sections: Mapping[str, Any]) -> Run:
    given: dict[str, Mapping[str, Any]] = {
        "data": {"categorical": []},
        "encoder": {"name": NAME, "weights": "none"},
        "views": {"size": 32, "predict_size": size},
        "split": {"inner": 0.0, "folds": 2},
        "optimiser": {"epochs": 1, "batch_size": 6, "precision": "fp32"},
        "run": {"device": "cpu"},
        "score": {"bootstrap": 0},
    }
    for section, keys in sections.items():
        given[section] = {**given.get(section, {}), **keys}
    experiment = tables.experiment(folder / "train.csv", **given)
    run = Run(folder / name)
    run.folder.mkdir()
    run.write_experiment(experiment)
    with run.running(experiment):
        photos.train(experiment, run, history=run.history())
    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("sizes")
    tables.paint(found, 18)
    tables.save(tables.wide(18), found)
    return found


@pytest.fixture(scope="module")
def members(folder: Path) -> list[Run]:
    return [trained(folder, name, 32, **keys) for name, keys in KINDS.items()]


@pytest.fixture(scope="module")
def twins(folder: Path) -> list[Run]:
    return [trained(folder, f"{name}-48", 48, **keys) for name, keys in KINDS.items()]


def answers(run: Run, folder: Path) -> np.ndarray:
    return np.asarray(load_run(run.folder).predictor.predict(folder / "train.csv").raw)


@pytest.mark.parametrize("combine", [{"jit": True}, {"method": "weighted"}])
def test_an_ensemble_at_a_size_is_that_of_members_trained_to_answer_there(
    members: list[Run], twins: list[Run], folder: Path, tmp_path: Path, combine: dict[str, Any]
):
    run = made(ensemble_of(*members, predict_size=48, **combine), tmp_path / "a")
    twin = made(ensemble_of(*twins, **combine), tmp_path / "b")
    np.testing.assert_allclose(wide(run, "raw"), wide(twin, "raw"), rtol=1e-6)
    np.testing.assert_allclose(wide(run, "balanced"), wide(twin, "balanced"), rtol=1e-6)
    weights = [read_json(one.path("model.json"))["weights"] for one in (run, twin)]
    for target in tables.TARGETS:
        np.testing.assert_allclose(weights[0][target], weights[1][target], atol=1e-6)
    scores, expected = run.metrics(), twin.metrics()
    for name in ("mean", "metadata", "best_member"):
        assert scores["baselines"][name] == pytest.approx(expected["baselines"][name], rel=1e-6)
    assert scores["scores"] == pytest.approx(expected["scores"], rel=1e-6)
    assert "seen at 48 by 48 pixels, at which 3 of 3 runs" in scores["protocol"]["words"]
    np.testing.assert_allclose(answers(run, folder), answers(twin, folder), rtol=1e-6)
    for member, twin in zip(members, twins, strict=True):
        assert not np.allclose(wide(member, "raw"), wide(twin, "raw"), rtol=1e-3)


def test_copied_members_keep_the_size(
    members: list[Run], twins: list[Run], folder: Path, tmp_path: Path
):
    moved = [Run(tmp_path / one.folder.name) for one in members[:2]]
    for one, copy in zip(members, moved, strict=False):
        shutil.copytree(one.folder, copy.folder)
    run = made(ensemble_of(*moved, predict_size=[48, 48], copy=True), tmp_path / "out")
    metrics = run.metrics()
    for copy in moved:
        shutil.rmtree(copy.folder)
    expected = np.mean([answers(one, folder) for one in twins[:2]], axis=0)
    np.testing.assert_allclose(answers(run, folder), expected, rtol=1e-6)
    assert family.evaluate(run, None) == metrics
    ensemble = family.load(run.folder)
    ensemble.save(tmp_path / "saved")
    np.testing.assert_allclose(answers(Run(tmp_path / "saved"), folder), expected, rtol=1e-6)


def test_members_without_skill_are_judged_at_the_size(members: list[Run], twins: list[Run]):
    reader = Reader()
    for member, twin in zip(
        open_runs(ensemble_of(*members, predict_size=48))[0], twins, strict=True
    ):
        per_target = twin.metrics()["per_target"].values()
        expected = np.mean([scores["r2"] for scores in per_target])
        assert reader.mean_r2(member) == pytest.approx(expected, rel=1e-6)


def test_only_members_of_other_sizes_are_asked_again(
    members: list[Run],
    twins: list[Run],
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    asked = []
    again = reading.held_out_at

    def counted(run: Run, *rest: Any) -> Any:
        asked.append(run.folder.name)
        return again(run, *rest)

    monkeypatch.setattr(reading, "held_out_at", counted)
    run = made(ensemble_of(members[0], twins[1], predict_size=48), tmp_path)
    assert asked == ["frozen"]
    expected = (wide(twins[0], "raw") + wide(twins[1], "raw")) / 2
    np.testing.assert_allclose(wide(run, "raw"), expected, rtol=1e-6)
    told = load_run(run.folder).predictor.predict(folder / "train.csv").distance
    own = load_run(twins[1].folder).predictor.predict(folder / "train.csv").distance
    np.testing.assert_array_equal(told, own)


def test_a_size_that_a_member_cannot_take_is_told_before_anything_runs(
    members: list[Run], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    encoder = {"name": "timm:test_vit", "weights": "none"}
    patches = trained(folder, "patches", 32, encoder=encoder)
    vectors = train_run(tmp_path, "vectors")
    monkeypatch.setattr(reading, "held_out_at", None)
    experiment = ensemble_of(members[0], patches, vectors, predict_size=40)
    with pytest.raises(DataError) as caught:
        made(experiment, tmp_path / "out")
    told = str(caught.value)
    assert "combine.predict_size = [40, 40]" in told
    assert "patches: views.predict_size: timm:test_vit cuts photos into patches" in told
    assert "vectors: views.size: features computed elsewhere have no size" in told
    assert "frozen" not in told
    assert told.splitlines()[0] in family.check(experiment).errors[0]


def test_held_out_photos_must_be_those_of_the_training(members: list[Run], tmp_path: Path):
    tables.paint(tmp_path, 18)
    tables.save(tables.wide(18), tmp_path)
    run = trained(tmp_path, "a", 32)
    tables.save(tables.wide(18).head(15), tmp_path)
    with pytest.raises(DataError, match="the member 'a' cannot be judged again"):
        made(ensemble_of(run, members[1], predict_size=48), tmp_path / "out")


def test_a_member_whose_folds_are_gone_is_named(members: list[Run], tmp_path: Path):
    spoilt = Run(tmp_path / "refit")
    shutil.copytree(members[2].folder, spoilt.folder)
    spoilt.path("folds/1/model.safetensors").unlink()
    photos.load(spoilt.folder)  # the refit still answers for new photos
    with pytest.raises(DataError, match="'refit' cannot be judged again"):
        made(ensemble_of(members[0], spoilt, predict_size=48), tmp_path / "out")


def test_a_size_is_one_that_photos_can_have(members: list[Run]):
    with pytest.raises(ExperimentError, match=r"predict_size.*between 16 and 8192"):
        ensemble_of(*members, predict_size=8)
