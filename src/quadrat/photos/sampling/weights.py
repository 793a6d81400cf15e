"""How often samples come, so that what is rare is seen as often as what is common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]

BINS = 10
"""Quantile bins of a target, as many as its values allow."""


def weights_by_class(values: Sequence[str | None] | NDArray[np.object_], power: float) -> Weights:
    """Weights that balance the values of a column: ``(N / n_c) ** power``.

    Args:
        values: Category of each sample ``(N,)``. A blank tells nothing of how rare its sample is,
            and has the mean weight.
        power: 0: all alike; 0.5: in between; 1: every category comes equally often.

    Returns:
        Weights with mean 1 ``(N,)``.
    """
    known = np.array([value is not None for value in values], dtype=bool)
    weights = np.ones(len(known))
    if known.any():
        names = np.array([str(value) for value in values if value is not None])
        _, place, counts = np.unique(names, return_inverse=True, return_counts=True)
        weights[known] = _with_mean_one((len(names) / counts[place]) ** power)
    return weights


def weights_by_target(target: NDArray[np.float64], power: float, *, bins: int = BINS) -> Weights:
    """Weights that even out the distribution of a target: ``density ** -power``.

    The density is that of a histogram over quantile bins, share over width: the bins of a long
    tail are wide, so its samples come more often. Equal quantiles are one; of many equal values,
    such as zeros, the bin is no narrower than that.

    Args:
        target: Of each sample ``(N,)``; NaN has the mean weight.
        power: 0: all alike; 0.5: in between; 1: equal intervals of the target come equally often.
        bins: Quantile bins, at least one.

    Returns:
        Weights with mean 1 ``(N,)``.
    """
    known = np.isfinite(target)
    weights = np.ones(len(target))
    values = target[known]
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1))) if len(values) else values
    if len(edges) < 2:
        return weights
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    counts = np.bincount(place, minlength=len(edges) - 1)
    density = counts / len(values) / np.diff(edges)
    weights[known] = _with_mean_one(density[place] ** -power)
    return weights


def _with_mean_one(weights: Weights) -> Weights:
    scaled: Weights = weights / weights.mean()
    return scaled
