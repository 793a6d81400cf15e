"""How large the ranges of species are, and in which cells a record of each is near enough."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

from quadrat.geo import EARTH_RADIUS_KM, chord

Floats = NDArray[np.float64]

if TYPE_CHECKING:
    from quadrat.kernels.species_lists import Words

LEAST_RADIUS_KM = 50.0
"""The radius of a species known from one cell."""


def range_radii(presence: sparse.csr_array, places: Floats) -> Floats:
    """The radius of every species' range in km.

    It is the greatest distance of a cell with the species from their centre, which is the mean of
    the cells' unit vectors: no dateline and no pole can tear a range apart.

    Args:
        presence: In which cells each species was recorded ``(C, S)``.
        places: Unit vectors of the cells ``(C, 3)``.

    Returns:
        Radii ``(S,)``, `LEAST_RADIUS_KM` or more.
    """
    by_species = presence.T.tocsr()
    sums = by_species.astype(np.float64) @ places
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    centres = np.divide(sums, length, out=np.zeros_like(sums), where=length > 1e-9)
    species = np.repeat(np.arange(presence.shape[1]), np.diff(by_species.indptr))
    cosine = np.einsum("ij,ij->i", places[by_species.indices], centres[species])
    least = np.ones(presence.shape[1])
    np.minimum.at(least, species, cosine)
    radii = EARTH_RADIUS_KM * np.arccos(np.clip(least, -1.0, 1.0))
    # Places all round the globe have no centre: their range is the globe.
    radii[(length[:, 0] <= 1e-9) & (np.diff(by_species.indptr) > 0)] = np.pi * EARTH_RADIUS_KM
    return np.asarray(np.maximum(radii, LEAST_RADIUS_KM))


@dataclass(frozen=True)
class Reach:
    """The cells that lie near enough to a record of each species.

    Args:
        presence: In which cells each species was recorded ``(C, S)``.
        places: Unit vectors of the cells ``(C, 3)``.
        limits_km: How near a record must be, by species ``(S,)``.
    """

    presence: sparse.csr_array
    places: Floats
    limits_km: Floats

    def within(self, cells: slice) -> Words:
        """Which species have a record near enough to each of some cells, as sets.

        Species with the greatest limit (usually a cap that most of them share) are near enough
        wherever they are listed, so sets of them are united; the others are looked at one by one.
        """
        from quadrat.kernels.species_lists import within_reach

        pairs = _near(self.places[cells], self.places, self._farthest)
        shape = (cells.stop - cells.start, len(self.places))
        near = sparse.csr_array((pairs["v"], (pairs["i"], pairs["j"])), shape)
        found = (near.indptr, near.indices, near.data)
        narrow = (self._narrow.indptr, self._narrow.indices)
        return within_reach(found, self._wide, narrow, self._chords)

    @cached_property
    def _farthest(self) -> float:
        return float(self.limits_km.max())

    @cached_property
    def _chords(self) -> Floats:
        return np.asarray(chord(self.limits_km))

    @cached_property
    def _wide(self) -> Words:
        """The species with the greatest limit in every cell."""
        from quadrat.kernels.species_lists import as_sets

        lists = _only(self.presence, self.limits_km == self._farthest)
        return as_sets(lists.indptr, lists.indices, self.presence.shape[1])

    @cached_property
    def _narrow(self) -> sparse.csr_array:
        return _only(self.presence, self.limits_km != self._farthest)


def _only(presence: sparse.csr_array, species: NDArray[np.bool_]) -> sparse.csr_array:
    """The presences of some species; the columns stay."""
    kept = species[presence.indices]
    indptr = np.concatenate([[0], np.cumsum(kept)])[presence.indptr]
    return sparse.csr_array((presence.data[kept], presence.indices[kept], indptr), presence.shape)


def _near(places: Floats, others: Floats, km: float) -> NDArray[np.void]:
    """Pairs of places within a distance: fields ``i``, ``j`` and ``v``, their chord."""
    found = cKDTree(places).sparse_distance_matrix(
        cKDTree(others), float(chord(km)), output_type="ndarray"
    )
    return np.asarray(found)
