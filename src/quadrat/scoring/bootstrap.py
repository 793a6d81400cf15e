"""Confidence intervals by the bootstrap over groups: whole groups are drawn with replacement.

Samples of a group share place and day, so they are not independent evidence; drawing groups says
how the score would differ with other sites (Davison & Hinkley 1997, "Bootstrap methods and their
application", section 3.8). Scores are functions of sums over groups, so a thousand resamples are
one matrix product. Percentile intervals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadrat.scoring._resampled import grouped_ap_auc, ratio
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


def resample_counts(groups: int, resamples: int, seed: int | Sequence[int]) -> Array:
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
    resampling = Resampling.of(groups, resamples=resamples, seed=seed)
    return resampling.intervals(resampling.ratios(ratios))


@dataclass(frozen=True)
class Resampling:
    """Groups of samples drawn with replacement, and scores in what was drawn.

    Args:
        group: Group of every sample, from 0 ``(N,)``.
        draws: How often each of R resamples takes each of G groups ``(R, G)``.
    """

    group: NDArray[np.int64]
    draws: Array

    @classmethod
    def of(
        cls, groups: ArrayLike, *, resamples: int = 1000, seed: int | Sequence[int] = 0
    ) -> Resampling:
        """Draws.

        Args:
            groups: Group of every sample ``(N,)``.
            resamples: R.
            seed: Seed of the drawing.
        """
        names, group = np.unique(np.asarray(groups), return_inverse=True)
        return cls(group, resample_counts(len(names), resamples, seed))

    def first(self, resamples: int) -> Resampling:
        """The same with so many resamples at most."""
        return Resampling(self.group, self.draws[:resamples])

    def ratios(self, ratios: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> dict[str, Array]:
        """Scores that are a ratio of two sums over samples, in every resample ``(R,)``."""
        groups = self.draws.shape[1]
        return {
            score: ratio(
                *(self.draws @ np.bincount(self.group, np.asarray(t), groups) for t in terms)
            )
            for score, terms in ratios.items()
        }

    def ap_auc(self, scores: NDArray[np.floating], seen: NDArray[np.int64]) -> tuple[Array, Array]:
        """Average precision and AUC of one ranking of the samples in every resample ``(R,)``.

        Args:
            scores: ``(N,)``.
            seen: The samples that are positives ``(P,)``.
        """
        if not len(seen):
            nothing = np.full(len(self.draws), np.nan)
            return nothing, nothing
        return grouped_ap_auc(scores, seen, self.group, self._taken)

    def intervals(self, drawn: Mapping[str, Array]) -> dict[str, Interval]:
        """The intervals of scores' values in the resamples."""
        return {name: interval(values, self.draws.shape[1]) for name, values in drawn.items()}

    @cached_property
    def _taken(self) -> NDArray[np.float32]:
        return np.ascontiguousarray(self.draws.T, dtype=np.float32)


def interval(drawn: Array, groups: int) -> Interval:
    """The interval of a score's values in resamples of so many groups."""
    defined = drawn[~np.isnan(drawn)]
    if groups < 2 or len(defined) * 2 < len(drawn) or not len(defined):
        return float("nan"), float("nan")
    low, high = np.percentile(defined, [50.0 * (1.0 - LEVEL), 50.0 * (1.0 + LEVEL)])
    return float(low), float(high)
