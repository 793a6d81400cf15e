"""Training a photos experiment into a run folder: folds, held-out predictions, scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from quadrat.engine import Backend, OnEpoch, current_progress
from quadrat.errors import DataError
from quadrat.photos.cleaning.findings import cleaning_table
from quadrat.photos.encoders import PhotoEncoder
from quadrat.photos.field.tables import shared_errors, write_shared
from quadrat.photos.judging import HeldOut, judge, oof_table
from quadrat.photos.learner import NetworkLearner
from quadrat.photos.member import Member
from quadrat.photos.objective import require_primary
from quadrat.photos.predictor import PhotosPredictor, TablePredictor
from quadrat.photos.preparation import Prepared, prepare
from quadrat.photos.refit import refit
from quadrat.photos.samples.loading import Samples
from quadrat.photos.samples.parts import Part
from quadrat.photos.saving import REFIT, describe_predictor, load_source, weights_of
from quadrat.photos.schema import PhotosExperiment
from quadrat.photos.submission import make_submission, names_rows
from quadrat.photos.views.looks import Look, looks_of
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
    prepared = prepare(experiment, tell_cleaning=True)
    if backend.is_main:
        write_json(run.path("check.json"), prepared.report.to_dict())
        if prepared.cleaned:
            write_table(cleaning_table(prepared.cleaned), run.path("cleaning.parquet"))
    if prepared.report.errors:
        raise DataError("the data cannot be used for training.", prepared.report.errors)
    for warning in prepared.report.warnings:
        current_progress().warn(warning)
    learner = NetworkLearner(experiment, backend)
    _encode_ahead(learner, prepared)
    folds = [_fold(learner, prepared, fold, run, history, on_epoch) for fold in prepared.folds]
    held_out = [fold.held_out for fold in folds]
    members = {
        weights_of(number, place): member
        for number, fold in enumerate(folds)
        for place, member in enumerate(fold.members)
    }
    if experiment.run.refit:
        members = {REFIT: _refit(learner, prepared, run, folds)}
    metrics = judge(experiment, prepared, held_out).to_dict()
    if backend.is_main:
        oof = oof_table(list(prepared.folds), held_out, experiment.data.targets)
        write_table(oof, run.path("oof.parquet"))
        predictor = PhotosPredictor(experiment, list(members.values()), learner.source)
        describe_predictor(predictor, run.folder, list(members))
        if experiment.field.paddock is not None:
            write_shared(shared_errors(experiment, prepared, held_out), run.folder)
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


def held_out_at(
    run: Run, experiment: PhotosExperiment, prepared: Prepared, size: tuple[int, int]
) -> list[HeldOut]:
    """What a finished run says of its held-out samples at another size, fold by fold.

    Every fold is answered by the networks that had not seen it, as when the run was trained.

    Args:
        run: The run.
        experiment: Its experiment.
        prepared: Its samples and folds; the photos must be there.
        size: Height and width at which photos are seen.

    Raises:
        UsageError: The run cannot see photos at this size.
        RunError: Weights of a fold are missing or damaged, or the training table has changed.
    """
    held_out_of(run, experiment, prepared)  # or other folds would be answered by who saw them
    source = load_source(run.folder, predict_size=size)
    found = []
    for fold in prepared.folds:
        members = _read_members(run, fold, source.encoder)
        predictor = PhotosPredictor(experiment, members, source)
        found.append(_predict_held_out(predictor, prepared.samples.take(fold.held_out)))
    return found


def _encode_ahead(learner: NetworkLearner, prepared: Prepared) -> None:
    """Turns all photos into vectors before the first fold, so that a bad one shows at once."""
    experiment = learner.experiment
    everything = training_part(prepared, np.arange(len(prepared.samples))).joined().samples
    if learner.source.keeps:
        learner.source.held(everything)
        learner.source.held(prepared.samples, predict=True)
    else:
        learner.source.vectors(everything)
    if learner.source.depth is not None:
        learner.source.depth.of(everything)
    if experiment.data.test is not None:
        predictor = PhotosPredictor(experiment, [], learner.source)
        predictor.samples(experiment.data.test)


class _Fold(NamedTuple):
    """A finished fold.

    Attributes:
        members: Who answer together.
        held_out: What they said about its held-out samples.
        best_epoch: When they were best.
    """

    members: tuple[Member, ...]
    held_out: HeldOut
    best_epoch: int


def _fold(
    learner: NetworkLearner,
    prepared: Prepared,
    fold: Fold,
    run: Run,
    history: History,
    on_epoch: OnEpoch | None,
) -> _Fold:
    """Trains a fold, or reads what it left."""
    experiment, samples = learner.experiment, prepared.samples
    folder = run.fold(fold.index)
    goal = {key: getattr(experiment.optimiser, key) for key in _MAY_GROW}
    ids = [samples.ids[row] for row in fold.held_out]
    marker = folder / "fold.json"
    if learner.backend.agree(marker.exists() and read_json(marker)["goal"] == goal):
        held_out = HeldOut.read(_held_out_path(run, fold), ids, experiment.data.targets)
        members = _read_members(run, fold, learner.encoder)
        return _Fold(members, held_out, read_json(marker)["best_epoch"])
    fitted = learner.fit(
        training_part(prepared, fold.train),
        part_of(prepared, fold.inner),
        fold=fold.index,
        state=folder / "state",
        history=history,
        on_epoch=on_epoch,
    )
    predictor = PhotosPredictor(experiment, fitted.members, learner.source)
    held_out = _predict_held_out(predictor, samples.take(fold.held_out))
    result = fitted.result
    if learner.backend.is_main:
        for place, member in enumerate(fitted.members):
            member.save_weights(run.path(weights_of(fold.index, place)))
        held_out.save(_held_out_path(run, fold), fold.index, experiment.data.targets)
        described = [member.to_json() for member in fitted.members]
        ended: dict[str, Any] = {"best_epoch": result.best_epoch, "epochs": result.epochs}
        ended |= {"averaged": list(result.averaged)} if result.averaged else {}
        write_json(marker, {"name": fold.name, "goal": goal, **ended, "members": described})
    return _Fold(fitted.members, held_out, result.best_epoch)


def _refit(learner: NetworkLearner, prepared: Prepared, run: Run, folds: Sequence[_Fold]) -> Member:
    """Trains on all samples, for as long as the folds needed."""
    everything = np.arange(len(prepared.samples))
    return refit(
        learner,
        training_part(prepared, everything),
        part_of(prepared, everything[:0]),
        run,
        fold_members=[member for fold in folds for member in fold.members],
        best_epochs=[fold.best_epoch for fold in folds],
    )


def training_part(prepared: Prepared, rows: np.ndarray[Any, np.dtype[np.int64]]) -> Part:
    """Some of the samples, with those of other data sets beside them."""
    return replace(part_of(prepared, rows), external=prepared.external)


def part_of(prepared: Prepared, rows: np.ndarray[Any, np.dtype[np.int64]]) -> Part:
    """Some of the samples, with their groups."""
    groups = prepared.folds.groups
    return Part(prepared.samples.take(rows), None if groups is None else groups[rows])


def _predict_held_out(predictor: PhotosPredictor, samples: Samples) -> HeldOut:
    seen = predictor.predict_samples(samples)
    alone, one_look = (np.full_like(seen.raw, np.nan) for _ in range(2))
    if predictor.members[0].network.start.columns:
        alone = predictor.predict_samples(samples, hide_metadata=True).balanced
    if len(looks_of(predictor.experiment.tta)) > 1:
        one_look = predictor.predict_samples(samples, looks=(Look(),)).balanced
    return HeldOut(
        ids=samples.ids,
        truth=samples.targets,
        raw=seen.raw,
        balanced=seen.balanced,
        sigma=seen.sigma,
        lower=seen.lower,
        upper=seen.upper,
        photo_alone=alone,
        one_look=one_look,
    )


def _read_members(run: Run, fold: Fold, encoder: PhotoEncoder) -> tuple[Member, ...]:
    described = read_json(run.fold(fold.index) / "fold.json")["members"]
    return tuple(
        Member.load(run.path(weights_of(fold.index, place)), values, encoder.rest())
        for place, values in enumerate(described)
    )


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
