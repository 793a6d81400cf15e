"""Losses of continuous targets: unknown values are left out, and what is left is averaged."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from quadrat._registry import Registry
from quadrat.targets.distributions import QUANTILES, log_variance

LEAST = 1e-6
"""Smallest amount, in standard deviations, whose power is taken, and smallest weight of an error:
at 0 some powers have no finite slope."""


@dataclass(frozen=True)
class Shape:
    """What the formulas of some losses take besides parameters and targets.

    Attributes:
        beta: huber: where the square becomes a line; focal: the error that weighs 1; both on the
            scale of the targets.
        gamma: focal: power of the weight.
        power: tweedie: p, between 1 and 2.
        quantiles: quantile: the levels of the parameters.
        zero: tweedie: what no amount is on the scale of the targets (T).
    """

    beta: float = 1.0
    gamma: float = 1.0
    power: float = 1.5
    quantiles: tuple[float, ...] = QUANTILES
    zero: tuple[float, ...] = (0.0,)


Pointwise = Callable[[Tensor, Tensor, Shape], Tensor]
"""Parameters ``(B, T, P)``, targets ``(B, T)`` and shape to losses ``(B, T)``."""


@dataclass(frozen=True)
class LossKind:
    """A loss by its formula for one value.

    Attributes:
        pointwise: The formula.
        parameters: P, how many parameters of a head it trains; None: one a quantile.
    """

    pointwise: Pointwise
    parameters: int | None


LOSSES: Registry[LossKind] = Registry("loss")


class LossValues(NamedTuple):
    """A batch's loss.

    Attributes:
        total: The scalar to minimise, with its gradient.
        per_sample: Weighted mean over the known targets of every sample ``(B,)``, detached; 0
            where a sample has none. It tells which samples made a loss that is not finite.
        per_target: Mean over the known values of every target ``(T,)``, with its gradient; 0 where
            there are none.
        known: Which targets have known values ``(T,)``.
    """

    total: Tensor
    per_sample: Tensor
    per_target: Tensor
    known: Tensor


class TargetLoss:
    """A loss over targets, some of them unknown.

    With the losses l of single values, the weights v of samples and w of targets, the total is
    ``Σ v_b w_t l_bt / Σ v_b w_t`` over the known pairs (b, t) of the batch: a missing value leaves
    both sums, so it does not shrink the gradient of the others. A batch without known values has
    total 0.

    Args:
        kind: Name of the loss.
        weights: Weight of every target, T numbers.
        shape: What its formula takes besides.
    """

    def __init__(self, kind: str, weights: Sequence[float], shape: Shape | None = None) -> None:
        self.kind = LOSSES[kind]
        self.weights = torch.tensor(list(weights), dtype=torch.float32)
        self.shape = shape or Shape()
        if not bool((self.weights >= 0).all()) or not float(self.weights.sum()) > 0:
            raise ValueError(f"target weights must be >= 0 and not all 0, not {list(weights)}")

    @property
    def parameters(self) -> int:
        """P, how many parameters of a target it trains."""
        return self.kind.parameters or len(self.shape.quantiles)

    def __call__(
        self, parameters: Tensor, targets: Tensor, sample_weights: Tensor | None = None
    ) -> LossValues:
        """The loss of a batch.

        Args:
            parameters: What the head gave, ``(B, T, P)``.
            targets: Standardised targets ``(B, T)``, NaN where unknown.
            sample_weights: Weight of every sample, ``(B,)``.
        """
        if parameters.shape != (*targets.shape, self.parameters):
            raise ValueError(
                f"the loss needs parameters {(*targets.shape, self.parameters)}, "
                f"not {tuple(parameters.shape)}"
            )
        if parameters.dtype in (torch.float16, torch.bfloat16):
            parameters = parameters.float()
        targets = targets.to(parameters.dtype)
        known = ~targets.isnan()
        losses = self.kind.pointwise(parameters, targets.nan_to_num(nan=0.0), self.shape)
        # where, not a product: 0 · inf of an unknown value would be NaN
        losses = torch.where(known, losses, losses.new_zeros(()))
        rows = known.to(parameters.dtype)
        if sample_weights is not None:
            rows = rows * sample_weights.to(parameters.dtype)[:, None]
        self.weights = self.weights.to(parameters.device)
        weights = rows * self.weights.to(parameters.dtype)
        weighted = torch.where(known, weights * losses, losses.new_zeros(()))
        counts = rows.sum(dim=0)
        return LossValues(
            total=weighted.sum() / _divisor(weights.sum()),
            per_sample=weighted.detach().sum(dim=1) / _divisor(weights.sum(dim=1)),
            per_target=(rows * losses).sum(dim=0) / _divisor(counts),
            known=counts > 0,
        )


def _divisor(sums: Tensor) -> Tensor:
    return torch.where(sums > 0, sums, torch.ones_like(sums))


def _mse(parameters: Tensor, targets: Tensor, shape: Shape) -> Tensor:
    return (parameters[..., 0] - targets).square()


def _mae(parameters: Tensor, targets: Tensor, shape: Shape) -> Tensor:
    return (parameters[..., 0] - targets).abs()


def _huber(parameters: Tensor, targets: Tensor, shape: Shape) -> Tensor:
    error, beta = (parameters[..., 0] - targets).abs(), shape.beta
    return torch.where(error < beta, 0.5 * error.square() / beta, error - 0.5 * beta)


def _focal(parameters: Tensor, targets: Tensor, shape: Shape) -> Tensor:
    error = parameters[..., 0] - targets
    weight = (error.abs() / shape.beta).clamp(LEAST, 1.0).pow(shape.gamma)
    return weight * error.square()


def _tweedie(parameters: Tensor, targets: Tensor, shape: Shape) -> Tensor:
    p, zero = shape.power, targets.new_tensor(shape.zero)
    mu = (parameters[..., 0] - zero).clamp_min(LEAST)
    y = (targets - zero).clamp_min(0.0)
    known = y.pow(2.0 - p) / ((1.0 - p) * (2.0 - p))
    return 2.0 * (known - y * mu.pow(1.0 - p) / (1.0 - p) + mu.pow(2.0 - p) / (2.0 - p))


def _quantile(parameters: Tensor, targets: Tensor, shape: Shape) -> Tensor:
    levels = parameters.new_tensor(shape.quantiles)
    above = targets[..., None] - parameters
    return torch.maximum(levels * above, (levels - 1.0) * above).mean(dim=-1)


def _nll(parameters: Tensor, targets: Tensor, shape: Shape) -> Tensor:
    log_var = log_variance(parameters)
    squared = (parameters[..., 0] - targets).square()
    return 0.5 * (log_var + squared * (-log_var).exp() + math.log(2.0 * math.pi))


def _crps(parameters: Tensor, targets: Tensor, shape: Shape) -> Tensor:
    sigma = (0.5 * log_variance(parameters)).exp()
    z = (targets - parameters[..., 0]) / sigma
    density = (-0.5 * z.square()).exp() / math.sqrt(2.0 * math.pi)
    inside = torch.erf(z / math.sqrt(2.0))  # 2 Φ(z) - 1
    return sigma * (z * inside + 2.0 * density - 1.0 / math.sqrt(math.pi))


LOSSES.register("mse", summary="(m - y)²")(LossKind(_mse, 1))
LOSSES.register("mae", summary="|m - y|")(LossKind(_mae, 1))
LOSSES.register(
    "huber", summary="(m - y)² / 2β below β, |m - y| - β/2 above (Huber 1964; smooth L1)"
)(LossKind(_huber, 1))
LOSSES.register(
    "focal", summary="min(1, |m - y| / β)^γ (m - y)², small errors weigh less (Yang et al. 2021)"
)(LossKind(_focal, 1))
LOSSES.register(
    "tweedie", summary="the deviance of amounts with exact zeros, 1 < p < 2 (Jørgensen 1987)"
)(LossKind(_tweedie, 1))
LOSSES.register(
    "quantile", summary="max(q (y - m), (q - 1)(y - m)), mean over q (Koenker & Bassett 1978)"
)(LossKind(_quantile, None))
LOSSES.register("nll", summary="-log N(y; m, s²), the Gaussian likelihood")(LossKind(_nll, 2))
LOSSES.register(
    "crps", summary="∫ (Φ((x - m) / s) - [x ≥ y])² dx, closed form (Gneiting & Raftery 2007)"
)(LossKind(_crps, 2))
