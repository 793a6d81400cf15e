"""What a photos model says: predictions with and without balance, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.photos.unlike import UNLIKE
from quadrat.targets import Distribution, Prediction, TargetScaler
from quadrat.targets.distributions import LOG_VARIANCE_RANGE

Array = NDArray[np.float64]

LEVEL = 0.9
"""Probability inside the intervals."""
_HALVINGS = 50


@dataclass(frozen=True)
class Predictions:
    """Predictions of N samples and T targets, in the targets' units.

    Attributes:
        ids: Names of the samples ``(N,)``.
        targets: Names of the targets ``(T,)``.
        raw: As the model says them ``(N, T)``.
        balanced: After the balance: they obey every identity and are not negative ``(N, T)``.
        sigma: Standard deviations ``(N, T)``; NaN where the head tells none.
        lower: Lower ends of the 90 % intervals ``(N, T)``.
        upper: Their upper ends.
        distance: How far each sample is from the training data ``(N,)``; beyond 1 it is unlike
            them, see `quadrat.photos.unlike`. None where the model does not know them.
    """

    ids: tuple[str, ...]
    targets: tuple[str, ...]
    raw: Array
    balanced: Array
    sigma: Array
    lower: Array
    upper: Array
    distance: Array | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def frame(self, *, wide: bool = False) -> pl.DataFrame:
        """The predictions as a table, float64.

        Args:
            wide: False: a row a sample and target, with columns sample, target, raw, balanced,
                sigma, lower, upper, distance and unlike. True: a row a sample, with a column of
                balanced values a target, then distance and unlike. The last two are NaN and null
                where the model does not know its training data.
        """
        away = np.full(len(self), np.nan) if self.distance is None else self.distance
        if wide:
            values = pl.DataFrame(self.balanced, schema=list(self.targets), orient="row")
            values.insert_column(0, pl.Series("sample", self.ids, dtype=pl.String))
            return _with_unlike(values, away)
        count, targets = len(self.ids), len(self.targets)
        names = ("raw", "balanced", "sigma", "lower", "upper")
        frame = pl.DataFrame(
            {
                "sample": np.repeat(np.array(self.ids, dtype=object), targets),
                "target": np.tile(np.array(self.targets, dtype=object), count),
                **{name: getattr(self, name).ravel() for name in names},
            },
            schema_overrides={"sample": pl.String, "target": pl.String},
        )
        return _with_unlike(frame, np.repeat(away, targets))


def _with_unlike(frame: pl.DataFrame, away: Array) -> pl.DataFrame:
    """A table with the distance of each row, and whether it is beyond the limit."""
    distance = pl.col("distance")
    unlike = pl.when(distance.is_not_nan()).then(distance > UNLIKE).alias("unlike")
    return frame.with_columns(distance=away).with_columns(unlike)


class Answer(NamedTuple):
    """What one member says about N samples.

    Attributes:
        parameters: As its head gives them ``(N, T, P)``.
        scaler: The scale that they are on.
        floor: Smallest value of every target ``(T,)``; minus infinity where there is none.
        distribution: What the parameters mean.
        distance: How far the samples are from those that it learnt from ``(N,)``; as in
            `Predictions`.
        parts: How many rows of the parameters follow each other for one sample, whose amounts are
            added up: ``(N · parts, T, P)``.
    """

    parameters: Array
    scaler: TargetScaler
    floor: Array
    distribution: Distribution
    distance: Array | None = None
    parts: int = 1

    def prediction(self) -> Prediction:
        """The answer in the targets' units."""
        given = self.distribution.predict(self.parameters, self.scaler, LEVEL)
        lower, upper = (
            None if end is None else np.maximum(end, self.floor)
            for end in (given.lower, given.upper)
        )
        mean = np.maximum(given.mean, self.floor)
        if self.parts > 1:  # they tell amounts and nothing else
            return Prediction(mean.reshape(-1, self.parts, mean.shape[1]).sum(axis=1))
        return Prediction(mean, given.sigma, lower, upper)


def pool(answers: Sequence[Answer]) -> Prediction:
    """What several members say together: the mixture of their distributions.

    The mean is the mean of the means; the variance follows the law of total variance,
    ``σ² = mean(σ_k²) + var(μ_k)``; the ends of the interval are quantiles of the mixture. Where
    members tell quantiles and no distribution, these are averaged (Ratcliff 1979, Psychological
    Bulletin 86).

    Args:
        answers: One a member, at least one, about the same samples.
    """
    each = [answer.prediction() for answer in answers]
    means = np.stack([prediction.mean for prediction in each])
    mean = means.mean(axis=0)
    sigmas = [p.sigma for p in each if p.sigma is not None]
    ends = [(p.lower, p.upper) for p in each if p.lower is not None and p.upper is not None]
    if len(each) == 1 or not ends:
        return each[0] if len(each) == 1 else Prediction(mean)
    lowers, uppers = (np.stack(end) for end in zip(*ends, strict=True))
    if not sigmas:
        return Prediction(mean, None, lowers.mean(axis=0), uppers.mean(axis=0))
    sigma = np.sqrt(np.mean(np.square(sigmas), axis=0) + means.var(axis=0))
    tail = 0.5 * (1.0 - LEVEL)
    lower = _mixture_quantile(answers, tail, lowers.min(axis=0), lowers.max(axis=0))
    upper = _mixture_quantile(answers, 1.0 - tail, uppers.min(axis=0), uppers.max(axis=0))
    return Prediction(mean, sigma, lower, upper)


def _mixture_quantile(answers: Sequence[Answer], level: float, low: Array, high: Array) -> Array:
    """The value below which a share ``level`` of the mixture lies, by bisection.

    Args:
        answers: The members, each normal on its own scale.
        level: The share.
        low: The smallest of the members' quantiles at this level ``(N, T)``.
        high: The largest; the mixture's lies between them.
    """
    from scipy.special import ndtr  # a tenth of a second to import, only where it is used

    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        below = np.zeros_like(middle)
        for answer in answers:
            mu = answer.parameters[..., 0]
            sd = np.exp(0.5 * np.clip(answer.parameters[..., 1], *LOG_VARIANCE_RANGE))
            below += ndtr((answer.scaler.transform(middle) - mu) / sd)
        enough = below >= level * len(answers)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return 0.5 * (low + high)
