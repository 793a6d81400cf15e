"""Labels that sparse samples take over from places nearby with a similar environment.

Where few people look, a species that lives is recorded as absent. A sparse sample therefore takes
over the species of the most similar well-observed cells of the same week, as far as each species'
own range makes it likely. This is for training samples only, and from training samples only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

from quadrat.geo import chord, unit_vectors
from quadrat.occurrence.labels.matrix import LabelMatrix
from quadrat.occurrence.labels.ranges import Reach, range_radii
from quadrat.occurrence.labels.similarity import EnvironmentSpace
from quadrat.occurrence.schema.labels import PropagateSection
from quadrat.runtime.weeks import WEEKS

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

_PAIRS_AT_ONCE = 1_000_000
_REACH_AT_ONCE = 16_000_000


@dataclass(frozen=True)
class TrainingCells:
    """The cells among which labels are propagated.

    Args:
        lat: Latitudes in degrees ``(C,)``.
        lon: Longitudes in degrees ``(C,)``.
        environment: Their environment.
        lengths: Species in every sample, also those that are not learnt ``(C * 48,)``.
    """

    lat: Floats
    lon: Floats
    environment: EnvironmentSpace
    lengths: Counts


def propagate(labels: LabelMatrix, cells: TrainingCells, section: PropagateSection) -> LabelMatrix:
    """Adds to each sparse sample the species of its nearest observed cells in the same week.

    *Nearest* is in environment, among the observed cells within ``max_radius_km`` and
    ``max_environment_distance``. A species passes if a record of it (of any week, before
    propagation) lies within ``min(max_spread · range radius, range_cap_km)``. Each of these three
    limits is none where it is 0.

    Args:
        labels: All weeks of the training cells, 48 rows a cell.
        cells: Where they lie and what they are like.
        section: The limits.

    Returns:
        The labels with what was added; samples that are not sparse stay as they are.
    """
    return LabelMatrix.stacked(_richer(labels, cells, section))


def _richer(
    labels: LabelMatrix, cells: TrainingCells, section: PropagateSection
) -> Iterator[LabelMatrix]:
    """The labels of one run of cells after the other."""
    from quadrat.kernels.species_lists import united

    places = unit_vectors(cells.lat, cells.lon)
    presence = _in_any_week(labels)
    reach = Reach(presence, places, _limits_km(presence, places, section))
    neighbours = _Neighbours(places, cells, section)
    for part in _parts(neighbours, reach):
        donors = neighbours.donors(part)
        lists = (labels.indptr, labels.indices)
        found = united((donors.indptr, donors.indices), lists, reach.within(part), WEEKS)
        yield LabelMatrix(*found, labels.columns)


def _limits_km(presence: sparse.csr_array, places: Floats, section: PropagateSection) -> Floats:
    """How near a record of each species must be ``(S,)``."""
    # A donor has the species and lies within max_radius_km, so a greater limit changes nothing.
    least = min(section.max_radius_km, section.range_cap_km or np.inf)
    limits = np.full(presence.shape[1], least)
    if section.max_spread:
        limits = np.minimum(limits, section.max_spread * range_radii(presence, places))
    return limits


class _Neighbours:
    """The observed cells from which each sparse sample takes over labels."""

    def __init__(self, places: Floats, cells: TrainingCells, section: PropagateSection) -> None:
        self.places, self.section, self.environment = places, section, cells.environment
        self.observed = cells.lengths.reshape(-1, WEEKS) >= section.min_observed
        self.givers = np.flatnonzero(self.observed.any(axis=1))
        self.tree = cKDTree(places[self.givers])
        self.radius = float(chord(section.max_radius_km))

    def pair_counts(self) -> Counts:
        """How many observed cells lie within the radius of each cell ``(C,)``."""
        found = self.tree.query_ball_point(self.places, self.radius, return_length=True)
        return np.asarray(found, np.int64)

    def donors(self, part: slice) -> sparse.csr_array:
        """Which samples each sample of some cells takes from ``(part * 48, C * 48)``.

        All take from themselves, where their own species are in reach; only sparse ones from
        others.
        """
        first, size = part.start * WEEKS, (part.stop - part.start) * WEEKS
        takers, givers = self._similar(part)
        rows, columns = [np.arange(size)], [first + np.arange(size)]
        for week in range(WEEKS):
            open_pairs = np.flatnonzero(
                ~self.observed[part.start + takers, week] & self.observed[givers, week]
            )
            chosen = open_pairs[_rank_in_run(takers[open_pairs]) < self.section.k]
            rows.append(takers[chosen] * WEEKS + week)
            columns.append(givers[chosen] * WEEKS + week)
        row, column = np.concatenate(rows), np.concatenate(columns)
        ones = np.ones(len(row), dtype=bool)
        return sparse.csr_array((ones, (row, column)), (size, self.observed.size))

    def _similar(self, part: slice) -> tuple[Counts, Counts]:
        """Pairs that are near enough on the globe and in environment.

        Returns:
            The taker (counted from the part's first cell) and the giver of each pair, by taker
            and then by distance in environment.
        """
        takers = np.flatnonzero(~self.observed[part].all(axis=1))
        tree = cKDTree(self.places[part][takers])
        pairs = tree.sparse_distance_matrix(self.tree, self.radius, output_type="ndarray")
        taker, giver = takers[pairs["i"]], self.givers[pairs["j"]]
        distance = self.environment.distances(part.start + taker, giver)
        near = distance <= (self.section.max_environment_distance or np.inf)
        taker, giver, distance = taker[near], giver[near], distance[near]
        order = np.lexsort((giver, distance, taker))
        return taker[order], giver[order]


def _parts(neighbours: _Neighbours, reach: Reach) -> Iterator[slice]:
    """Runs of cells that are small enough to be worked on at once."""
    pairs = np.cumsum(neighbours.pair_counts())
    widest = max(1, _REACH_AT_ONCE // max(1, reach.presence.shape[1]))
    start = 0
    while start < len(pairs):
        first = pairs[start - 1] if start else 0
        by_pairs = int(np.searchsorted(pairs, first + _PAIRS_AT_ONCE, side="right"))
        stop = max(start + 1, min(by_pairs, start + widest, len(pairs)))
        yield slice(start, stop)
        start = stop


def _rank_in_run(values: Counts) -> Counts:
    """The position of each value in its run of equal values: 0, 1, 2, then 0 again."""
    index = np.arange(len(values))
    first = np.diff(values, prepend=-1) != 0
    return index - np.maximum.accumulate(np.where(first, index, 0))


def _in_any_week(labels: LabelMatrix) -> sparse.csr_array:
    """In which cells each species was recorded ``(C, S)``."""
    cells = labels.union(WEEKS)
    ones = np.ones(cells.positives, dtype=bool)
    return sparse.csr_array((ones, cells.indices, cells.indptr), (len(cells), cells.columns))
