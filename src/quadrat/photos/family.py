"""What the functions behind the verbs ask of the photos family."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from quadrat.errors import DataError, RunError
from quadrat.photos import preparation
from quadrat.photos.checking import check
from quadrat.photos.judging import PHOTO_ALONE, judge
from quadrat.photos.predictor import PhotosPredictor
from quadrat.photos.samples.loading import Samples
from quadrat.photos.schema import PhotosExperiment
from quadrat.photos.training import held_out_of, train
from quadrat.photos.trials import data_key, prepare, validation_score
from quadrat.runs import Run
from quadrat.scoring import regression_metrics
from quadrat.splits import combine
from quadrat.tables import read_table

__all__ = ["check", "data_key", "evaluate", "load", "prepare", "train", "validation_score"]


def evaluate(run: Run, table: Path | None) -> dict[str, Any]:
    """Scores a finished run.

    Args:
        run: The run.
        table: A table with known targets; by default the run's own held-out predictions are scored
            again, for which its training table must still be there.

    Returns:
        The metrics.

    Raises:
        RunError: The run has not finished.
        DataError: The table cannot be used, or knows no target.
    """
    experiment = run.experiment()
    if not isinstance(experiment, PhotosExperiment):
        raise RunError(f"{run.folder} is a run of the family '{experiment.family}'.")
    run.metrics()
    if table is None:
        prepared = preparation.prepare(experiment)
        return judge(experiment, prepared, held_out_of(run, experiment, prepared)).to_dict()
    return _evaluate_table(run, load(run.folder), table)


def load(folder: Path) -> PhotosPredictor:
    """The trained model of a run folder."""
    return PhotosPredictor.load(folder)


def _evaluate_table(run: Run, predictor: PhotosPredictor, table: Path) -> dict[str, Any]:
    experiment = predictor.experiment
    samples = predictor.samples(table)
    if np.isnan(samples.targets).all():
        raise DataError(
            f"no target is known in {table}, so nothing can be scored.",
            [f"looked for: {', '.join(experiment.data.targets)}"],
            fix="give a table with targets, or use `quadrat predict`.",
        )
    predicted = predictor.predict_samples(samples)
    baselines = {}
    if experiment.score.baselines:
        means = np.mean([member.target_means for member in predictor.members], axis=0)
        baselines["mean"] = np.tile(means, (len(samples), 1))
        if experiment.data.numeric or experiment.data.categorical:
            hidden = predictor.predict_samples(samples, hide_metadata=True)
            baselines[PHOTO_ALONE] = hidden.balanced
    told: dict[str, Any] = {
        name: values if np.isfinite(values := getattr(predicted, name)).any() else None
        for name in ("sigma", "lower", "upper")
    }
    groups, by = _groups(experiment, samples)
    return regression_metrics(
        samples.targets,
        predicted.raw,
        predicted.balanced,
        targets=experiment.data.targets,
        folds=np.zeros(len(samples), dtype=np.int64),
        groups=groups,
        weights=experiment.score.weights,
        baselines=baselines,
        primary=experiment.score.primary,
        bootstrap=experiment.score.bootstrap,
        seed=experiment.seed,
        protocol=_protocol(run, predictor, samples, groups, by),
        **told,
    ).to_dict()


def _groups(
    experiment: PhotosExperiment, samples: Samples
) -> tuple[np.ndarray[Any, Any], tuple[str, ...]]:
    """Groups as in training where the table has their columns, otherwise every sample its own."""
    by = experiment.split.by
    if by and all(name in samples.frame.columns for name in by):
        columns = [samples.column(name) for name in by]
        if all(value is not None for column in columns for value in column.tolist()):
            return combine(*columns), by
    return np.array(samples.ids), ()


def _protocol(
    run: Run,
    predictor: PhotosPredictor,
    samples: Samples,
    groups: np.ndarray[Any, Any],
    by: tuple[str, ...],
) -> dict[str, Any]:
    """What was judged, and how much of it the model has seen."""
    trained = set(read_table(run.path("oof.parquet"))["sample"])
    seen = sum(name in trained for name in samples.ids)
    words = (
        f"{len(samples)} samples of another table, predicted by the mean of "
        f"{len(predictor.members)} models"
    )
    if seen:
        words += f"; {seen} of them bear names of the training table: if they are the same, the "
        words += "scores flatter"
    return {
        "kind": "table",
        "by": list(by),
        "samples": len(samples),
        "groups": len(np.unique(groups)),
        "seen_in_training": seen,
        "words": words + ".",
    }
