"""Scores of continuous predictions, from sums that also serve the bootstrap.

Everything is computed from per-target sums, so a score of a resample is the same function of other
sums. With truth y, prediction p and target weights w, over the known pairs (sample, target):

* weighted_r2: ``1 - Σ w (y - p)² / Σ w (y - ȳ)²`` with one mean ``ȳ = Σ w y / Σ w`` for all targets
  (the score of the CSIRO pasture biomass competition). It rewards knowing which target is large:
  predicting every target's mean scores well above 0.
* R² of a target: ``1 - Σ (y - p)² / Σ (y - ȳ_t)²``; NaN where the truth is constant or has fewer
  than two values. mean_weighted_r2 is ``Σ w R² / Σ w`` and r2 the plain mean, both over the targets
  that have one.
* rmse, mae: over all known pairs, each pair alike.
* ``…_log1p``: the same on log(1 + x); truth and prediction are clipped at 0 first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadrat.errors import DataError
from quadrat.targets import TRANSFORMS

Array = NDArray[np.float64]

_RELATIVE_TO_SIZE = 1e-9
_RELATIVE_TO_SPREAD = 1e-6


@dataclass(frozen=True)
class Sums:
    """Sums over known pairs, ``(..., T)``: in front one a group, or one a resample.

    Attributes:
        count: Number of pairs.
        truth: Σ (y - c) with the target's centre c.
        truth_squared: Σ (y - c)².
        squared: Σ (y - p)².
        absolute: Σ |y - p|.
        centre: c, the mean of the target over all rows, ``(T,)``; it keeps the sums small.
        noise: Standard deviation below which the truth counts as constant, ``(T,)``.
    """

    count: Array
    truth: Array
    truth_squared: Array
    squared: Array
    absolute: Array
    centre: Array
    noise: Array

    def resampled(self, counts: Array) -> Sums:
        """The sums of resamples ``(R, T)`` that take group g ``counts[r, g]`` times."""
        fields = (self.count, self.truth, self.truth_squared, self.squared, self.absolute)
        a, b, c, d, e = (counts @ values for values in fields)
        return Sums(a, b, c, d, e, self.centre, self.noise)


def group_sums(truth: Array, predicted: Array, group: NDArray[np.int64]) -> Sums:
    """The sums of every group ``(G, T)`` from values ``(N, T)`` and group codes ``(N,)``."""
    known = ~np.isnan(truth)
    values = np.where(known, truth, 0.0)
    centre = values.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    shifted = np.where(known, truth - centre, 0.0)
    errors = np.where(known, truth - predicted, 0.0)
    columns = (known.astype(np.float64), shifted, shifted**2, errors**2, np.abs(errors))
    shape = (int(group.max(initial=-1)) + 1, truth.shape[1])
    summed = [np.zeros(shape) for _ in columns]
    for into, column in zip(summed, columns, strict=True):
        np.add.at(into, group, column)
    noise = np.maximum(
        _RELATIVE_TO_SIZE * np.abs(values).max(axis=0, initial=0.0),
        _RELATIVE_TO_SPREAD * np.abs(shifted).max(axis=0, initial=0.0),
    )
    a, b, c, d, e = summed
    return Sums(a, b, c, d, e, centre, noise)


def target_r2(sums: Sums) -> Array:
    """R² of every target, ``(..., T)``; NaN where it is not defined."""
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = sums.truth_squared - sums.truth**2 / sums.count
        defined = (sums.count >= 2) & (spread > sums.count * sums.noise**2)
        return np.asarray(np.where(defined, 1.0 - sums.squared / spread, np.nan))


def scores_of(sums: Sums, weights: Array) -> dict[str, Array]:
    """The five scores ``(...,)`` from sums ``(..., T)`` and target weights ``(T,)``."""
    r2 = target_r2(sums)
    defined = ~np.isnan(r2)
    filled = np.where(defined, r2, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        pairs = sums.count.sum(axis=-1)
        return {
            "weighted_r2": _global_r2(sums, weights),
            "mean_weighted_r2": filled @ weights / (defined @ weights),
            "r2": filled.sum(axis=-1) / defined.sum(axis=-1),
            "rmse": np.sqrt(sums.squared.sum(axis=-1) / pairs),
            "mae": sums.absolute.sum(axis=-1) / pairs,
        }


def _global_r2(sums: Sums, weights: Array) -> Array:
    mass = sums.count @ weights
    mean = (sums.truth + sums.count * sums.centre) @ weights / mass
    away = sums.centre - mean[..., None]
    spread = (sums.truth_squared + 2.0 * away * sums.truth + sums.count * away**2) @ weights
    used = weights > 0.0
    noise = sums.noise[used].max() + _RELATIVE_TO_SPREAD * np.ptp(sums.centre[used])
    return np.where(spread > mass * noise**2, 1.0 - sums.squared @ weights / spread, np.nan)


def regression_scores(
    truth: ArrayLike, predicted: ArrayLike, weights: ArrayLike | None = None
) -> dict[str, float]:
    """All flat scores, also on log(1 + x).

    Args:
        truth: ``(N, T)``, NaN where unknown.
        predicted: ``(N, T)``, finite wherever the truth is known.
        weights: Target weights ``(T,)``; equal if None.

    Raises:
        DataError: A prediction is missing where the truth is known.
    """
    y, p = checked(truth, predicted)
    w = target_weights(weights, y.shape[1])
    together = np.zeros(len(y), dtype=np.int64)
    found: dict[str, float] = {}
    for suffix, (a, b) in scales(y, p).items():
        sums = group_sums(a, b, together)
        sums = sums.resampled(np.ones((1, len(sums.count))))
        found |= {f"{k}{suffix}": float(v[0]) for k, v in scores_of(sums, w).items()}
    return found


def target_scores(truth: ArrayLike, predicted: ArrayLike) -> list[dict[str, float]]:
    """r2, rmse and mae of every target, also on log(1 + x).

    Args:
        truth: ``(N, T)``, NaN where unknown.
        predicted: ``(N, T)``.

    Returns:
        One flat object a target.
    """
    y, p = checked(truth, predicted)
    rows = []
    for column in range(y.shape[1]):
        scores = regression_scores(y[:, [column]], p[:, [column]])
        rows.append({name: value for name, value in scores.items() if "weighted" not in name})
    return rows


def weighted_r2(truth: ArrayLike, predicted: ArrayLike, weights: ArrayLike) -> float:
    """The global weighted R², ``1 - Σ w (y - p)² / Σ w (y - ȳ)²`` with ``ȳ = Σ w y / Σ w``.

    Args:
        truth: ``(N, T)``, NaN where unknown.
        predicted: ``(N, T)``.
        weights: Target weights ``(T,)``.
    """
    return regression_scores(truth, predicted, weights)["weighted_r2"]


def mean_weighted_r2(truth: ArrayLike, predicted: ArrayLike, weights: ArrayLike) -> float:
    """The weighted mean of the targets' R², ``Σ w R² / Σ w``; arguments as ``weighted_r2``."""
    return regression_scores(truth, predicted, weights)["mean_weighted_r2"]


