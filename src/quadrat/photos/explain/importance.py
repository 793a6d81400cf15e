"""What each column of metadata is worth to a model, by exchanging its values among samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.engine import current_progress
from quadrat.photos.predictor import PhotosPredictor
from quadrat.photos.samples.loading import Samples
from quadrat.scoring import primary_direction, regression_scores, weight_vector

REPEATS = 10
"""How often the values of a column are exchanged."""
_FALLBACK = "rmse"


def permutation_importance(predictor: PhotosPredictor, samples: Samples) -> pl.DataFrame | None:
    """How much worse the score is when a column's values are those of other samples.

    Reference: L. Breiman, "Random forests", Machine Learning 45, 2001.

    Args:
        predictor: The model.
        samples: Samples with known targets, at least two.

    Returns:
        Columns ``column``, ``score``, ``drop`` (mean over the exchanges; positive: the column
        helps), ``lower`` and ``upper`` (5 % and 95 % quantiles over the exchanges), the greatest
        drop first. None where there are no metadata, or no known targets. The score is
        ``score.primary``; rmse where that rests on more than the predicted numbers.
    """
    data = predictor.experiment.data
    names = (*data.numeric, *data.categorical)
    if not names or len(samples) < 2 or np.isnan(samples.targets).all():
        return None
    whole, score = _score(predictor, samples)
    if np.isnan(whole):
        return None
    better = 1.0 if primary_direction(score) else -1.0
    rng = np.random.default_rng(predictor.experiment.seed)
    rows = []
    with current_progress().task("metadata exchanged", len(names)) as task:
        for place, name in enumerate(names):
            drops = []
            for _ in range(REPEATS):
                order = rng.permutation(len(samples))
                changed, _ = _score(predictor, _exchanged(samples, place, len(data.numeric), order))
                drops.append(better * (whole - changed))
            lower, upper = np.quantile(drops, [0.05, 0.95])
            rows.append((name, score, float(np.mean(drops)), float(lower), float(upper)))
            task.advance()
    frame = pl.DataFrame(rows, schema=["column", "score", "drop", "lower", "upper"], orient="row")
    return frame.sort("drop", descending=True)


def _score(predictor: PhotosPredictor, samples: Samples) -> tuple[float, str]:
    """The score of balanced predictions, and its name."""
    section, targets = predictor.experiment.score, predictor.experiment.data.targets
    balanced = predictor.predict_samples(samples).balanced
    scores = regression_scores(samples.targets, balanced, weight_vector(section.weights, targets))
    name = section.primary if section.primary in scores else _FALLBACK
    return scores[name], name


def _exchanged(samples: Samples, place: int, numeric: int, order: NDArray[np.int64]) -> Samples:
    """Samples of which one column, numeric ones first, is that of others."""
    if place < numeric:
        numbers = samples.numeric.copy()
        numbers[:, place] = numbers[order, place]
        return replace(samples, numeric=numbers)
    texts = samples.categorical.copy()
    texts[:, place - numeric] = texts[order, place - numeric]
    return replace(samples, categorical=texts)
