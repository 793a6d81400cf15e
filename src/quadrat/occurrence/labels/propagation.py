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
    propagation) lies within ``min(max_spread · range radius, range_cap_km)``.

    Args:
        labels: All weeks of the training cells, 48 rows a cell.
        cells: Where they lie and what they are like.
        section: The limits.

    Returns:
        The labels with what was added; samples that are not sparse stay as they are.
    """
    return LabelMatrix.stacked(list(_richer(labels, cells, section)))


def _richer(
    labels: LabelMatrix, cells: TrainingCells, section: PropagateSection
) -> Iterator[LabelMatrix]:
    """The labels of one run of cells after the other."""
    places = unit_vectors(cells.lat, cells.lon)
    matrix = _as_csr(labels)
    presence = _any_week(matrix, len(places))
    limits = np.minimum(section.max_spread * range_radii(presence, places), section.range_cap_km)
    # A donor has the species and lies within max_radius_km, so a greater limit changes nothing.
    reach = Reach(presence, places, np.minimum(limits, section.max_radius_km))
    neighbours = _Neighbours(places, cells, section)
    for part in _parts(neighbours, reach):
        own = labels.slice(part.start * WEEKS, part.stop * WEEKS)
        added = _union(neighbours.donors(part), matrix, reach.within(part))
        sparse_rows = ~neighbours.observed[part].ravel()
        index = np.arange(len(own)) + np.where(sparse_rows, len(own), 0)
        yield own.followed_by(added).rows(index)


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
        """Which samples each sparse sample of some cells takes from ``(part * 48, C * 48)``.

        It takes from itself as well; the rows of samples that are not sparse are empty.
        """
        first, size = part.start * WEEKS, (part.stop - part.start) * WEEKS
        takers, givers = self._similar(part)
        poor = np.flatnonzero(~self.observed[part].ravel())
        rows, columns = [poor], [first + poor]
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
        near = distance <= self.section.max_environment_distance
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


def _union(
    donors: sparse.csr_array, labels: sparse.csr_array, reach: NDArray[np.bool_]
) -> LabelMatrix:
    """The species of all donors of each sample, as far as they are within reach of its cell."""
    found = donors @ labels
    samples, species = found.shape
    lengths = np.diff(found.indptr)
    cell = np.repeat(np.arange(samples, dtype=np.int32) // WEEKS, lengths)
    kept = reach[cell, found.indices]
    # Parts are so small that sample × species is a 32-bit number.
    keys = np.repeat(np.arange(samples, dtype=np.int32), lengths)[kept] * np.int32(species)
    keys += found.indices[kept]
    keys.sort()
    row, column = np.divmod(keys, np.int32(species))
    indptr = np.zeros(samples + 1, np.int64)
    np.cumsum(np.bincount(row, minlength=samples), out=indptr[1:])
    return LabelMatrix(indptr, column, species)


def _rank_in_run(values: Counts) -> Counts:
    """The position of each value in its run of equal values: 0, 1, 2, then 0 again."""
    index = np.arange(len(values))
    first = np.diff(values, prepend=-1) != 0
    return index - np.maximum.accumulate(np.where(first, index, 0))


def _as_csr(labels: LabelMatrix) -> sparse.csr_array:
    ones = np.ones(labels.positives, dtype=bool)
    shape = (len(labels), labels.columns)
    return sparse.csr_array((ones, labels.indices, labels.indptr), shape)


def _any_week(matrix: sparse.csr_array, cells: int) -> sparse.csr_array:
    """In which cells each species was recorded ``(C, S)``."""
    rows = cells * WEEKS
    ones = np.ones(rows, dtype=bool)
    weeks = (ones, np.arange(rows), np.arange(0, rows + 1, WEEKS))
    return sparse.csr_array(weeks, (cells, rows)) @ matrix
