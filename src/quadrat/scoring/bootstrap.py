"""Confidence intervals by the bootstrap over groups: whole groups are drawn with replacement.

Samples of a group share place and day, so they are not independent evidence; drawing groups says
how the score would differ with other sites (Davison & Hinkley 1997, "Bootstrap methods and their
application", section 3.8). Scores are functions of sums over groups, so a thousand resamples are
one matrix product. Percentile intervals.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadrat.scoring.regression import (
    checked,
    group_sums,
    scales,
    scores_of,
    target_weights,
)

Array = NDArray[np.float64]
Interval = tuple[float, float]

LEVEL = 0.95
"""Probability inside the intervals."""


def resample_counts(groups: int, resamples: int, seed: int) -> Array:
    """How often every resample takes every group, ``(R, G)``; rows add up to G."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(groups, np.full(groups, 1.0 / groups), size=resamples).astype(np.float64)


def bootstrap_regression(
    truth: ArrayLike,
    predicted: ArrayLike,
    weights: ArrayLike | None,
    groups: ArrayLike,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Intervals of all scores of ``regression_scores``.

    Args:
        truth: ``(N, T)``, NaN where unknown.
        predicted: ``(N, T)``.
        weights: Target weights ``(T,)``; equal if None.
        groups: Group of every row, ``(N,)``.
        resamples: R, the number of resamples.
        seed: Seed of the drawing.

    Returns:
        Score → 95 % interval; NaN where a score is not defined in half of the resamples, and for
        fewer than two groups.
    """
    y, p = checked(truth, predicted)
    w = target_weights(weights, y.shape[1])
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    counts = resample_counts(len(names), resamples, seed)
    found: dict[str, Interval] = {}
    for suffix, (a, b) in scales(y, p).items():
        drawn = scores_of(group_sums(a, b, group).resampled(counts), w)
        found |= {f"{name}{suffix}": interval(v, len(names)) for name, v in drawn.items()}
    return found


def bootstrap_means(
    values: Mapping[str, ArrayLike], groups: ArrayLike, *, resamples: int = 1000, seed: int = 0
) -> dict[str, Interval]:
    """Intervals of means over samples, such as the average precision of every sample.

    Args:
        values: Score → values ``(N,)`` or ``(N, T)``; the score is the mean of those that are not
            NaN.
        groups: Group of every row, ``(N,)``.
        resamples: R, the number of resamples.
        seed: Seed of the drawing.

    Returns:
        Score → 95 % interval.
    """
    ratios = {}
    for score, given in values.items():
        rows = np.asarray(given, dtype=np.float64)
        rows = rows.reshape(len(rows), -1)
        known = ~np.isnan(rows)
        ratios[score] = (np.where(known, rows, 0.0).sum(axis=1), known.sum(axis=1))
    return bootstrap_ratios(ratios, groups, resamples=resamples, seed=seed)


def bootstrap_ratios(
    ratios: Mapping[str, tuple[ArrayLike, ArrayLike]],
    groups: ArrayLike,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Intervals of scores that are a ratio of two sums over samples, such as a micro-averaged F1.

    Args:
        ratios: Score → the terms of numerator and denominator of every sample, both ``(N,)``.
        groups: Group of every row, ``(N,)``.
        resamples: R, the number of resamples.
        seed: Seed of the drawing.

    Returns:
        Score → 95 % interval.
    """
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    counts = resample_counts(len(names), resamples, seed)
    found = {}
    for score, terms in ratios.items():
        above, under = (counts @ np.bincount(group, np.asarray(t), len(names)) for t in terms)
        with np.errstate(invalid="ignore", divide="ignore"):
            found[score] = interval(np.where(under > 0, above / under, np.nan), len(names))
    return found


def interval(drawn: Array, groups: int) -> Interval:
    """The interval of a score's values in resamples of so many groups."""
    defined = drawn[~np.isnan(drawn)]
    if groups < 2 or len(defined) * 2 < len(drawn) or not len(defined):
        return float("nan"), float("nan")
    low, high = np.percentile(defined, [50.0 * (1.0 - LEVEL), 50.0 * (1.0 + LEVEL)])
    return float(low), float(high)
