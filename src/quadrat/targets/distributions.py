"""What a head says about a target: a point or a distribution, and what that means in units.

A head gives parameters ``(B, T, P)`` on the standardised scale of a TargetScaler.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from quadrat._registry import Registry
from quadrat.targets.transforms import LARGEST_LOG, TargetScaler

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float64]

LOG_VARIANCE_RANGE = (-8.0, 8.0)
"""Predicted log-variances are cut to this range: sigmas from 0.02 to 55 standard deviations."""

QUANTILES = (0.05, 0.5, 0.95)
"""Levels of quantiles where none are chosen: a median and the ends of a 90 % interval."""

_NODES, _NODE_WEIGHTS = np.polynomial.hermite.hermgauss(64)


@dataclass(frozen=True)
class Prediction:
    """Predictions in the targets' units, each ``(N, T)``.

    Attributes:
        mean: The number that is scored.
        sigma: Standard deviation, where the head tells one.
        lower: Lower end of the central interval, with ``sigma``.
        upper: Its upper end.
    """

    mean: Array
    sigma: Array | None = None
    lower: Array | None = None
    upper: Array | None = None


class Distribution:
    """A point prediction; the base of the distributions.

    Attributes:
        parameters: Names of the P numbers that a head gives for a target.
        default_loss: The loss that trains all of them.
        transform: The scale that it is learnt on, where it has one of its own.
        tells_sigma: Whether it tells a standard deviation.
    """

    parameters: tuple[str, ...] = ("mean",)
    default_loss: ClassVar[str] = "mse"
    transform: ClassVar[str | None] = None
    tells_sigma: ClassVar[bool] = False

    def mean(self, parameters: Tensor) -> Tensor:
        """The mean on the standardised scale, ``(B, T, P) → (B, T)``."""
        return parameters[..., 0]

    def sigma(self, parameters: Tensor) -> Tensor | None:
        """The standard deviation on the standardised scale ``(B, T)``, or None."""
        return None

    def start(self, mean: Tensor, error: Tensor) -> Tensor:
        """The parameters to begin with, on the standardised scale, ``(B, T, P)``.

        Args:
            mean: What a linear map says ``(B, T)``.
            error: Its squared error on rows that it has not seen ``(T,)``.
        """
        return mean[..., None]

    def predict(self, parameters: Array, scaler: TargetScaler, level: float = 0.9) -> Prediction:
        """Parameters ``(N, T, P)`` to predictions in the targets' units.

        The mean is mapped back as it is: with a transform it is then a median-like number, the
        value whose transform was predicted.

        Args:
            parameters: As the head gave them.
            scaler: The scale that the targets were learnt on.
            level: Probability inside the interval (without effect on a point).
        """
        return Prediction(scaler.inverse(parameters[..., 0]))


class Gaussian(Distribution):
    """A normal distribution on the standardised scale, by mean and log-variance."""

    parameters = ("mean", "log_variance")
    default_loss = "nll"
    tells_sigma = True

    def sigma(self, parameters: Tensor) -> Tensor:
        """The standard deviation on the standardised scale, ``(B, T)``."""
        return (0.5 * log_variance(parameters)).exp()

    def start(self, mean: Tensor, error: Tensor) -> Tensor:
        """The linear map's mean, and its error as the variance."""
        import torch

        return torch.stack([mean, error.log().expand_as(mean)], dim=-1)

    def predict(self, parameters: Array, scaler: TargetScaler, level: float = 0.9) -> Prediction:
        """Parameters ``(N, T, P)`` to mean, sigma and a central interval in the targets' units.

        Without a transform the map is linear and all is exact. With one, mean and variance of the
        back-transformed variable g(Z) come from Gauss-Hermite quadrature with 64 nodes,
        ``E g(Z) = π^-½ Σ w_k g(μ + √2 s x_k)``. The ends of the interval are quantiles of Z
        mapped through the monotone g, so they are exact quantiles of g(Z).

        Args:
            parameters: As the head gave them.
            scaler: The scale that the targets were learnt on.
            level: Probability inside the interval.
        """
        mu, sigma = _normal(parameters)
        z = NormalDist().inv_cdf(0.5 + level / 2)
        lower, upper = scaler.inverse(mu - z * sigma), scaler.inverse(mu + z * sigma)
        if scaler.transform_name == "none":
            return Prediction(scaler.inverse(mu), sigma * np.array(scaler.sd), lower, upper)
        mean, spread = _moments(mu, sigma, scaler)
        return Prediction(mean, spread, lower, upper)


