"""Training a photos experiment into a run folder: folds, held-out predictions, scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from quadrat.engine import Backend, OnEpoch, current_progress
from quadrat.errors import DataError
from quadrat.photos.judging import HeldOut, judge, oof_table
from quadrat.photos.learner import NetworkLearner, Part
from quadrat.photos.member import Member
from quadrat.photos.objective import require_primary
from quadrat.photos.predictor import PhotosPredictor, TablePredictor
from quadrat.photos.preparation import Prepared, prepare, report_json
from quadrat.photos.saving import WEIGHTS, describe_predictor
from quadrat.photos.schema import PhotosExperiment
from quadrat.photos.submission import make_submission, names_rows
from quadrat.runs import History, Run, read_json, write_json
from quadrat.splits import Fold
from quadrat.tables import read_table, write_table

_MAY_GROW = ("epochs", "patience", "learning_rate_min")
"""Keys of the optimiser that make a finished fold go on when they change."""


def train(
    experiment: PhotosExperiment,
    run: Run,
    *,
    history: History,
    on_epoch: OnEpoch | None = None,
) -> dict[str, Any]:
    """Trains all folds and judges them; goes on from what lies in the run folder.

    A finished fold is not trained again, unless there are more epochs to train.

    Args:
        experiment: The experiment.
        run: Where everything goes.
        history: Receives a record an epoch.
        on_epoch: Called with every record; the fold's training ends when it returns True.

    Returns:
        The metrics, which are also in ``metrics.json``.

    Raises:
        DataError: The data cannot be used; everything that was found is listed.
        UsageError: The primary score is not one of this family.
        Stopped: A signal asked to stop; the state was saved.
    """
    require_primary(experiment)
    backend = Backend.create(experiment.run.device, experiment.optimiser.precision)
    prepared = prepare(experiment)
    if backend.is_main:
        write_json(run.path("check.json"), report_json(prepared.report))
    if prepared.report.errors:
        raise DataError("the data cannot be used for training.", prepared.report.errors)
    for warning in prepared.report.warnings:
        current_progress().warn(warning)
    learner = NetworkLearner(experiment, backend)
    _encode_ahead(learner, prepared)
    members, held_out = [], []
    for fold in prepared.folds:
        member, predicted = _fold(learner, prepared, fold, run, history, on_epoch)
        members.append(member)
        held_out.append(predicted)
    metrics = judge(experiment, prepared, held_out).to_dict()
    if backend.is_main:
        oof = oof_table(list(prepared.folds), held_out, experiment.data.targets)
        write_table(oof, run.path("oof.parquet"))
        predictor = PhotosPredictor(experiment, members, learner.source)
        describe_predictor(predictor, run.folder)
        predict_test(predictor, run)
        write_json(run.path("metrics.json"), metrics)
    backend.wait()
    return metrics


def held_out_of(run: Run, experiment: PhotosExperiment, prepared: Prepared) -> list[HeldOut]:
    """The held-out predictions of a finished run, fold by fold.

    Raises:
        RunError: The training table has changed since.
    """
    return [
        HeldOut.read(
            _held_out_path(run, fold),
            [prepared.samples.ids[row] for row in fold.held_out],
            experiment.data.targets,
        )
        for fold in prepared.folds
    ]


def _encode_ahead(learner: NetworkLearner, prepared: Prepared) -> None:
    """Turns all photos into vectors before the first fold, so that a bad one shows at once."""
    experiment = learner.experiment
    if learner.source.keeps:
        learner.source.held(prepared.samples)
        learner.source.held(prepared.samples, predict=True)
    else:
        learner.source.vectors(prepared.samples)
    if experiment.data.test is not None:
        predictor = PhotosPredictor(experiment, [], learner.source)
        predictor.samples(experiment.data.test)


def _fold(
    learner: NetworkLearner,
    prepared: Prepared,
    fold: Fold,
    run: Run,
    history: History,
    on_epoch: OnEpoch | None,
) -> tuple[Member, HeldOut]:
    """Trains a fold, or reads what it left."""
    experiment, samples = learner.experiment, prepared.samples
    folder = run.fold(fold.index)
    goal = {key: getattr(experiment.optimiser, key) for key in _MAY_GROW}
    ids = [samples.ids[row] for row in fold.held_out]
    marker = folder / "fold.json"
    if learner.backend.agree(marker.exists() and read_json(marker)["goal"] == goal):
        held_out = HeldOut.read(_held_out_path(run, fold), ids, experiment.data.targets)
        return _read_member(learner, run, fold), held_out
    fitted = learner.fit(
        part_of(prepared, fold.train),
        part_of(prepared, fold.inner),
        fold=fold.index,
        state=folder / "state",
        history=history,
        on_epoch=on_epoch,
    )
    held_out = _predict_held_out(learner, fitted.member, prepared, fold)
    if learner.backend.is_main:
        fitted.member.save_weights(run.path(WEIGHTS.format(fold.index)))
        held_out.save(_held_out_path(run, fold), fold.index, experiment.data.targets)
        member = fitted.member.to_json()
        ended = {"best_epoch": fitted.result.best_epoch, "epochs": fitted.result.epochs}
        write_json(marker, {"name": fold.name, "goal": goal, **ended, "member": member})
    return fitted.member, held_out


def part_of(prepared: Prepared, rows: np.ndarray[Any, np.dtype[np.int64]]) -> Part:
    """Some of the samples, with their groups."""
    groups = prepared.folds.groups
    return Part(prepared.samples.take(rows), None if groups is None else groups[rows])


def _predict_held_out(
    learner: NetworkLearner, member: Member, prepared: Prepared, fold: Fold
) -> HeldOut:
    predictor = PhotosPredictor(learner.experiment, [member], learner.source)
    samples = prepared.samples.take(fold.held_out)
    source = learner.source
    seen = predictor.predictions(samples.ids, member.answer(samples, source).prediction())
    alone = np.full_like(seen.raw, np.nan)
    if member.network.start.columns:
        hidden = member.answer(samples, source, hide_metadata=True)
        alone = predictor.predictions(samples.ids, hidden.prediction()).balanced
    return HeldOut(
        ids=samples.ids,
        truth=samples.targets,
        raw=seen.raw,
        balanced=seen.balanced,
        sigma=seen.sigma,
        lower=seen.lower,
        upper=seen.upper,
        photo_alone=alone,
    )


def _read_member(learner: NetworkLearner, run: Run, fold: Fold) -> Member:
    values = read_json(run.fold(fold.index) / "fold.json")["member"]
    return Member.load(run.path(WEIGHTS.format(fold.index)), values, learner.encoder.rest())


def _held_out_path(run: Run, fold: Fold) -> Path:
    return run.fold(fold.index) / "held_out.parquet"


def predict_test(predictor: TablePredictor, run: Run) -> None:
    """Predicts ``data.test``, and makes a submission where its rows have names.

    Args:
        predictor: A photos model, or an ensemble of such.
        run: Where the tables go.
    """
    data = predictor.experiment.data
    if data.test is None:
        return
    predictions = predictor.predict(data.test)
    write_table(predictions.frame(), run.path("predictions.parquet"))
    table = read_table(data.test)
    if names_rows(data, table):
        frame = make_submission(predictions, data.test, data.sample_submission, data)
        write_table(frame, run.path("submission.csv"))
