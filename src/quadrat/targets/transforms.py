"""The scales on which continuous targets are learnt, and the way back to their units."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadrat._registry import Registry
from quadrat.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float64]

LARGEST_LOG = 80.0
"""Logarithms above are cut: e^80 is far beyond any quantity and still a 32-bit number."""
LARGEST_ROOT = 1e15
LEAST_POSITIVE = math.exp(-LARGEST_LOG)


@dataclass(frozen=True)
class Transform:
    """A monotone map of target values, in numpy and in torch.

    Attributes:
        lowest: The smallest value that may be transformed. The inverse never gives less.
        forward: Values ``(...)`` in the targets' units to the new scale.
        inverse: The way back, cut to what ``forward`` could have produced and to finite numbers.
        forward_torch: ``forward`` for tensors.
        inverse_torch: ``inverse`` for tensors. Where it cuts, its gradient is zero.
    """

    lowest: float
    forward: Callable[[Array], Array]
    inverse: Callable[[Array], Array]
    forward_torch: Callable[[Tensor], Tensor]
    inverse_torch: Callable[[Tensor], Tensor]


TRANSFORMS: Registry[Transform] = Registry("transform")

TRANSFORMS.register("none", summary="the targets as they are")(
    Transform(
        lowest=-np.inf,
        forward=lambda values: values,
        inverse=lambda values: values,
        forward_torch=lambda values: values,
        inverse_torch=lambda values: values,
    )
)
TRANSFORMS.register("log1p", summary="log(1 + x), for non-negative targets")(
    Transform(
        lowest=0.0,
        forward=np.log1p,
        inverse=lambda values: np.expm1(np.clip(values, 0.0, LARGEST_LOG)),
        forward_torch=lambda values: values.log1p(),
        inverse_torch=lambda values: values.clamp(0.0, LARGEST_LOG).expm1(),
    )
)
TRANSFORMS.register("log", summary="the natural logarithm, for positive targets")(
    Transform(
        lowest=LEAST_POSITIVE,
        forward=np.log,
        inverse=lambda values: np.exp(np.clip(values, -LARGEST_LOG, LARGEST_LOG)),
        forward_torch=lambda values: values.log(),
        inverse_torch=lambda values: values.clamp(-LARGEST_LOG, LARGEST_LOG).exp(),
    )
)
TRANSFORMS.register("sqrt", summary="the square root, for non-negative targets")(
    Transform(
        lowest=0.0,
        forward=np.sqrt,
        inverse=lambda values: np.square(np.clip(values, 0.0, LARGEST_ROOT)),
        forward_torch=lambda values: values.sqrt(),
        inverse_torch=lambda values: values.clamp(0.0, LARGEST_ROOT).square(),
    )
)


@dataclass(frozen=True)
class TargetScaler:
    """Transformed targets with mean 0 and standard deviation 1 over the training rows.

    Attributes:
        transform_name: Name of the transform.
        mean: Means of the transformed targets, one a target.
        sd: Their standard deviations (divided by n); 1 where a target is constant.
    """

    transform_name: str
    mean: tuple[float, ...]
    sd: tuple[float, ...]

    @classmethod
    def fit(
        cls, targets: ArrayLike, transform: str = "none", names: Sequence[str] | None = None
    ) -> TargetScaler:
        """Learns means and standard deviations from the known values.

        Args:
            targets: ``(N, T)`` in their units, NaN where unknown. Training rows only.
            transform: Name of the transform.
            names: Names of the targets, for error messages.

        Raises:
            DataError: A target is nowhere known, infinite, or below what the transform allows.
        """
        table = _table(targets)
        labels = (
            list(names) if names is not None else [f"target {i}" for i in range(table.shape[1])]
        )
        kind = TRANSFORMS[transform]
        unknown = [
            name for name, column in zip(labels, table.T, strict=True) if np.isnan(column).all()
        ]
        if unknown:
            raise DataError(
                f"no training row has a value of: {', '.join(unknown)}",
                fix="remove these targets, or check the table and its column names.",
            )
        _check_domain(table, transform, kind.lowest, labels)
        scaled = kind.forward(table)
        mean, sd = np.nanmean(scaled, axis=0), np.nanstd(scaled, axis=0)
        sd = np.where(sd > 1e-12 * np.maximum(np.abs(mean), 1.0), sd, 1.0)
        return cls(transform, tuple(mean.tolist()), tuple(sd.tolist()))

    def transform(self, targets: ArrayLike) -> Array:
        """Targets ``(N, T)`` in their units to standardised ones; NaN stays NaN.

        Raises:
            DataError: A value is infinite or below what the transform allows.
        """
        table, kind = _table(targets), TRANSFORMS[self.transform_name]
        labels = [f"target {i}" for i in range(table.shape[1])]
        _check_domain(table, self.transform_name, kind.lowest, labels)
        scaled: Array = (kind.forward(table) - np.array(self.mean)) / np.array(self.sd)
        return scaled

    def inverse(self, values: ArrayLike) -> Array:
        """Standardised values ``(..., T)`` back to the targets' units."""
        scaled = np.asarray(values, dtype=np.float64) * np.array(self.sd) + np.array(self.mean)
        return TRANSFORMS[self.transform_name].inverse(scaled)

    def inverse_torch(self, values: Tensor) -> Tensor:
        """Standardised values ``(..., T)`` back to the targets' units, with gradients."""
        scaled = values * values.new_tensor(self.sd) + values.new_tensor(self.mean)
        return TRANSFORMS[self.transform_name].inverse_torch(scaled)

    def to_json(self) -> dict[str, Any]:
        """The scaler as an object that JSON can hold."""
        return {"transform": self.transform_name, "mean": list(self.mean), "sd": list(self.sd)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TargetScaler:
        """The scaler that ``to_json`` wrote."""
        TRANSFORMS[data["transform"]]
        return cls(data["transform"], tuple(data["mean"]), tuple(data["sd"]))


def _table(targets: ArrayLike) -> Array:
    table = np.asarray(targets, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"targets must be (N, T), not {table.shape}")
    return table


def _check_domain(table: Array, transform: str, lowest: float, names: Sequence[str]) -> None:
    bad = np.argwhere((table < lowest) | np.isinf(table))
    if len(bad):
        allowed = "finite numbers" if lowest == -np.inf else f"finite numbers >= {lowest:g}"
        other = "loss.transform = 'none'"
        if lowest == LEAST_POSITIVE:
            allowed = "positive numbers"
            other = "head.distribution = 'gaussian' with loss.transform = 'log1p'"
        raise DataError(
            f"targets with the transform '{transform}' must be {allowed}",
            problems=[f"row {row}: {names[c]} = {table[row, c]:g}" for row, c in bad.tolist()],
            fix=f"correct these values, or set {other}.",
        )
