"""Pure maths of continuous targets: scales, distributions and losses.

Only the losses need torch, and they are imported when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quadrat._lazy import lazy_exports
from quadrat.targets.covariance import error_covariance
from quadrat.targets.distributions import (
    DISTRIBUTIONS,
    Distribution,
    Prediction,
    make_distribution,
)
from quadrat.targets.transforms import TRANSFORMS, TargetScaler, Transform

if TYPE_CHECKING:
    from quadrat.targets.losses import LOSSES as LOSSES
    from quadrat.targets.losses import LossValues as LossValues
    from quadrat.targets.losses import Shape as Shape
    from quadrat.targets.losses import TargetLoss as TargetLoss

_NEED_TORCH = ("LOSSES", "LossValues", "Shape", "TargetLoss")

__all__ = [
    "DISTRIBUTIONS",
    "LOSSES",
    "TRANSFORMS",
    "Distribution",
    "LossValues",
    "Prediction",
    "Shape",
    "TargetLoss",
    "TargetScaler",
    "Transform",
    "error_covariance",
    "make_distribution",
]

__getattr__ = lazy_exports(__name__, dict.fromkeys(_NEED_TORCH, "quadrat.targets.losses"))
