"""Scores over the observation density: whether a model only finds where people looked.

Sparse and dense are the samples up to the first and from the third quartile of the density, among
the samples with a positive.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from quadrat.scoring._resampled import ratio

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROUNDING = 1e-9


def density_scores(density: Array, precision: Array, predicted: Array) -> dict[str, float]:
    """The scores, if any density is known.

    Args:
        density: Of every sample, NaN where unknown ``(N,)``.
        precision: Average precision of every sample, NaN without a positive ``(N,)``.
        predicted: Number of species predicted in every sample ``(N,)``.
    """
    one = np.zeros(len(density), np.int64)
    found = resampled_density_scores(density, precision, predicted, one, np.ones((1, 1)))
    return {name: float(values[0]) for name, values in found.items()}


def resampled_density_scores(
    density: Array, precision: Array, predicted: Array, group: Ints, draws: Array
) -> dict[str, Array]:
    """The scores in resamples of groups; the quartiles are those of each resample.

    Args:
        density: As for `density_scores` ``(N,)``.
        precision: The same.
        predicted: The same.
        group: Group of every sample, from 0 ``(N,)``.
        draws: How often each resample takes each group ``(R, G)``.

    Returns:
        Name → values ``(R,)``; nothing if no density is known.
    """
    known = ~np.isnan(density)
    if not known.any():
        return {}
    judged = known & ~np.isnan(precision)
    sparse, dense = _quarters(density[judged], precision[judged], group[judged], draws)
    return {
        "map_sparse": sparse,
        "map_dense": dense,
        "map_density_ratio": ratio(sparse, dense),
        "pred_density_r": _pearson(density[known], predicted[known], group[known], draws),
    }


def _quarters(density: Array, precision: Array, group: Ints, draws: Array) -> tuple[Array, Array]:
    """Mean precision of the sparsest and of the densest quarter ``(R,)``."""
    if not len(density):
        nothing = np.full(len(draws), math.nan)
        return nothing, nothing
    # Samples of one group and density stand together: the weeks of a cell do.
    keys, pair = np.unique(np.stack([density, group]), axis=1, return_inverse=True)
    samples, total = np.bincount(pair.reshape(-1)), np.bincount(pair.reshape(-1), precision)
    level = np.unique(keys[0], return_inverse=True)[1]
    found = []
    for weights in draws[:, keys[1].astype(np.int64)]:
        count = np.bincount(level, weights * samples).cumsum()
        precise = np.bincount(level, weights * total).cumsum()
        found.append(_ends(count, precise))
    sparse, dense = np.array(found).T
    return sparse, dense


def _ends(count: Array, total: Array) -> tuple[float, float]:
    """Means up to the first and from the third quartile, of sums up to each density ``(L,)``."""
    last = count[-1] - 1
    if last < 0:
        return math.nan, math.nan
    low = np.searchsorted(count, math.floor(0.25 * last), side="right")
    high = np.searchsorted(count, math.ceil(0.75 * last), side="right")
    fewer, less = (count[high - 1], total[high - 1]) if high else (0.0, 0.0)
    return total[low] / count[low], (total[-1] - less) / (count[-1] - fewer)


def _pearson(one: Array, other: Array, group: Ints, draws: Array) -> Array:
    """Pearson's correlation in every resample ``(R,)``; NaN where one of them is constant."""
    a, b = one - one.mean(), other - other.mean()
    terms = np.ones_like(a), a, b, a * a, b * b, a * b
    n, x, y, xx, yy, xy = (draws @ np.bincount(group, t, draws.shape[1]) for t in terms)
    with np.errstate(invalid="ignore", divide="ignore"):
        together, of_one, of_other = xy - x * y / n, xx - x * x / n, yy - y * y / n
    # What is constant has a variance of rounding errors.
    varies = (of_one > _ROUNDING * xx) & (of_other > _ROUNDING * yy)
    return ratio(together, np.sqrt(np.where(varies, of_one * of_other, 0)))
