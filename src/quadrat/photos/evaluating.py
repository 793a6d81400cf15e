"""Scores of a trained photos model on another table, whose true values are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quadrat.errors import DataError
from quadrat.photos.judging import PHOTO_ALONE
from quadrat.photos.predictions import Predictions
from quadrat.photos.predictor import PhotosPredictor
from quadrat.photos.samples.loading import Samples
from quadrat.photos.schema import PhotosExperiment
from quadrat.runs import Run
from quadrat.scoring import regression_metrics
from quadrat.splits import combine
from quadrat.tables import read_table

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Answered:
    """What a model says about a table.

    Attributes:
        samples: The samples that were predicted.
        predicted: What it says.
        photo_alone: What it says with all metadata hidden; None where it knows none.
        means: Training mean of every target ``(T,)``.
    """

    samples: Samples
    predicted: Predictions
    photo_alone: Predictions | None
    means: Array


def answer_table(predictor: PhotosPredictor, table: Path) -> Answered:
    """Asks a model about a table, also without metadata.

    Raises:
        DataError: The table cannot be used, or knows no target.
    """
    data = predictor.experiment.data
    samples = predictor.samples(table)
    if np.isnan(samples.targets).all():
        raise DataError(
            f"no target is known in {table}, so nothing can be scored.",
            [f"looked for: {', '.join(data.targets)}"],
            fix="give a table with targets, or use `quadrat predict`.",
        )
    alone = None
    if data.numeric or data.categorical:
        alone = predictor.predict_samples(samples, hide_metadata=True)
    means = np.mean([member.target_means for member in predictor.members], axis=0)
    return Answered(samples, predictor.predict_samples(samples), alone, means)


def score_table(
    run: Run, experiment: PhotosExperiment, answered: Answered, *, by_what: str
) -> dict[str, Any]:
    """The metrics of what was said about a table.

    Args:
        run: The run that says it.
        experiment: Its experiment, with the scores that are asked for.
        answered: What it says.
        by_what: What has predicted, in words.
    """
    samples, predicted = answered.samples, answered.predicted
    baselines = {}
    if experiment.score.baselines:
        baselines["mean"] = np.tile(answered.means, (len(samples), 1))
        if answered.photo_alone is not None:
            baselines[PHOTO_ALONE] = answered.photo_alone.balanced
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
        protocol=_protocol(run, by_what, samples, groups, by),
        **told,
    ).to_dict()


def _groups(
    experiment: PhotosExperiment, samples: Samples
) -> tuple[NDArray[np.str_], tuple[str, ...]]:
    """Groups as in training where the table has their columns, otherwise every sample its own."""
    by = experiment.split.by
    if by and all(name in samples.frame.columns for name in by):
        columns = [samples.column(name) for name in by]
        if all(value is not None for column in columns for value in column.tolist()):
            return combine(*columns), by
    return np.array(samples.ids), ()


def _protocol(
    run: Run, by_what: str, samples: Samples, groups: NDArray[np.str_], by: tuple[str, ...]
) -> dict[str, Any]:
    """What was judged, and how much of it the model has seen."""
    trained = set(read_table(run.path("oof.parquet"))["sample"])
    seen = sum(name in trained for name in samples.ids)
    words = f"{len(samples)} samples of another table, predicted by {by_what}"
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
