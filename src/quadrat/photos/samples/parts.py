"""Samples to learn from, with their groups, how much they count, and those of other data sets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadrat.photos.samples.loading import Samples, joined_samples


@dataclass(frozen=True)
class Part:
    """Samples to learn from, with their groups.

    Attributes:
        samples: N samples.
        groups: Group of each ``(N,)``, or None where samples stand for themselves.
        weights: How much each counts ``(N,)``, or None where all count alike.
        external: Samples of other data sets to learn from beside these.
    """

    samples: Samples
    groups: NDArray[np.str_] | None = None
    weights: NDArray[np.float64] | None = None
    external: Part | None = None

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def labels(self) -> NDArray[np.str_]:
        """Group of each sample ``(N,)``; one that stands for itself is its own."""
        return np.array(self.samples.ids, dtype=np.str_) if self.groups is None else self.groups

    @property
    def counts(self) -> NDArray[np.float64]:
        """How much each sample counts ``(N,)``."""
        return np.ones(len(self)) if self.weights is None else self.weights

    def take(self, index: ArrayLike) -> Part:
        """Some of the samples, by positions or a mask ``(N,)``."""
        places = np.arange(len(self))[np.asarray(index)]
        return Part(self.samples.take(places), self.labels[places], self.counts[places])

    def parted(self, parts: int) -> Part:
        """Each sample once for every part of its photos; as it is where there is one."""
        if parts == 1:
            return self
        return Part(
            self.samples.parted(parts),
            np.repeat(self.labels, parts),
            None if self.weights is None else np.repeat(self.weights, parts),
            None if self.external is None else self.external.parted(parts),
        )

    def joined(self) -> Part:
        """These samples with those of other data sets behind them, as one part."""
        return self if self.external is None else joined_parts([self, self.external])


def joined_parts(parts: list[Part]) -> Part:
    """Several parts as one, in this order; what lies beside them is left aside."""
    return Part(
        joined_samples([part.samples for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.counts for part in parts]),
    )
