"""The object behind ``metrics.json``, and how it is built for continuous targets."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadrat.errors import UsageError
from quadrat.scoring.bootstrap import bootstrap_means, bootstrap_regression
from quadrat.scoring.names import choosing, primary_direction
from quadrat.scoring.regression import checked, regression_scores, target_scores
from quadrat.scoring.skill import crps_normal, inside

Array = NDArray[np.float64]
Scores = Mapping[str, float]
Intervals = Mapping[str, Sequence[float]]

_WORDS = ("primary", "higher_is_better", "tta", "protocol")


@dataclass(frozen=True)
class Metrics:
    """Everything that is known about how good a run is. No time, no path.

    Attributes:
        primary: Name of the score that chooses and headlines.
        higher_is_better: Which way it points.
        scores: Name → number, out of fold over all folds, after balance.
        raw: The same before balance.
        intervals: Name → [low, high], 95 %, bootstrap over groups.
        per_target: Target (or species) → name → number.
        folds: One flat object of scores a fold.
        fold_mean: Name → mean over the folds in which the score is defined.
        fold_sd: Name → standard deviation (n - 1) over these folds.
        baselines: Baseline → name → number.
        baseline_intervals: Baseline → name → [low, high].
        tta: What test-time augmentation gained.
        protocol: How the split was made (``Folds.protocol()``).
    """

    primary: str
    higher_is_better: bool
    scores: Scores
    raw: Scores = field(default_factory=dict)
    intervals: Intervals = field(default_factory=dict)
    per_target: Mapping[str, Scores] = field(default_factory=dict)
    folds: Sequence[Scores] = ()
    fold_mean: Scores = field(default_factory=dict)
    fold_sd: Scores = field(default_factory=dict)
    baselines: Mapping[str, Scores] = field(default_factory=dict)
    baseline_intervals: Mapping[str, Intervals] = field(default_factory=dict)
    tta: Mapping[str, Any] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def create(
        cls, primary: str, scores: Scores, *, folds: Sequence[Scores] = (), **others: Any
    ) -> Metrics:
        """Metrics with direction, fold means and standard deviations filled in.

        Args:
            primary: Name of the score that chooses; it must be among ``scores``.
            scores: Name → number.
            folds: One flat object of scores a fold.
            others: The remaining attributes.

        Raises:
            UnknownNameError: The primary score is no score at all.
            UsageError: It cannot choose a model, or is not computed here.
        """
        higher = primary_direction(primary, scores)
        if primary not in scores:
            raise UsageError(
                f"score.primary = '{primary}' is not computed here. Choose from: "
                f"{', '.join(choosing(scores))}."
            )
        mean, sd = _over_folds(folds)
        return cls(primary, higher, scores, folds=folds, fold_mean=mean, fold_sd=sd, **others)

    def beside(self, others: Mapping[str, Metrics]) -> Metrics:
        """The same with the scores of other models as baselines, by name."""
        intervals = {name: one.intervals for name, one in others.items() if one.intervals}
        return replace(
            self,
            baselines={**self.baselines, **{name: one.scores for name, one in others.items()}},
            baseline_intervals={**self.baseline_intervals, **intervals},
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain objects, ready for JSON: Python numbers, and None for what is not finite."""
        return {name: _plain(value) for name, value in asdict(self).items()}

    def to_json(self) -> bytes:
        """The bytes of ``metrics.json``: the same metrics give the same bytes."""
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        return (text + "\n").encode()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Metrics:
        """The metrics that ``to_dict`` gave; None becomes NaN where a number belongs."""
        names = [name for name in cls.__dataclass_fields__ if name in data]
        judged = {name: _numbers(data[name]) for name in names if name not in _WORDS}
        return cls(**judged, **{name: data[name] for name in names if name in _WORDS})


