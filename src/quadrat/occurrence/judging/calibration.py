"""Calibration curves of species, drawn towards the curve of all of them together.

The curve of a species is ``σ(a z + b)``. It minimises the log loss of its validation samples plus
``κ/2 [(c - c₀)² + ρ v (a - a₀)²]``, where ``c = a m + b`` is its level at its typical logit ``m``
(mean over samples weighted by ``p (1 - p)``; ``v``: their variance) and the index 0 stands for the
global curve. As the information about ``c`` is about the number of positives, κ is how many
positives the global curve is worth: a species with n keeps about ``n / (n + κ)`` of its own level.
κ and ρ are those with the least log loss on folds of blocks that were left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from quadrat.occurrence.judging.logit_counts import CENTRES, LogitCounts
from quadrat.runtime.calibration import sigmoid

Array = NDArray[np.float64]

STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, math.inf)
SLOPE_RATIOS = (1.0, 10.0)

LEAST_SLOPE = 0.1
"""Below, a species would lose its ranking of places."""

_JUDGED_SPECIES = 1500
"""Species that choose the penalty."""
_CHUNK = 1000
"""Species fitted at a time."""
_STEPS = 30
_VARIANCE_FLOOR = 0.25


@dataclass(frozen=True)
class Penalty:
    """How strongly species are drawn towards the global curve.

    Args:
        level: κ, in positives; infinite: the global curve for all.
        slope: ρ, how much more strongly the slope is drawn.
    """

    level: float
    slope: float = 1.0


def fit_curves(counts: LogitCounts, penalty: Penalty) -> tuple[Array, Array]:
    """Slopes and offsets of species.

    Args:
        counts: Of the samples to fit on ``(S, K)``.
        penalty: How strongly species are drawn towards the curve of all.

    Returns:
        a and b, both ``(S,)``; the logit itself where nothing was seen at all.
    """
    species = len(counts.samples)
    if not counts.seen.any():
        return np.ones(species), np.zeros(species)
    slope, offset = _global_curve(counts.total())
    slopes, offsets = np.full(species, slope), np.full(species, offset)
    if math.isinf(penalty.level):
        return slopes, offsets
    for first in range(0, species, _CHUNK):
        part = slice(first, first + _CHUNK)
        slopes[part], offsets[part] = _species_curves(counts[part], slope, offset, penalty)
    return slopes, offsets


def choose_penalty(counts: LogitCounts) -> Penalty:
    """The penalty with the least log loss on folds that were left out.

    Args:
        counts: By fold ``(F, S, K)``, at least two folds.
    """
    species = counts.samples.shape[1]
    chosen = np.unique(np.linspace(0, species - 1, min(species, _JUDGED_SPECIES)).astype(int))
    counts = LogitCounts(counts.samples[:, chosen], counts.seen[:, chosen])
    penalties = [Penalty(*pair) for pair in product(STRENGTHS[:-1], SLOPE_RATIOS)]
    penalties.append(Penalty(math.inf))
    folds = range(len(counts.samples))
    losses = [
        sum(log_loss(counts[fold], *fit_curves(counts.without(fold), each)) for fold in folds)
        for each in penalties
    ]
    return penalties[int(np.argmin(losses))]


def log_loss(counts: LogitCounts, slopes: Array, offsets: Array) -> float:
    """The sum over samples and species of ``softplus(η) - y η`` with ``η = a z + b``."""
    logits = slopes[:, None] * CENTRES + offsets[:, None]
    return float((counts.samples * np.logaddexp(0, logits) - counts.seen * logits).sum())


def _global_curve(counts: LogitCounts) -> tuple[float, float]:
    """Slope and offset of counts ``(K,)``; a weak prior at the logit itself keeps them finite."""
    pooled = LogitCounts(counts.samples[None], counts.seen[None])
    slopes, offsets = _species_curves(pooled, 1.0, 0.0, Penalty(1.0))
    return float(slopes[0]), float(offsets[0])


def _species_curves(
    counts: LogitCounts, slope: float, offset: float, penalty: Penalty
) -> tuple[Array, Array]:
    """Newton's method for all species at once, centred at their typical logit."""
    samples, seen = counts.samples.astype(np.float64), counts.seen.astype(np.float64)
    expected = sigmoid(slope * CENTRES + offset)
    weight = samples * (expected * (1 - expected)) + 1e-12
    middle = weight @ CENTRES / weight.sum(axis=1)
    places = CENTRES - middle[:, None]
    variance = np.maximum((weight * places**2).sum(axis=1) / weight.sum(axis=1), _VARIANCE_FLOOR)
    on_level, on_slope = penalty.level, penalty.level * penalty.slope * variance
    level_0 = slope * middle + offset
    a, c = np.full(len(samples), slope), level_0.copy()
    for _ in range(_STEPS):
        p = sigmoid(a[:, None] * places + c[:, None])
        missing, w = samples * p - seen, samples * p * (1 - p)
        gradient_a = (missing * places).sum(axis=1) + on_slope * (a - slope)
        gradient_c = missing.sum(axis=1) + on_level * (c - level_0)
        aa = (w * places**2).sum(axis=1) + on_slope
        ac, cc = (w * places).sum(axis=1), w.sum(axis=1) + on_level
        determinant = aa * cc - ac**2
        step_a = (cc * gradient_a - ac * gradient_c) / determinant
        step_c = (aa * gradient_c - ac * gradient_a) / determinant
        flat = a - step_a < LEAST_SLOPE
        step_a, step_c = (
            np.where(flat, a - LEAST_SLOPE, step_a),
            np.where(flat, gradient_c / cc, step_c),
        )
        # Far from the optimum the curvature misleads: steps stay short.
        a, c = a - np.clip(step_a, -0.5, 0.5), c - np.clip(step_c, -1.0, 1.0)
        if max(np.abs(step_a).max(), np.abs(step_c).max()) < 1e-6:
            break
    return a, c - a * middle
