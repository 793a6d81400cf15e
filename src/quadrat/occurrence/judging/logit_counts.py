"""Logits of samples × species as counts: all that calibration and thresholds need to know.

A probability curve or a threshold depends on how many samples had a logit of about that size, and
in how many of them the species was there. Logits are counted in steps of 1/8, a tenth of their
odds; species by folds by 192 steps are a few dozen megabytes, whatever the number of samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from quadrat.occurrence.labels.matrix import LabelMatrix

LOWEST, STEPS_PER_UNIT, STEPS = -16.0, 8, 192
"""Logits from -16 to 8; those beyond count with the outermost step."""

EDGES = LOWEST + np.arange(STEPS) / STEPS_PER_UNIT
"""Lower edges of the steps ``(K,)``."""
CENTRES = EDGES + 0.5 / STEPS_PER_UNIT

_CHUNK_VALUES = 16_000_000
"""Logits that are held at a time."""

Counts = NDArray[np.float32]


@dataclass(frozen=True)
class LogitCounts:
    """How often logits of a size occur, by species.

    Args:
        samples: Samples with a logit of a step ``(..., S, K)``.
        seen: Those of them in which the species was seen, the same shape.
    """

    samples: Counts
    seen: Counts

    def __getitem__(self, index: int | slice | NDArray[np.int64]) -> LogitCounts:
        return LogitCounts(self.samples[index], self.seen[index])

    def total(self) -> LogitCounts:
        """Over the first axis."""
        return LogitCounts(self.samples.sum(axis=0), self.seen.sum(axis=0))

    def without(self, fold: int) -> LogitCounts:
        """All folds but one, of counts ``(F, S, K)``."""
        return self[np.delete(np.arange(len(self.samples)), fold)].total()

    def mapped(self, slope: NDArray[np.floating], offset: NDArray[np.floating]) -> LogitCounts:
        """The counts ``(S, K)`` of the logits ``a z + b``, to half a step."""
        logits = slope[:, None] * CENTRES + offset[:, None]
        keys = (steps(logits) + np.arange(len(slope))[:, None] * STEPS).ravel()
        moved = (
            np.bincount(keys, counts.ravel(), counts.size).reshape(counts.shape).astype(np.float32)
            for counts in (self.samples, self.seen)
        )
        return LogitCounts(*moved)


def steps(logits: NDArray[np.floating]) -> NDArray[np.int64]:
    """The step of each logit."""
    scaled = (logits - LOWEST) * STEPS_PER_UNIT
    return np.asarray(np.clip(scaled, 0, STEPS - 1), np.int64)


def count_logits(
    logits: Callable[[slice], Tensor], labels: LabelMatrix, folds: NDArray[np.int64]
) -> LogitCounts:
    """Counts logits, some species at a time over all samples.

    Args:
        logits: Gives the logits of some species in every sample ``(N, columns)``.
        labels: What was seen ``(N, S)``.
        folds: Fold of every sample ``(N,)``, from 0.

    Returns:
        Counts by fold, species and step ``(F, S, K)``.
    """
    count, species, parts = len(labels), labels.columns, int(folds.max(initial=0)) + 1
    order = np.argsort(labels.indices, kind="stable")
    rows, columns = labels.row_of_positives()[order], labels.indices[order]
    bounds = np.concatenate([[0], np.cumsum(labels.counts())])
    samples, seen = (np.zeros((parts, species, STEPS), np.float32) for _ in range(2))
    width = max(1, _CHUNK_VALUES // max(1, count))
    for first in range(0, species, width):
        last = min(species, first + width)
        table = logits(slice(first, last)).float().cpu().numpy()
        keys = steps(table)
        keys += (np.arange(last - first) + folds[:, None] * (last - first)) * STEPS
        part = slice(bounds[first], bounds[last])
        present = keys[rows[part], columns[part] - first]
        shape = (parts, last - first, STEPS)
        for found, chosen in ((samples, keys.ravel()), (seen, present)):
            counted = np.bincount(chosen, minlength=parts * (last - first) * STEPS)
            found[:, first:last] = counted.reshape(shape)
    return LogitCounts(samples, seen)