def scales(truth: Array, predicted: Array) -> dict[str, tuple[Array, Array]]:
    """Truth and prediction on both scales, by the suffix of the scores' names."""
    log1p = TRANSFORMS["log1p"].forward
    logarithms = (log1p(np.maximum(truth, 0.0)), log1p(np.maximum(predicted, 0.0)))
    return {"": (truth, predicted), "_log1p": logarithms}


def checked(truth: ArrayLike, predicted: ArrayLike) -> tuple[Array, Array]:
    """Both as float64 ``(N, T)``, after a look at what is missing.

    Raises:
        DataError: A prediction is missing where the truth is known.
    """
    y, p = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if y.ndim != 2 or y.shape != p.shape:
        raise ValueError(f"truth and prediction must be (N, T) alike, not {y.shape} and {p.shape}")
    bad = np.argwhere(~np.isnan(y) & ~np.isfinite(p))
    if len(bad):
        raise DataError(
            "predictions are missing where the truth is known",
            problems=[f"row {row}, target {column}: {p[row, column]}" for row, column in bad],
            fix="predict every row, or leave the row out of the scores.",
        )
    return y, p


def target_weights(weights: ArrayLike | None, targets: int) -> Array:
    """Weights ``(T,)`` as float64; equal if None."""
    w = np.ones(targets) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape != (targets,) or not (w >= 0.0).all() or not w.sum() > 0.0:
        raise ValueError(f"weights must be {targets} numbers >= 0, not all 0: {w}")
    return w
