"""Arrays that are too large to lie in memory together: read row by row, where they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]

LARGE_BYTES = 64 * 1024
"""Rows from this size on stay where they are; smaller ones are gathered in memory at once."""


class Rows:
    """Rows of one shape that lie in several places, most of them in memory-mapped files.

    It stands where an array ``(N, …)`` would: it has a length and a shape, and taking some rows
    gives an array of them.

    Args:
        rows: The rows, at least one.
    """

    def __init__(self, rows: Sequence[Array]) -> None:
        self.rows = list(rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, …)."""
        return len(self.rows), *self.rows[0].shape

    def __getitem__(self, places: slice | NDArray[np.int64]) -> Array:
        """The rows at some places, read into memory."""
        if isinstance(places, slice):
            return np.stack(self.rows[places])
        return np.stack([self.rows[place] for place in places])

    def at(self, places: NDArray[np.int64]) -> Rows:
        """The rows at some places, still where they are."""
        return Rows([self.rows[place] for place in places])


Stack = Array | Rows
"""What is held of V views, ``(V, …)``."""


def gathered(rows: Sequence[Array]) -> Stack:
    """Rows as one array, or, where they are large, as they lie."""
    return Rows(rows) if rows[0].nbytes >= LARGE_BYTES else np.stack(rows)


def chosen(stack: Stack, places: NDArray[np.int64]) -> Stack:
    """Some rows of a stack; those of a large one are not read."""
    return stack.at(places) if isinstance(stack, Rows) else stack[places]


def joined(first: Stack, second: Stack) -> Stack:
    """The rows of one stack and then those of another."""
    if isinstance(first, Rows) and isinstance(second, Rows):
        return Rows([*first.rows, *second.rows])
    if isinstance(first, Rows) or isinstance(second, Rows):
        raise TypeError("large rows and small ones are no stack")
    return np.concatenate([first, second])
