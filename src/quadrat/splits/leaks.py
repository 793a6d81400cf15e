"""What lies on both sides of a fold though it should not: groups, and copies of a photo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadrat.splits.folds import Fold, Rows


@dataclass(frozen=True)
class Leak:
    """A value that two sides of a fold share.

    Attributes:
        fold: Name of the fold.
        column: What was looked at, such as ``"Sampling_Date"`` or ``"photo hash"``.
        value: The shared value.
        sides: The two sides, such as ``("train", "held out")``.
        rows: The rows on either side.
    """

    fold: str
    column: str
    value: str
    sides: tuple[str, str]
    rows: tuple[Rows, Rows]

    def __str__(self) -> str:
        one, other = self.rows
        return (
            f"{self.fold}: {self.column} '{self.value}' is in {self.sides[0]} ({len(one)} samples) "
            f"and in {self.sides[1]} ({len(other)} samples)"
        )


def find_leaks(folds: Iterable[Fold], column: str, values: ArrayLike) -> list[Leak]:
    """Values that two of train, inner and held out share.

    Use it with group labels (no group may cross) and with keys that tell copies of a sample apart,
    such as a hash of the photo.

    Args:
        folds: The folds.
        column: What the values are, for the message.
        values: Value of every row ``(N,)``; None, NaN and empty texts are never shared.

    Returns:
        The leaks, fold by fold.
    """
    code, names = _codes(values)
    return [leak for fold in folds for leak in _leaks_of(fold, column, code, names)]


def _codes(values: ArrayLike) -> tuple[NDArray[np.int64], list[str]]:
    """Code of every row, -1 where there is no value, and the text of every code."""
    column = np.asarray(values).astype(object)
    absent = np.array([v is None or v != v or v == "" for v in column], dtype=bool)
    code = np.full(len(column), -1, dtype=np.int64)
    names, found = np.unique(column[~absent].astype(str), return_inverse=True)
    code[~absent] = found
    return code, names.tolist()


def _leaks_of(fold: Fold, column: str, code: NDArray[np.int64], names: list[str]) -> Iterator[Leak]:
    sides = {"train": fold.train, "inner": fold.inner, "held out": fold.held_out}
    for one, other in (("train", "held out"), ("inner", "held out"), ("train", "inner")):
        shared = np.intersect1d(code[sides[one]], code[sides[other]])
        for value in shared[shared >= 0].tolist():
            rows = tuple(sides[side][code[sides[side]] == value] for side in (one, other))
            yield Leak(fold.name, column, names[value], (one, other), (rows[0], rows[1]))
