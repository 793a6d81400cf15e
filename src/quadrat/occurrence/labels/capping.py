"""Fewer labels of species that are recorded everywhere, so that they do not rule the loss."""

from __future__ import annotations

from collections.abc import Iterator

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
    counts = labels.counts()
    surplus = np.maximum(counts - most, 0)
    if not surplus.any():
        return labels, surplus
    kept = np.ones(labels.positives, dtype=bool)
    rng = np.random.default_rng(seed)
    for own in _places(labels, counts):
        if len(own) > most:
            kept[own] = False
            kept[own[rng.choice(len(own), most, replace=False, shuffle=False)]] = True
    return labels.where(kept), surplus


def _places(labels: LabelMatrix, counts: Counts) -> Iterator[Counts]:
    """The positions of the positives of one species after the other."""
    # Numbers of 16 bits are sorted by their digits, in a time linear in how many there are.
    short = labels.columns <= np.iinfo(np.uint16).max
    order = np.argsort(labels.indices.astype(np.uint16 if short else np.int32), kind="stable")
    yield from np.split(order, np.cumsum(counts)[:-1])
