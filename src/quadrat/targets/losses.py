"""Losses of continuous targets: unknown values are left out, and what is left is averaged."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from quadrat._registry import Registry
from quadrat.targets.distributions import log_variance

Pointwise = Callable[[Tensor, Tensor, float], Tensor]
"""Parameters ``(B, T, P)``, targets ``(B, T)`` and beta to losses ``(B, T)``."""


@dataclass(frozen=True)
class LossKind:
    """A loss by its formula for one value.

    Attributes:
        pointwise: The formula.
        parameters: P, how many parameters of a head it trains.
    """

    pointwise: Pointwise
    parameters: int


LOSSES: Registry[LossKind] = Registry("loss")


class LossValues(NamedTuple):
    """A batch's loss.

    Attributes:
        total: The scalar to minimise, with its gradient.
        per_sample: Weighted mean over the known targets of every sample ``(B,)``, detached; 0
            where a sample has none. It tells which samples made a loss that is not finite.
    """

    total: Tensor
    per_sample: Tensor


class TargetLoss:
    """A loss over targets, some of them unknown.

    With the losses l of single values, the weights v of samples and w of targets, the total is
    ``Σ v_b w_t l_bt / Σ v_b w_t`` over the known pairs (b, t) of the batch: a missing value leaves
    both sums, so it does not shrink the gradient of the others. A batch without known values has
    total 0.

    Args:
        kind: Name of the loss.
        weights: Weight of every target, T numbers.
        beta: Where the Huber loss turns from a square into a line, on the scale of the targets.
    """

    def __init__(self, kind: str, weights: Sequence[float], beta: float = 1.0) -> None:
        self.kind = LOSSES[kind]
        self.weights = torch.tensor(list(weights), dtype=torch.float32)
        self.beta = beta
        if not bool((self.weights >= 0).all()) or not float(self.weights.sum()) > 0:
            raise ValueError(f"target weights must be >= 0 and not all 0, not {list(weights)}")

    def __call__(
        self, parameters: Tensor, targets: Tensor, sample_weights: Tensor | None = None
    ) -> LossValues:
        """The loss of a batch.

        Args:
            parameters: What the head gave, ``(B, T, P)``.
            targets: Standardised targets ``(B, T)``, NaN where unknown.
            sample_weights: Weight of every sample, ``(B,)``.
        """
        if parameters.shape != (*targets.shape, self.kind.parameters):
            raise ValueError(
                f"the loss needs parameters {(*targets.shape, self.kind.parameters)}, "
                f"not {tuple(parameters.shape)}"
            )
        if parameters.dtype in (torch.float16, torch.bfloat16):
            parameters = parameters.float()
        targets = targets.to(parameters.dtype)
        known = ~targets.isnan()
        losses = self.kind.pointwise(parameters, targets.nan_to_num(nan=0.0), self.beta)
        self.weights = self.weights.to(parameters.device)
        weights = known * self.weights.to(parameters.dtype)
        if sample_weights is not None:
            weights = weights * sample_weights.to(parameters.dtype)[:, None]
        # where, not a product: 0 · inf of an unknown value would be NaN
        weighted = torch.where(known, weights * losses, losses.new_zeros(()))
        total = weighted.sum() / _divisor(weights.sum())
        per_sample = weighted.detach().sum(dim=1) / _divisor(weights.sum(dim=1))
        return LossValues(total, per_sample)


def _divisor(sums: Tensor) -> Tensor:
    return torch.where(sums > 0, sums, torch.ones_like(sums))


def _mse(parameters: Tensor, targets: Tensor, beta: float) -> Tensor:
    return (parameters[..., 0] - targets).square()


def _mae(parameters: Tensor, targets: Tensor, beta: float) -> Tensor:
    return (parameters[..., 0] - targets).abs()


def _huber(parameters: Tensor, targets: Tensor, beta: float) -> Tensor:
    error = (parameters[..., 0] - targets).abs()
    return torch.where(error < beta, 0.5 * error.square() / beta, error - 0.5 * beta)


def _nll(parameters: Tensor, targets: Tensor, beta: float) -> Tensor:
    log_var = log_variance(parameters)
    squared = (parameters[..., 0] - targets).square()
    return 0.5 * (log_var + squared * (-log_var).exp() + math.log(2.0 * math.pi))


LOSSES.register("mse", summary="(m - y)²")(LossKind(_mse, 1))
LOSSES.register("mae", summary="|m - y|")(LossKind(_mae, 1))
LOSSES.register(
    "huber", summary="(m - y)² / 2β below β, |m - y| - β/2 above (Huber 1964; smooth L1)"
)(LossKind(_huber, 1))
LOSSES.register("nll", summary="-log N(y; m, s²), the Gaussian likelihood")(LossKind(_nll, 2))
