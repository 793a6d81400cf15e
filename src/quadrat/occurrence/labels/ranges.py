"""How large the ranges of species are, and in which cells a record of each is near enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

from quadrat.geo import EARTH_RADIUS_KM, chord

Floats = NDArray[np.float64]

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

    def within(self, cells: slice) -> NDArray[np.bool_]:
        """Which species have a record near enough to each of some cells ``(cells, S)``.

        Species with the greatest limit (usually a cap that most of them share) need one sparse
        product. The others have small ranges, so all their pairs of places can be listed.
        """
        farthest = float(self.limits_km.max())
        pairs = _near(self.places[cells], self.places, farthest)
        shape = (cells.stop - cells.start, self.presence.shape[1])
        answer = np.zeros(shape, dtype=bool)
        wide = self.limits_km == farthest
        one = np.ones(len(pairs), dtype=bool)
        near = sparse.csr_array((one, (pairs["i"], pairs["j"])), (shape[0], len(self.places)))
        found = (near @ self.presence).tocoo()
        kept = wide[found.col]
        answer[found.row[kept], found.col[kept]] = True
        self._mark_narrow(answer, pairs, ~wide)
        return answer

    def _mark_narrow(
        self, answer: NDArray[np.bool_], pairs: NDArray[np.void], narrow: NDArray[np.bool_]
    ) -> None:
        lists = self.presence[:, np.flatnonzero(narrow)]
        lengths = np.diff(lists.indptr)[pairs["j"]]
        start = lists.indptr[pairs["j"]] - (np.cumsum(lengths) - lengths)
        source = np.repeat(start, lengths) + np.arange(lengths.sum())
        species = np.flatnonzero(narrow)[lists.indices[source]]
        near = np.repeat(pairs["v"], lengths) <= chord(self.limits_km)[species]
        answer[np.repeat(pairs["i"], lengths)[near], species[near]] = True


def _near(places: Floats, others: Floats, km: float) -> NDArray[np.void]:
    """Pairs of places within a distance: fields ``i``, ``j`` and ``v``, their chord."""
    found = cKDTree(places).sparse_distance_matrix(
        cKDTree(others), float(chord(km)), output_type="ndarray"
    )
    return np.asarray(found)
