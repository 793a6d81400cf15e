"""How far the predicted environment is from the measured one."""

from __future__ import annotations

import torch
from torch import Tensor


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
