"""What several members say of the same samples, made one answer: means, spreads, intervals.

The members' distributions are taken as a mixture. Its variance around the answer m follows the law
of total variance, ``σ² = Σ w_k (σ_k² + (μ_k - m)²)``: what the members are unsure of, and what they
disagree about, each counted once.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]

_HALVINGS = 60


class Said(NamedTuple):
    """What a member, or all together, say of N samples and T targets, each ``(N, T)``.

    Attributes:
        mean: The number that is scored.
        sigma: Standard deviation; NaN where none is told.
        lower: Lower end of the central interval; NaN where none is told.
        upper: Its upper end.
    """

    mean: Array
    sigma: Array
    lower: Array
    upper: Array


def pool(
    said: Sequence[Said],
    weights: Array,
    method: Literal["mean", "median", "weighted"] = "mean",
    *,
    level: float = 0.9,
) -> Said:
    """The answer of all members together.

    Args:
        said: One a member, at least one.
        weights: Weight of every member for every target, not negative ``(M, T)``; each target has
            a member that weighs more than 0.
        method: ``median``: the median of the members that weigh more than 0; otherwise the
            weighted mean.
        level: Probability inside the members' intervals, and inside the pooled one.

    Returns:
        Sigma and interval are NaN for the targets where a member that counts tells none.
    """
    shares = (weights / weights.sum(axis=0))[:, None, :]
    means = np.stack([one.mean for one in said])
    if method == "median":
        counted = np.where(shares > 0.0, means, np.nan)
        mean = np.asarray(np.nanmedian(counted, axis=0))
        shares = (shares > 0.0) / (shares > 0.0).sum(axis=0)
    else:
        mean = _average(means, shares)
    sigmas = np.stack([one.sigma for one in said])
    sigma = np.sqrt(_average(np.square(sigmas) + np.square(means - mean), shares))
    ends = _Ends(said, shares, level)
    tail = 0.5 * (1.0 - level)
    return Said(mean, sigma, ends.quantile(ends.lower, tail), ends.quantile(ends.upper, 1.0 - tail))


def _average(values: Array, shares: Array) -> Array:
    """The sum over members of share times value; a share of 0 hides what is not known."""
    average: Array = np.where(shares > 0.0, shares * values, 0.0).sum(axis=0)
    return average


class _Ends:
    """The mixture of the members' distributions, known by their means and intervals.

    A member is taken as two halves of normal distributions that meet at its mean, with the widths
    that its interval tells. So the mixture of equal members is the member, whatever has calibrated
    its interval.
    """

    def __init__(self, said: Sequence[Said], shares: Array, level: float) -> None:
        self.shares = shares
        self.lower = np.stack([one.lower for one in said])
        self.upper = np.stack([one.upper for one in said])
        means = np.stack([one.mean for one in said])
        self.centre = np.clip(means, self.lower, self.upper)
        reach = NormalDist().inv_cdf(0.5 + level / 2)
        tiny = np.finfo(np.float64).tiny
        self.below = np.maximum((self.centre - self.lower) / reach, tiny)
        self.above = np.maximum((self.upper - self.centre) / reach, tiny)

    def quantile(self, ends: Array, level: float) -> Array:
        """The value below which a share ``level`` of the mixture lies, by bisection.

        Args:
            ends: The members' quantiles at this level ``(M, N, T)``; the mixture's lies between
                the smallest and the largest of those that count.
            level: The share.
        """
        low: Array = np.where(self.shares > 0.0, ends, np.inf).min(axis=0)
        high: Array = np.where(self.shares > 0.0, ends, -np.inf).max(axis=0)
        if np.isnan(low).all():
            return low
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            enough = self._share_below(middle) >= level
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        return np.asarray(0.5 * (low + high))

    def _share_below(self, values: Array) -> Array:
        offset = values - self.centre
        with np.errstate(over="ignore"):  # an interval without width is a step
            standard = offset / np.where(offset < 0.0, self.below, self.above)
        return _average(ndtr(standard), self.shares)
