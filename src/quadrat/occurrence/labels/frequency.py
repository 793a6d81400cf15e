"""How common a species is where it lives, as a weight of its positives.

A count over the globe says more about where observers live than about the species. Within a region
of 30° × 60° the effort is about the same for all of its species, so their order can be trusted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quadrat.geo import wrap_lon
from quadrat.occurrence.labels.matrix import LabelMatrix
from quadrat.occurrence.schema.labels import FrequencyWeightSection
from quadrat.runtime.weeks import WEEKS

Floats = NDArray[np.float64]

_HEIGHT, _WIDTH = 30.0, 60.0
_LONE = 50.0
"""Percentile of the only species of a region: its order says nothing."""


def frequency_weights(
    labels: LabelMatrix, lat: Floats, lon: Floats, section: FrequencyWeightSection
) -> NDArray[np.float32]:
    """The weights of the species.

    The percentile of a species in a region is the share of the region's species that have fewer
    labels there, in percent; its greatest percentile over regions is mapped linearly, from
    ``pct_low`` → ``min`` to ``pct_high`` → 1.

    Args:
        labels: All weeks of the training cells, 48 rows a cell.
        lat: Latitudes of the cells in degrees ``(C,)``.
        lon: Longitudes in degrees ``(C,)``.
        section: The limits.

    Returns:
        Weights ``(S,)`` in [min, 1]; min where a species has no labels.
    """
    best = np.zeros(labels.columns)
    regions = _regions(lat, lon)
    for region in np.unique(regions):
        counts = _counts(labels, np.flatnonzero(regions == region))
        there = np.flatnonzero(counts)
        best[there] = np.maximum(best[there], _percentiles(counts[there]))
    share = (best - section.pct_low) / (section.pct_high - section.pct_low)
    weights = section.min + (1 - section.min) * np.clip(share, 0.0, 1.0)
    return weights.astype(np.float32)


def _regions(lat: Floats, lon: Floats) -> NDArray[np.int64]:
    row = np.clip((lat + 90) // _HEIGHT, 0, 180 / _HEIGHT - 1)
    column = (wrap_lon(lon) + 180) // _WIDTH
    return (row * (360 / _WIDTH) + column).astype(np.int64)


def _counts(labels: LabelMatrix, cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Labels of each species in some cells ``(S,)``."""
    rows = (cells[:, None] * WEEKS + np.arange(WEEKS)).ravel()
    return labels.rows(rows).counts()


def _percentiles(counts: NDArray[np.int64]) -> Floats:
    if len(counts) < 2:
        return np.full(len(counts), _LONE)
    fewer = np.searchsorted(np.sort(counts), counts, side="left")
    return np.asarray(100.0 * fewer / len(counts))
