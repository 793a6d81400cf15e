"""Losses from logits and sparse positives, by name.

A loss takes the logits ``(B, S)`` and the pairs that were seen; no dense target is ever made.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from quadrat._registry import Registry
from quadrat.occurrence.samples.batches import Positives
from quadrat.occurrence.schema import LossSection

SpeciesLoss = Callable[[Tensor, Positives, LossSection], Tensor]
"""From logits ``(B, S)`` and positives to the loss of each sample, a mean over species ``(B,)``."""

LOSSES: Registry[SpeciesLoss] = Registry("loss")


@LOSSES.register("bce", summary="binary cross-entropy; a species not recorded counts as absent")
def bce(logits: Tensor, positives: Positives, section: LossSection) -> Tensor:
    """Binary cross-entropy with label smoothing ε, from sparse positives.

    With smoothed labels ``y' = (1 - ε) y + ε / 2`` the sum over species is
    ``Σ softplus(z) - (1 - ε) Σ_{positives} z - ε / 2 Σ z``.

    Args:
        logits: z ``(B, S)``.
        positives: What was seen.
        section: Gives ``label_smoothing``.
    """
    logits = logits.float()
    smoothing = section.label_smoothing
    total = functional.softplus(logits).sum(dim=1)
    if smoothing:
        total = total - smoothing / 2 * logits.sum(dim=1)
    seen = logits[positives.rows, positives.columns]
    total = total.index_add(0, positives.rows, seen, alpha=-(1 - smoothing))
    return total / logits.shape[1]


def environment_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of each sample over what is known of its environment.

    Args:
        predicted: ``(B, E)``.
        target: ``(B, E)``, NaN where unknown.

    Returns:
        ``(B,)``; a sample of which nothing is known has no error.
    """
    known = ~target.isnan()
    error = torch.where(known, predicted.float() - target.nan_to_num(), 0.0).square()
    return error.sum(dim=1) / known.sum(dim=1).clamp(min=1)
