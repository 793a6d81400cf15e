"""Pure maths of continuous targets: scales, distributions and losses.

Only the losses need torch, and they are imported when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from quadrat.targets.covariance import error_covariance
from quadrat.targets.distributions import DISTRIBUTIONS, Distribution, Prediction
from quadrat.targets.transforms import TRANSFORMS, TargetScaler, Transform

if TYPE_CHECKING:
    from quadrat.targets.losses import LOSSES as LOSSES
    from quadrat.targets.losses import LossValues as LossValues
    from quadrat.targets.losses import TargetLoss as TargetLoss

_NEED_TORCH = ("LOSSES", "LossValues", "TargetLoss")

__all__ = [
    "DISTRIBUTIONS",
    "LOSSES",
    "TRANSFORMS",
    "Distribution",
    "LossValues",
    "Prediction",
    "TargetLoss",
    "TargetScaler",
    "Transform",
    "error_covariance",
]


def __getattr__(name: str) -> Any:
    if name in _NEED_TORCH:
        return getattr(importlib.import_module("quadrat.targets.losses"), name)
    raise AttributeError(f"module 'quadrat.targets' has no attribute '{name}'")