class LogNormal(Gaussian):
    """A log-normal distribution: the logarithm of the target is normal."""

    transform = "log"

    def predict(self, parameters: Array, scaler: TargetScaler, level: float = 0.9) -> Prediction:
        """Parameters ``(N, T, P)`` to mean, sigma and a central interval in the targets' units.

        With μ and s² of the logarithm the mean is ``exp(μ + s²/2)`` and the variance that squared
        times ``exp(s²) - 1``; quantiles are those of the logarithm, mapped back.

        Args:
            parameters: As the head gave them.
            scaler: The scale that the targets were learnt on, with the transform ``log``.
            level: Probability inside the interval.
        """
        mu, sigma = _normal(parameters)
        z = NormalDist().inv_cdf(0.5 + level / 2)
        lower, upper = scaler.inverse(mu - z * sigma), scaler.inverse(mu + z * sigma)
        variance = np.minimum(np.square(sigma * np.array(scaler.sd)), LARGEST_LOG)
        centre = mu * np.array(scaler.sd) + np.array(scaler.mean)
        mean = np.exp(np.minimum(centre + 0.5 * variance, LARGEST_LOG))
        return Prediction(mean, mean * np.sqrt(np.expm1(variance)), lower, upper)


@dataclass(frozen=True)
class Quantiles(Distribution):
    """Quantiles on the standardised scale, and nothing of a distribution between them.

    Attributes:
        levels: Their levels, ascending, with 0.5 among them.
    """

    levels: tuple[float, ...] = QUANTILES

    default_loss = "quantile"

    @property
    def parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the quantiles."""
        return tuple(f"q{level:g}" for level in self.levels)

    def mean(self, parameters: Tensor) -> Tensor:
        """The median on the standardised scale, ``(B, T, P) → (B, T)``."""
        return parameters[..., self.levels.index(0.5)]

    def start(self, mean: Tensor, error: Tensor) -> Tensor:
        """Quantiles of a normal distribution with the linear map's mean and error."""
        z = mean.new_tensor([NormalDist().inv_cdf(level) for level in self.levels])
        return mean[..., None] + error.sqrt()[:, None] * z

    def predict(self, parameters: Array, scaler: TargetScaler, level: float = 0.9) -> Prediction:
        """Parameters ``(N, T, P)`` to median and interval in the targets' units.

        Quantiles that cross are put in order, which brings none of them farther from the truth:
        Chernozhukov, Fernández-Val & Galichon (2010), Econometrica 78. The ends of the interval
        are interpolated between levels; beyond the outermost they are those.

        Args:
            parameters: As the head gave them.
            scaler: The scale that the targets were learnt on.
            level: Probability inside the interval.
        """
        ordered = np.sort(np.asarray(parameters, dtype=np.float64), axis=-1)
        median, lower, upper = (
            scaler.inverse(_between(ordered, self.levels, wanted))
            for wanted in (0.5, 0.5 - level / 2, 0.5 + level / 2)
        )
        return Prediction(median, None, lower, upper)


DISTRIBUTIONS: Registry[Distribution] = Registry("distribution")
DISTRIBUTIONS.register("point", summary="one number a target")(Distribution())
DISTRIBUTIONS.register("gaussian", summary="mean and standard deviation a target")(Gaussian())
DISTRIBUTIONS.register("lognormal", summary="the same of the target's logarithm")(LogNormal())
DISTRIBUTIONS.register("quantile", summary="quantiles of a target")(Quantiles())


def make_distribution(name: str, quantiles: tuple[float, ...] = ()) -> Distribution:
    """A distribution by its name.

    Args:
        name: The name.
        quantiles: Levels of ``quantile``; of no concern to the others.
    """
    known = DISTRIBUTIONS[name]
    return Quantiles(quantiles) if quantiles and isinstance(known, Quantiles) else known


def log_variance(parameters: Tensor) -> Tensor:
    """The log-variance of Gaussian parameters ``(B, T, 2)``, cut to LOG_VARIANCE_RANGE."""
    return parameters[..., 1].clamp(*LOG_VARIANCE_RANGE)


def _normal(parameters: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of Gaussian parameters ``(N, T, 2)``."""
    given = np.asarray(parameters, dtype=np.float64)
    return given[..., 0], np.exp(0.5 * np.clip(given[..., 1], *LOG_VARIANCE_RANGE))


def _between(quantiles: Array, levels: tuple[float, ...], wanted: float) -> Array:
    """The quantile at a level, interpolated, ``(N, T, P) → (N, T)``."""
    place = np.interp(wanted, levels, np.arange(len(levels)))
    low = int(place)
    share = place - low
    if share == 0.0:
        return quantiles[..., low]
    return (1.0 - share) * quantiles[..., low] + share * quantiles[..., low + 1]


def _moments(mu: Array, sigma: Array, scaler: TargetScaler) -> tuple[Array, Array]:
    weights = _NODE_WEIGHTS / np.sqrt(np.pi)
    mean = np.zeros_like(mu)
    for node, weight in zip(_NODES, weights, strict=True):
        mean += weight * scaler.inverse(mu + np.sqrt(2.0) * sigma * node)
    variance = np.zeros_like(mu)
    for node, weight in zip(_NODES, weights, strict=True):
        variance += weight * (scaler.inverse(mu + np.sqrt(2.0) * sigma * node) - mean) ** 2
    return mean, np.sqrt(variance)
