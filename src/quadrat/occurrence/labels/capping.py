"""Fewer labels of species that are recorded everywhere, so that they do not rule the loss."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from quadrat.occurrence.labels.matrix import LabelMatrix

Counts = NDArray[np.int64]

_LABELS_AT_ONCE = 4_000_000


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
    for species in _batches(np.flatnonzero(surplus), counts):
        for own in _places(labels, species):
            kept[own] = False
            kept[own[rng.choice(len(own), most, replace=False, shuffle=False)]] = True
    return labels.where(kept), surplus


def _batches(species: Counts, counts: Counts) -> Iterator[Counts]:
    """Runs of species with few enough labels to be sorted at once."""
    number = np.cumsum(counts[species]) // _LABELS_AT_ONCE
    yield from np.split(species, np.flatnonzero(np.diff(number)) + 1)


def _places(labels: LabelMatrix, species: Counts) -> Iterator[Counts]:
    """The positions of each species' positives."""
    wanted = np.zeros(labels.columns, dtype=bool)
    wanted[species] = True
    chosen = np.flatnonzero(wanted[labels.indices])
    row = (chosen, labels.indices[chosen], np.array([0, len(chosen)]))
    by_column = sparse.csr_array(row, shape=(1, labels.columns)).tocsc()
    for column in species:
        yield by_column.data[by_column.indptr[column] : by_column.indptr[column + 1]]
