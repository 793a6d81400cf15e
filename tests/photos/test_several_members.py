"""Folds with several members, and the one that learns from all samples."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from quadrat.engine import Backend
from quadrat.errors import ExperimentError, Stopped
from quadrat.photos.learner import NetworkLearner
from quadrat.photos.member import Member
from quadrat.photos.predictor import PhotosPredictor
from quadrat.photos.preparation import prepare
from quadrat.photos.samples.parts import Part
from quadrat.photos.training import train
from quadrat.runs import Run
from tests.photos.small import small

SNAPSHOTS = {"snapshots": 2, "snapshot_of": "predictions"}


def trained(given, folder: Path, **options) -> Run:
    run = Run.create(folder, given)
    train(given, run, history=run.history(), **options)
    return run


def interrupting(fold: int, epoch: int):
    def interrupt(record):
        if (record["fold"], record["epoch"]) == (fold, epoch):
            raise Stopped("as a signal would")

    return interrupt


def held_out(run: Run, fold: int) -> pl.DataFrame:
    return pl.read_parquet(run.path("oof.parquet")).filter(pl.col("fold") == fold)


def test_a_fold_of_snapshots_answers_with_their_mean(tmp_path):
    given = small(tmp_path, average=SNAPSHOTS, head={"distribution": "gaussian"})
    run = trained(given, tmp_path)
    model = json.loads(run.path("model.json").read_text())
    places = [member["weights"] for member in model["members"]]
    assert places[:3] == [
        "folds/0/model.safetensors", "folds/0/model-2.safetensors", "folds/1/model.safetensors"
    ]  # fmt: skip
    assert len(places) == 6
    predictor = PhotosPredictor.load(run.folder)
    prepared = prepare(given)
    samples = prepared.samples.take(list(prepared.folds)[1].held_out)
    each = [
        member.answer(samples, predictor.source).prediction() for member in predictor.members[2:4]
    ]
    assert not np.allclose(each[0].mean, each[1].mean)
    found = held_out(run, 1)
    mean = np.mean([one.mean for one in each], axis=0)
    np.testing.assert_allclose(found["raw"].to_numpy(), mean.ravel(), rtol=1e-6)
    spread = np.var([one.mean for one in each], axis=0)
    sigma = np.sqrt(np.mean([one.sigma**2 for one in each], axis=0) + spread)
    np.testing.assert_allclose(found["sigma"].to_numpy(), sigma.ravel(), rtol=1e-6)


def test_the_mean_of_weights_is_one_member_a_fold(tmp_path):
    run = trained(small(tmp_path, average={"snapshots": 2}), tmp_path)
    assert len(PhotosPredictor.load(run.folder).members) == 3
    ended = json.loads((run.fold(0) / "fold.json").read_text())
    assert len(ended["averaged"]) == 2


@pytest.mark.parametrize("sections", [{"average": SNAPSHOTS}, {"run": {"refit": True}}])
def test_a_stopped_run_ends_in_the_same_bytes(tmp_path, sections):
    given = small(tmp_path, **sections)
    whole, broken = trained(given, tmp_path), Run.create(tmp_path, given)
    with pytest.raises(Stopped):
        train(given, broken, history=broken.history(), on_epoch=interrupting(1, 2))
    train(given, broken, history=broken.history())
    names = [str(path.relative_to(whole.folder)) for path in whole.folder.rglob("*.safetensors")]
    assert len(names) == (6 if "average" in sections else 4)
    for name in (*names, "metrics.json", "oof.parquet", "model.json", "preprocessing.json"):
        assert whole.path(name).read_bytes() == broken.path(name).read_bytes()


def test_snapshots_share_the_start_that_all_rows_fitted(tmp_path):
    given = small(tmp_path, average=SNAPSHOTS)
    prepared = prepare(given)
    fold = next(iter(prepared.folds))
    learner = NetworkLearner(given, Backend.create("cpu", "fp32"))
    fitted = learner.fit(
        Part(prepared.samples.take(fold.train)), Part(prepared.samples.take(fold.inner))
    )
    first, second = (member.network.state_dict() for member in fitted.members)
    assert fitted.member is fitted.members[0]
    starts = [name for name in first if name.startswith("start.")]
    assert starts
    assert all(torch.equal(first[name], second[name]) for name in starts)
    assert any(not torch.equal(first[name], second[name]) for name in first)


def test_a_refit_answers_for_new_tables_and_the_folds_for_their_own(tmp_path):
    given = small(tmp_path, optimiser={"learning_rate": 0.01})
    plain = trained(given, tmp_path)
    run = trained(small(tmp_path, optimiser={"learning_rate": 0.01}, run={"refit": True}), tmp_path)
    assert run.path("oof.parquet").read_bytes() == plain.path("oof.parquet").read_bytes()
    assert run.path("metrics.json").read_bytes() == plain.path("metrics.json").read_bytes()
    model = json.loads(run.path("model.json").read_text())
    assert [member["weights"] for member in model["members"]] == ["refit/model.safetensors"]
    predictor = PhotosPredictor.load(run.folder)
    epochs = [
        json.loads((run.fold(fold) / "fold.json").read_text())["best_epoch"] for fold in range(3)
    ]
    ended = json.loads(run.path("refit/refit.json").read_text())
    assert ended["goal"] == {"epochs": round(np.mean(epochs)), "of": 4}
    samples = prepare(given).samples
    scaler = predictor.members[0].scaler
    np.testing.assert_allclose(scaler.to_json()["mean"], samples.targets.mean(axis=0))
    table = pl.read_parquet(given.data.table)
    one = predictor.predict(table).raw
    assert not np.allclose(one, PhotosPredictor.load(plain.folder).predict(table).raw)


def test_a_finished_refit_is_read_and_a_finished_run_can_get_one(tmp_path, monkeypatch):
    given = small(tmp_path, balance_method={"kind": "project-covariance"}, split={"inner": 0.3})
    run = trained(given, tmp_path)
    covariances = [member.covariance for member in PhotosPredictor.load(run.folder).members]
    refitting = small(
        tmp_path,
        balance_method={"kind": "project-covariance"},
        split={"inner": 0.3},
        run={"refit": True},
    )
    trainings = []
    fit = NetworkLearner.fit

    def counted(self, *parts, **options):
        trainings.append(options["label"])
        return fit(self, *parts, **options)

    monkeypatch.setattr(NetworkLearner, "fit", counted)
    train(refitting, run, history=run.history())
    assert trainings == ["refit on all samples"]
    before = run.path("refit/model.safetensors").read_bytes()
    (member,) = PhotosPredictor.load(run.folder).members
    assert isinstance(member, Member)
    np.testing.assert_allclose(member.covariance, np.mean(covariances, axis=0))
    train(refitting, run, history=run.history())
    assert trainings == ["refit on all samples"]
    assert run.path("refit/model.safetensors").read_bytes() == before
    train(given, run, history=run.history())
    assert len(PhotosPredictor.load(run.folder).members) == 3


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"average": SNAPSHOTS, "run": {"refit": True}}, "none are left to choose"),
        ({"average": {"snapshots": 2}, "split": {"inner": 0.0}}, "inner = 0 keeps none"),
        ({"average": {"snapshots": 9}}, "cannot come from 4 epochs"),
    ],
)
def test_what_does_not_go_together(tmp_path, sections, message):
    with pytest.raises(ExperimentError, match=message):
        small(tmp_path, **sections)
