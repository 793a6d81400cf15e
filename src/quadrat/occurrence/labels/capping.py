"""Fewer labels of species that are recorded everywhere, so that they do not rule the loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quadrat.occurrence.labels.matrix import LabelMatrix

Counts = NDArray[np.int64]


def cap_observations(
    labels: LabelMatrix, most: int, seed: int | tuple[int, ...]
) -> tuple[LabelMatrix, Counts]:
    """Drops random labels of every species that has too many; samples stay.

    Args:
        labels: The labels of training samples.
        most: Labels that a species keeps.
        seed: Of the draw.

    Returns:
        The labels that are left, and how many each species lost ``(columns,)``.
    """
    from quadrat.kernels.species_lists import kept_at_most

    counts = labels.counts()
    surplus = np.maximum(counts - most, 0)
    if not surplus.any():
        return labels, surplus
    kept = kept_at_most(labels.indices, counts, most, np.random.default_rng(seed))
    return labels.where(kept), surplus
