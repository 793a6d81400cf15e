"""From what a depth network says to numbers around 0, in a way that all photos share or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from quadrat.errors import DataError

ScaleKind = Literal["dataset", "metric", "image"]

METRES = 2.0
"""What one unit of a metric map is: about the distance from a raised camera to the ground."""


@dataclass(frozen=True)
class DepthScale:
    """How depth maps are scaled: ``(map - mean) / sd``, or each by its own lowest and highest.

    Attributes:
        kind: ``dataset``: mean and sd over all pixels of the training photos. ``metric``: metres
            divided by `METRES`. ``image``: from 0 to 1 within every photo; the height of the
            vegetation as such is lost, and only its relief is left.
        mean: What is taken off.
        sd: What is divided by.
    """

    kind: ScaleKind
    mean: float = 0.0
    sd: float = 1.0

    @classmethod
    def fit(cls, kind: ScaleKind, maps: NDArray[np.floating[Any]]) -> Self:
        """Learns what the kind needs.

        Args:
            kind: See the attributes.
            maps: Of the training photos ``(V, S, S)``, as the network says them.

        Raises:
            DataError: All pixels of the training photos are alike.
        """
        if kind == "metric":
            return cls(kind, 0.0, METRES)
        if kind == "image":
            return cls(kind)
        mean, sd = _moments(maps)
        if sd <= 0.0:
            raise DataError(
                f"the depth maps of the training photos say {mean:g} everywhere.",
                fix="use a depth.model with trained weights.",
            )
        return cls(kind, mean, sd)

    def apply(self, maps: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Scales maps ``(V, S, S)``; one that is flat becomes 0 with ``image``."""
        values = maps.astype(np.float32)
        if self.kind != "image":
            return (values - np.float32(self.mean)) / np.float32(self.sd)
        low = values.min(axis=(1, 2), keepdims=True, initial=np.inf)
        span = values.max(axis=(1, 2), keepdims=True, initial=-np.inf) - low
        scaled: NDArray[np.float32] = (values - low) / np.where(span > 0.0, span, np.float32(1.0))
        return scaled

    def to_json(self) -> dict[str, Any]:
        """The values as JSON holds them."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(**values)


def _moments(maps: NDArray[np.floating[Any]]) -> tuple[float, float]:
    """Mean and standard deviation over all pixels, in double precision, map by map."""
    means = np.array([depth.mean(dtype=np.float64) for depth in maps])
    mean = float(means.mean())
    squares = [((depth.astype(np.float64) - mean) ** 2).mean() for depth in maps]
    return mean, float(np.sqrt(np.mean(squares)))
