"""Trainings of a search: no run folder, photos read once, judged on the inner rows."""

from __future__ import annotations

import json

from quadrat.engine import Backend, Report, RunningScore
from quadrat.errors import DataError, UsageError
from quadrat.photos import preparation
from quadrat.photos.features.source import FeatureSource
from quadrat.photos.learner import NetworkLearner
from quadrat.photos.objective import require_primary
from quadrat.photos.preparation import Prepared
from quadrat.photos.schema import PhotosExperiment
from quadrat.photos.training import part_of, training_part
from quadrat.scoring import primary_direction


class TrialData:
    """Samples and folds of several trainings, and the vectors of their photos.

    Args:
        prepared: The samples and folds.
    """

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self._source: tuple[str, FeatureSource] | None = None

    def learner(self, experiment: PhotosExperiment, backend: Backend) -> NetworkLearner:
        """A learner that takes over the vectors of the one before, where they are the same."""
        key = _source_key(experiment)
        known = self._source[1] if self._source and self._source[0] == key else None
        learner = NetworkLearner(experiment, backend, known)
        self._source = key, learner.source
        return learner


def prepare(experiment: PhotosExperiment) -> TrialData:
    """Reads samples and photos and makes the folds.

    Raises:
        DataError: The data cannot be used; everything that was found is listed.
        UsageError: The primary score is not one of this family, or no rows are kept to judge by.
    """
    require_primary(experiment)
    prepared = preparation.prepare(experiment)
    if prepared.report.errors:
        raise DataError("the data cannot be used for training.", prepared.report.errors)
    bare = [fold.name for fold in prepared.folds if not len(fold.inner)]
    if bare:
        raise UsageError(
            f"no inner rows to judge by in the folds {', '.join(bare)}: raise split.inner, because "
            "a search must not look at held-out rows."
        )
    return TrialData(prepared)


def data_key(experiment: PhotosExperiment) -> str:
    """What samples and folds depend on: experiments with the same key can share them."""
    content = experiment.content()
    names = ("data", "external", "balance", "balance_method", "split", "seed")
    kept = {name: content.get(name) for name in names}
    # photos of an encoder are looked at one by one, those of precomputed vectors are not
    return json.dumps([kept, experiment.opens_photos], sort_keys=True)


def validation_score(
    experiment: PhotosExperiment, data: TrialData, *, report: Report | None = None
) -> float:
    """Trains all folds and gives the mean of their best primary scores on the inner rows.

    Held-out rows are not looked at, and nothing is written.

    Args:
        experiment: The experiment.
        data: What `prepare` made of an experiment with the same `data_key`.
        report: Told the mean over the folds so far after every epoch; ends the training by raising.

    Raises:
        DataError: Photos cannot be read, or targets cannot be learnt.
        TrainingError: The loss or the score is not finite.
        Stopped: A signal asked to stop.
    """
    require_primary(experiment)
    primary = experiment.score.primary
    running = RunningScore(primary, primary_direction(primary), experiment.optimiser.epochs, report)
    backend = Backend.create(experiment.run.device, experiment.optimiser.precision)
    learner = data.learner(experiment, backend)
    score = float("nan")
    for fold in data.prepared.folds:
        fitted = learner.fit(
            training_part(data.prepared, fold.train),
            part_of(data.prepared, fold.inner),
            fold=fold.index,
            history=running,
            on_epoch=running.on_epoch,
        )
        score = running.end(fitted.result)
    return score


def _source_key(experiment: PhotosExperiment) -> str:
    """What the vectors and depth maps of photos depend on."""
    content = experiment.content()
    encoder = {key: value for key, value in content["encoder"].items() if key != "learning_rate"}
    depth = {k: v for k, v in content.get("depth", {}).items() if k not in ("scale", "fusion")}
    seen = [content["views"], content.get("clean")]
    key = [encoder, depth, *seen, content["run"], experiment.seed]
    return json.dumps(key, sort_keys=True)
