"""Stages of a curriculum: from simple to intricate, from small to large."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quadrat.errors import DataError

Stages = NDArray[np.int64]


def quantile_stages(values: NDArray[np.float64], stages: int, *, what: str) -> Stages:
    """Stages by the quantiles of a value: equally many samples each, the smallest first.

    Equal values belong to one stage. A sample without a value (NaN) belongs to the last: nothing
    says that it is easy.

    Args:
        values: Of each sample ``(N,)``.
        stages: How many.
        what: What the values are, for the message.

    Returns:
        The stage of each sample, from 0 ``(N,)``.

    Raises:
        DataError: A stage has no samples.
    """
    found = np.full(len(values), stages - 1, dtype=np.int64)
    known = np.isfinite(values)
    if known.any():
        inner = np.quantile(values[known], np.arange(1, stages) / stages)
        found[known] = np.searchsorted(inner, values[known], side="left")
    _refuse_empty(found, stages, what)
    return found


def fractal_stages(
    dimension: NDArray[np.float64], target: NDArray[np.float64], stages: int, *, name: str
) -> Stages:
    """Stages by the dimension of a photo and a target: simple pictures of little come first.

    Each sample has the mean of two ranks, that of its dimension and that of its target, so that
    neither scale matters; the stages are quantiles of that mean.

    Args:
        dimension: Box-counting dimension of each sample's photos ``(N,)``.
        target: Its target ``(N,)``; NaN puts it into the last stage.
        stages: How many.
        name: The target's name, for the message.

    Returns:
        The stage of each sample, from 0 ``(N,)``.

    Raises:
        DataError: A stage has no samples.
    """
    difficulty = 0.5 * (_ranks(dimension) + _ranks(target))
    return quantile_stages(difficulty, stages, what=f"fractal dimension and {name}")


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 0 to 1, the mean rank for equal values, NaN for NaN."""
    ranks = np.full(len(values), np.nan)
    known = np.isfinite(values)
    _, place, counts = np.unique(values[known], return_inverse=True, return_counts=True)
    last = counts.cumsum()
    middle = last - 0.5 * (counts + 1)
    ranks[known] = middle[place] / max(1, int(known.sum()) - 1)
    return ranks


def _refuse_empty(found: Stages, stages: int, what: str) -> None:
    counts = np.bincount(found, minlength=stages)
    if (counts == 0).any():
        listed = ", ".join(f"stage {place + 1}: {count}" for place, count in enumerate(counts))
        raise DataError(
            f"a stage of the curriculum by {what} has no samples.",
            [listed],
            fix="set curriculum.stages lower: many samples have equal values, or there are few.",
        )
