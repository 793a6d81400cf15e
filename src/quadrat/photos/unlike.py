"""How far samples are from those that a member learnt from, by what its encoder says of them.

The distance of a sample is that of its vector to its fifth nearest neighbour among the training
samples, both scaled to length one (Sun, Ming, Zhu and Li 2022, "Out-of-distribution detection with
deep nearest neighbors", ICML). It needs no assumption on how vectors spread, and a sample of the
training rows is enough to compare with.

It is told in units of a limit: the 99 % quantile of the same distance between training samples of
different groups. A sample's nearest neighbours in its own group (one paddock, one day) would make
every new place look unlike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

UNLIKE = 1.0
"""Distance above which a sample is unlike the training data: the limit itself."""
LIMIT_SHARE = 0.99
"""Share of the training samples that lie within the limit of other groups."""
_NEIGHBOUR = 5
_LARGEST = 1000
"""Training samples that are kept to compare with."""
_CHUNK = 4096


@dataclass(frozen=True)
class Likeness:
    """Training samples to compare with.

    Attributes:
        points: Their vectors, of length one ``(R, D)``, float32 rounded to half precision.
        neighbour: Which of the nearest ones counts; 1 is the nearest.
        limit: The distance that counts as 1.
    """

    points: NDArray[np.float32]
    neighbour: int
    limit: float

    @classmethod
    def fit(cls, vectors: NDArray[np.float32], groups: NDArray[np.str_]) -> Likeness | None:
        """Keeps training samples, and learns how far groups are from each other.

        Args:
            vectors: Of the training samples ``(N, D)``.
            groups: Group of each ``(N,)``.

        Returns:
            None where nothing can be compared: there is one group only, or all vectors are equal.
        """
        if len(vectors) > _LARGEST:
            kept = np.random.default_rng(0).choice(len(vectors), _LARGEST, replace=False)
            vectors, groups = vectors[kept], groups[kept]
        _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        others = len(vectors) - int(sizes.max(initial=0))
        if others == 0:
            return None
        points = _unit(vectors).astype(np.float16).astype(np.float32)
        away = _between(points, points)
        away[group[:, None] == group] = np.inf
        neighbour = min(_NEIGHBOUR, others)
        limit = float(np.quantile(_nearest(away, neighbour), LIMIT_SHARE))
        return cls(points, neighbour, limit) if limit > 0.0 else None

    def to_json(self) -> dict[str, Any]:
        """Everything but the points."""
        return {"neighbour": self.neighbour, "limit": self.limit}

    @classmethod
    def from_json(cls, points: NDArray[np.float32], values: Mapping[str, Any]) -> Likeness:
        """The inverse of `to_json`."""
        return cls(points, int(values["neighbour"]), float(values["limit"]))

    def distance(self, vectors: NDArray[np.float32]) -> Array:
        """How far samples are ``(N,)``; 1 is the limit.

        Args:
            vectors: What the encoder says of them ``(N, D)``.
        """
        units = _unit(vectors)
        parts = [
            _nearest(_between(units[first : first + _CHUNK], self.points), self.neighbour)
            for first in range(0, len(units), _CHUNK)
        ]
        found: Array = np.concatenate(parts) / self.limit if parts else np.zeros(0)
        return found


def mean_distance(distances: Sequence[Array | None]) -> Array | None:
    """The mean of what members say ``(N,)``; None where none knows its training samples.

    Args:
        distances: One a member, each ``(N,)`` or None.
    """
    known = [one for one in distances if one is not None]
    return np.asarray(np.mean(known, axis=0)) if known else None


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: NDArray[np.float32] = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return units


def _between(some: NDArray[np.float32], others: NDArray[np.float32]) -> Array:
    """Distances ``(N, R)`` between rows, in double precision: equal rows are 0 apart."""
    one, two = some.astype(np.float64), others.astype(np.float64)
    squares = np.square(one).sum(axis=1)[:, None] + np.square(two).sum(axis=1) - 2.0 * one @ two.T
    away: Array = np.sqrt(np.maximum(squares, 0.0))
    return away


def _nearest(away: Array, neighbour: int) -> Array:
    """The distance to the neighbour of this number, for every row of distances ``(N, R)``."""
    found: Array = np.partition(away, neighbour - 1, axis=1)[:, neighbour - 1]
    return found
