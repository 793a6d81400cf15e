"""Which species were seen in which sample, as a sparse matrix of ones.

One row a sample, one column a species, stored as compressed sparse rows (CSR): nothing but the
positives takes memory. At 14 million samples a dense matrix of 12,000 species would take 170 GB.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class LabelMatrix:
    """The positives of ``R`` samples over ``columns`` species.

    The species of row ``r`` are ``indices[indptr[r]:indptr[r + 1]]``, sorted, each once.

    Args:
        indptr: Where rows begin and end, int64 ``(R + 1,)``.
        indices: Columns of the positives, int32 ``(P,)``.
        columns: How many species there are.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    columns: int

    @classmethod
    def from_pairs(cls, rows: ArrayLike, columns: ArrayLike, shape: tuple[int, int]) -> LabelMatrix:
        """Collects positives given in any order, each any number of times.

        Args:
            rows: Row of each positive ``(P,)``.
            columns: Column of each positive ``(P,)``.
            shape: Numbers of rows and columns.
        """
        keys = np.asarray(rows, np.int64) * shape[1] + np.asarray(columns, np.int64)
        keys = np.sort(keys)
        keys = keys[np.diff(keys, prepend=-1) != 0]
        row, column = np.divmod(keys, shape[1])
        indptr = np.zeros(shape[0] + 1, np.int64)
        np.cumsum(np.bincount(row, minlength=shape[0]), out=indptr[1:])
        return cls(indptr, column.astype(np.int32), shape[1])

    @classmethod
    def interleaved(cls, parts: Sequence[LabelMatrix]) -> LabelMatrix:
        """Rows of several matrices in turn: row ``r * K + k`` is row ``r`` of part ``k``.

        Args:
            parts: K matrices of the same shape.
        """
        lengths = np.stack([part.lengths() for part in parts], axis=1)
        indptr = np.zeros(lengths.size + 1, np.int64)
        np.cumsum(lengths, out=indptr[1:])
        indices = np.empty(indptr[-1], np.int32)
        for number, part in enumerate(parts):
            shift = indptr[number : -1 : len(parts)] - part.indptr[:-1]
            places = np.repeat(shift, part.lengths()) + np.arange(part.positives)
            indices[places] = part.indices
        return cls(indptr, indices, parts[0].columns)

    @classmethod
    def stacked(cls, parts: Iterable[LabelMatrix]) -> LabelMatrix:
        """The rows of several matrices over the same species, one matrix after the other.

        Parts that nobody else holds are let go one by one, so that memory holds them only once.
        """
        waiting = deque(parts)
        columns = waiting[0].columns
        lengths = np.concatenate([part.lengths() for part in waiting])
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        indices, place = np.empty(indptr[-1], np.int32), 0
        while waiting:
            part = waiting.popleft()
            indices[place : place + part.positives] = part.indices
            place += part.positives
        return cls(indptr, indices, columns)

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def positives(self) -> int:
        """How many ones there are."""
        return len(self.indices)

    def lengths(self) -> NDArray[np.int64]:
        """How many species each row has ``(R,)``."""
        return np.diff(self.indptr)

    def row_of_positives(self) -> NDArray[np.int64]:
        """The row of each positive ``(P,)``."""
        return np.repeat(np.arange(len(self)), self.lengths())

    def counts(self) -> NDArray[np.int64]:
        """In how many rows each species was seen ``(columns,)``."""
        counts = np.zeros(self.columns, np.int64)
        for start in range(0, self.positives, _AT_ONCE):  # bincount copies to 64 bits
            run = self.indices[start : start + _AT_ONCE]
            counts += np.bincount(run, minlength=self.columns)
        return counts

    def rows(self, index: ArrayLike) -> LabelMatrix:
        """The rows of an index vector, in its order."""
        index = np.asarray(index, np.int64)
        lengths = self.lengths()[index]
        indptr = np.zeros(len(index) + 1, np.int64)
        np.cumsum(lengths, out=indptr[1:])
        kind = _counting(max(self.positives, int(indptr[-1])))
        source = np.arange(indptr[-1], dtype=kind)
        source += np.repeat((self.indptr[index] - indptr[:-1]).astype(kind), lengths)
        return LabelMatrix(indptr, self.indices[source], self.columns)

    def where(self, kept: NDArray[np.bool_]) -> LabelMatrix:
        """Only some positives.

        Args:
            kept: Which ``(P,)``.
        """
        from quadrat.kernels.species_lists import selected

        indptr, indices = selected(self.indptr, self.indices, kept)
        return LabelMatrix(indptr, indices, self.columns)

    def restricted(self, columns: ArrayLike) -> LabelMatrix:
        """Only these species, in the order of ``columns``; the others' positives are dropped.

        Args:
            columns: Columns of this matrix; -1 stands for a species that it does not have.
        """
        columns = np.asarray(columns, np.int64)
        there = columns >= 0
        place = np.full(self.columns, -1, np.int32)
        place[columns[there]] = np.flatnonzero(there)
        known = self.where((place >= 0)[self.indices])
        found = LabelMatrix(known.indptr, place[known.indices], len(columns))
        if (np.diff(columns[there]) > 0).all():
            return found  # rows are sorted as they were
        shape = (len(self), len(columns))
        return LabelMatrix.from_pairs(found.row_of_positives(), found.indices, shape)

    def union(self, size: int) -> LabelMatrix:
        """The union of every ``size`` consecutive rows, as one row each."""
        from quadrat.kernels.species_lists import every, united

        runs = (np.arange(0, len(self) + 1, size), np.arange(len(self)))
        found = united(runs, (self.indptr, self.indices), every(self.columns), len(self))
        return LabelMatrix(*found, self.columns)

    def followed_by(self, other: LabelMatrix) -> LabelMatrix:
        """The rows of this matrix and then those of another over the same species."""
        return LabelMatrix.stacked([self, other])


def _counting(count: int) -> type[np.signedinteger]:
    """The kind of number that positions up to ``count`` need: half the memory while it will do."""
    return np.int32 if count <= np.iinfo(np.int32).max else np.int64