def regression_metrics(
    truth: ArrayLike,
    raw: ArrayLike,
    balanced: ArrayLike,
    *,
    targets: Sequence[str],
    folds: ArrayLike,
    groups: ArrayLike,
    weights: Mapping[str, float] | None = None,
    baselines: Mapping[str, ArrayLike] | None = None,
    primary: str = "weighted_r2",
    bootstrap: int = 1000,
    seed: int = 0,
    protocol: Mapping[str, Any] | None = None,
    sigma: ArrayLike | None = None,
    lower: ArrayLike | None = None,
    upper: ArrayLike | None = None,
    level: float = 0.9,
    tta: Mapping[str, Any] | None = None,
) -> Metrics:
    """All scores of out-of-fold predictions.

    Args:
        truth: ``(N, T)``, NaN where unknown.
        raw: Predictions before balance ``(N, T)``.
        balanced: Predictions after balance ``(N, T)``.
        targets: Names of the targets.
        folds: Fold of every row, ``(N,)``.
        groups: Group of every row, ``(N,)``, for the bootstrap.
        weights: Target → weight in weighted scores; a target that is not named weighs 0. None or
            empty: equal.
        baselines: Name → predictions ``(N, T)`` of the same rows.
        primary: The score that chooses.
        bootstrap: Number of resamples; 0: no intervals.
        seed: Seed of the bootstrap.
        protocol: How the split was made.
        sigma: Standard deviations ``(N, T)``: adds ``crps``.
        lower: Lower ends of intervals ``(N, T)``: with ``upper`` adds ``coverage_…``.
        upper: Their upper ends.
        level: Probability inside the intervals.
        tta: What test-time augmentation gained.

    Raises:
        DataError: A prediction is missing where the truth is known.
        UsageError: The primary score is not computed here, or weights name no target.
    """
    y, after = checked(truth, balanced)
    w = weight_vector(weights, targets)
    fold, group = np.asarray(folds), np.asarray(groups)
    judged = _Judge(y, w, sigma, lower, upper, level)
    per_fold = [judged.scores(after, fold == number) for number in np.unique(fold)]
    others = {name: checked(y, values)[1] for name, values in (baselines or {}).items()}
    everything = np.ones(len(y), dtype=bool)

    def intervals(predicted: Array, judge: _Judge) -> dict[str, tuple[float, float]]:
        if not bootstrap:
            return {}
        found = bootstrap_regression(y, predicted, w, group, resamples=bootstrap, seed=seed)
        means = judge.values(predicted)
        return found | bootstrap_means(means, group, resamples=bootstrap, seed=seed)

    plain = _Judge(y, w)
    return Metrics.create(
        primary,
        judged.scores(after, everything),
        raw=judged.scores(checked(y, raw)[1], everything),
        intervals=intervals(after, judged),
        per_target=judged.per_target(after, targets),
        folds=per_fold,
        baselines={name: plain.scores(values, everything) for name, values in others.items()},
        baseline_intervals={
            name: found for name, values in others.items() if (found := intervals(values, plain))
        },
        tta=dict(tta or {}),
        protocol=dict(protocol or {}),
    )


def weight_vector(weights: Mapping[str, float] | None, targets: Sequence[str]) -> Array:
    """Weights by name as ``(T,)``; equal if there are none.

    Raises:
        UsageError: A weight is for no target.
    """
    if not weights:
        return np.ones(len(targets))
    unknown = [name for name in weights if name not in targets]
    if unknown:
        raise UsageError(
            f"score.weights names what is no target: {', '.join(unknown)}. "
            f"Targets: {', '.join(targets)}."
        )
    return np.array([float(weights.get(name, 0.0)) for name in targets])


class _Judge:
    """Scores of predictions against one truth, with what a distribution head adds."""

    def __init__(
        self,
        truth: Array,
        weights: Array,
        sigma: ArrayLike | None = None,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        level: float = 0.9,
    ) -> None:
        self.truth, self.weights = truth, weights
        self.sigma = None if sigma is None else np.asarray(sigma, dtype=np.float64)
        self.covered = None if lower is None or upper is None else inside(lower, upper, truth)
        self.coverage = f"coverage_{round(100 * level)}"

    def values(self, predicted: Array) -> dict[str, Array]:
        """The scores that are means of values ``(N, T)``."""
        found = {}
        if self.sigma is not None:
            found["crps"] = crps_normal(predicted, self.sigma, self.truth)
        if self.covered is not None:
            found[self.coverage] = self.covered
        return found

    def scores(self, predicted: Array, rows: NDArray[np.bool_]) -> dict[str, float]:
        means = {name: _mean(values[rows]) for name, values in self.values(predicted).items()}
        return regression_scores(self.truth[rows], predicted[rows], self.weights) | means

    def per_target(self, predicted: Array, targets: Sequence[str]) -> dict[str, dict[str, float]]:
        table = dict(zip(targets, target_scores(self.truth, predicted), strict=True))
        for name, values in self.values(predicted).items():
            for column, target in enumerate(targets):
                table[target][name] = _mean(values[:, column])
        return table


def _mean(values: Array) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else math.nan


def _over_folds(folds: Sequence[Scores]) -> tuple[dict[str, float], dict[str, float]]:
    mean, sd = {}, {}
    for name in dict.fromkeys(name for fold in folds for name in fold):
        given = np.array([fold.get(name, math.nan) for fold in folds])
        known = given[~np.isnan(given)]
        mean[name] = float(known.mean()) if known.size else math.nan
        sd[name] = float(known.std(ddof=1)) if known.size > 1 else math.nan
    return mean, sd


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def _numbers(value: Any) -> Any:
    """Undoes what JSON did to numbers: None is NaN."""
    if isinstance(value, Mapping):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers(item) for item in value]
    return math.nan if value is None else value
