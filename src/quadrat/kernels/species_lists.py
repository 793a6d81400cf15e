"""Lists of species as compressed sparse rows: which to keep, and unions of many."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from quadrat.kernels.arithmetic import first_bit
from quadrat.kernels.compiling import kernel, serial_kernel
from quadrat.kernels.launching import threads

Words = NDArray[np.uint64]
"""Sets of species, 64 to a word ``(rows, words)``."""
Ints = NDArray[np.int64]
Doubles = NDArray[np.float64]
Species = NDArray[np.int32]
Rows = NDArray[Any]
"""Where rows begin and end, or what they list: whole numbers of any size."""

_BITS = 64


def kept_at_most(
    species: Species, counts: Ints, most: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Which entries stay when each species keeps a number of random ones.

    Goes through the entries once and keeps each with the probability that it must have, given how
    many are still wanted and how many are still to come (Knuth, "The art of computer programming",
    volume 2, algorithm 3.4.2 S). Every choice is equally likely.

    Args:
        species: Of each entry ``(P,)``.
        counts: How often each species is there ``(S,)``.
        most: How many entries a species keeps.
        rng: Draws them.
    """
    kept = np.empty(len(species), np.bool_)
    _keep(species, counts.copy(), np.minimum(counts, most), rng, kept)
    return kept


def selected(indptr: Ints, indices: Species, kept: NDArray[np.bool_]) -> tuple[Ints, Species]:
    """The rows with some entries only, as ``indptr`` and ``indices``."""
    found, parts = np.zeros(len(indptr), np.int64), threads()
    _count_kept(indptr, kept, found, parts)
    np.cumsum(found, out=found)
    chosen = np.empty(found[-1], np.int32)
    _copy_kept(indptr, indices, kept, found, chosen, parts)
    return found, chosen


def as_sets(indptr: Rows, indices: Rows, columns: int) -> Words:
    """Each row as a set."""
    sets = np.zeros((len(indptr) - 1, -(-columns // _BITS)), np.uint64)
    _set_bits(indptr, indices, sets, threads())
    return sets


def every(columns: int) -> Words:
    """One set, of all species."""
    return np.full((1, -(-columns // _BITS)), np.iinfo(np.uint64).max)


def within_reach(
    near: tuple[Rows, Rows, Doubles], wide: Words, narrow: tuple[Rows, Rows], limits: Doubles
) -> Words:
    """Which species are recorded near enough to each of some places.

    Args:
        near: The places around each, and how far they are: ``indptr``, ``indices``, distances.
        wide: The species of each place that are near enough wherever they are listed.
        narrow: The other species of each place: ``indptr``, ``indices``.
        limits: How near these must be ``(S,)``.
    """
    found = np.zeros((len(near[0]) - 1, wide.shape[1]), np.uint64)
    _reach(*near, wide, *narrow, limits, found, threads())
    return found


def united(
    donors: tuple[Rows, Rows], lists: tuple[Ints, Species], allowed: Words, size: int
) -> tuple[Ints, Species]:
    """The species of several lists together, sorted, as far as they are allowed.

    Args:
        donors: The lists that each row joins: ``indptr``, ``indices``.
        lists: Species: ``indptr``, ``indices``.
        allowed: Which species rows may have, a set for every ``size`` rows.
        size: See ``allowed``.

    Returns:
        ``indptr`` and ``indices`` of the rows.
    """
    parts = threads()
    indptr = np.zeros(len(donors[0]), np.int64)
    _unite(*donors, *lists, allowed, max(1, size), indptr, np.empty(0, np.int32), False, parts)
    np.cumsum(indptr, out=indptr)
    indices = np.empty(indptr[-1], np.int32)
    _unite(*donors, *lists, allowed, max(1, size), indptr, indices, True, parts)
    return indptr, indices


@serial_kernel
def _keep(
    species: Species, left: Ints, wanted: Ints, rng: np.random.Generator, kept: NDArray[np.bool_]
) -> None:
    for i in range(len(species)):
        s = species[i]
        if wanted[s] == left[s] or wanted[s] == 0:
            kept[i] = wanted[s] > 0
        else:
            kept[i] = rng.random() * left[s] < wanted[s]
        wanted[s] -= kept[i]
        left[s] -= 1


@kernel()
def _count_kept(indptr: Ints, kept: NDArray[np.bool_], found: Ints, parts: int) -> None:
    rows = len(indptr) - 1
    for part in numba.prange(parts):
        for row in range(rows * part // parts, rows * (part + 1) // parts):
            found[row + 1] = kept[indptr[row] : indptr[row + 1]].sum()


@kernel()
def _copy_kept(
    indptr: Ints, indices: Species, kept: NDArray[np.bool_], found: Ints, chosen: Species,
    parts: int,
) -> None:  # fmt: skip
    rows = len(indptr) - 1
    for part in numba.prange(parts):
        for row in range(rows * part // parts, rows * (part + 1) // parts):
            place = found[row]
            for i in range(indptr[row], indptr[row + 1]):
                if kept[i]:
                    chosen[place] = indices[i]
                    place += 1


@kernel()
def _set_bits(indptr: Rows, indices: Rows, sets: Words, parts: int) -> None:
    rows = len(indptr) - 1
    for part in numba.prange(parts):
        for row in range(rows * part // parts, rows * (part + 1) // parts):
            for i in range(indptr[row], indptr[row + 1]):
                s = np.uint64(indices[i])
                sets[row, s >> np.uint64(6)] |= np.uint64(1) << (s & np.uint64(63))


@kernel()
def _reach(
    indptr: Rows, places: Rows, distances: Doubles, wide: Words, starts: Rows, narrow: Rows,
    limits: Doubles, found: Words, parts: int,
) -> None:  # fmt: skip
    rows = len(indptr) - 1
    for part in numba.prange(parts):
        for row in range(rows * part // parts, rows * (part + 1) // parts):
            for k in range(indptr[row], indptr[row + 1]):
                place = places[k]
                for word in range(wide.shape[1]):
                    found[row, word] |= wide[place, word]
                for i in range(starts[place], starts[place + 1]):
                    s = np.uint64(narrow[i])
                    if distances[k] <= limits[s]:
                        found[row, s >> np.uint64(6)] |= np.uint64(1) << (s & np.uint64(63))


@kernel()
def _unite(
    starts: Rows, donors: Rows, indptr: Ints, indices: Species, allowed: Words, size: int,
    found: Ints, species: Species, write: bool, parts: int,
) -> None:  # fmt: skip
    """Counts the species of each row into ``found``, or writes them to where these counts say."""
    rows, words = len(starts) - 1, allowed.shape[1]
    for part in numba.prange(parts):
        union = np.zeros(words, np.uint64)
        for row in range(rows * part // parts, rows * (part + 1) // parts):
            for k in range(starts[row], starts[row + 1]):
                for i in range(indptr[donors[k]], indptr[donors[k] + 1]):
                    s = np.uint64(indices[i])
                    union[s >> np.uint64(6)] |= np.uint64(1) << (s & np.uint64(63))
            place = found[row] if write else 0
            for word in range(words):
                left = union[word] & allowed[row // size, word]
                union[word] = np.uint64(0)
                while left:
                    if write:
                        species[place] = word * _BITS + first_bit(left)
                    place += 1
                    left &= left - np.uint64(1)
            if not write:
                found[row + 1] = place
