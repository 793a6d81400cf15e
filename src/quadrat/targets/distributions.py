"""What a head says about a target: a point, or a normal distribution, and what that means in units.

A head gives parameters ``(B, T, P)`` on the standardised scale of a TargetScaler.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quadrat._registry import Registry
from quadrat.targets.transforms import TargetScaler

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float64]

LOG_VARIANCE_RANGE = (-8.0, 8.0)
"""Predicted log-variances are cut to this range: sigmas from 0.02 to 55 standard deviations."""

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
    """

    parameters: tuple[str, ...] = ("mean",)
    default_loss = "mse"

    def mean(self, parameters: Tensor) -> Tensor:
        """The mean on the standardised scale, ``(B, T, P) → (B, T)``."""
        return parameters[..., 0]

    def sigma(self, parameters: Tensor) -> Tensor | None:
        """The standard deviation on the standardised scale ``(B, T)``, or None."""
        return None

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

    def sigma(self, parameters: Tensor) -> Tensor:
        """The standard deviation on the standardised scale, ``(B, T)``."""
        return (0.5 * log_variance(parameters)).exp()

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
        given = np.asarray(parameters, dtype=np.float64)
        mu = given[..., 0]
        sigma = np.exp(0.5 * np.clip(given[..., 1], *LOG_VARIANCE_RANGE))
        z = NormalDist().inv_cdf(0.5 + level / 2)
        lower, upper = scaler.inverse(mu - z * sigma), scaler.inverse(mu + z * sigma)
        if scaler.transform_name == "none":
            return Prediction(scaler.inverse(mu), sigma * np.array(scaler.sd), lower, upper)
        mean, spread = _moments(mu, sigma, scaler)
        return Prediction(mean, spread, lower, upper)


DISTRIBUTIONS: Registry[Distribution] = Registry("distribution")
DISTRIBUTIONS.register("point", summary="one number a target")(Distribution())
DISTRIBUTIONS.register("gaussian", summary="mean and standard deviation a target")(Gaussian())


def log_variance(parameters: Tensor) -> Tensor:
    """The log-variance of Gaussian parameters ``(B, T, 2)``, cut to LOG_VARIANCE_RANGE."""
    return parameters[..., 1].clamp(*LOG_VARIANCE_RANGE)


def _moments(mu: Array, sigma: Array, scaler: TargetScaler) -> tuple[Array, Array]:
    weights = _NODE_WEIGHTS / np.sqrt(np.pi)
    mean = np.zeros_like(mu)
    for node, weight in zip(_NODES, weights, strict=True):
        mean += weight * scaler.inverse(mu + np.sqrt(2.0) * sigma * node)
    variance = np.zeros_like(mu)
    for node, weight in zip(_NODES, weights, strict=True):
        variance += weight * (scaler.inverse(mu + np.sqrt(2.0) * sigma * node) - mean) ** 2
    return mean, np.sqrt(variance)
