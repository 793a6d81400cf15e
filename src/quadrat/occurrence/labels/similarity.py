"""How unlike the environments of two places are, in standard deviations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Cells = NDArray[np.int64]


@dataclass(frozen=True)
class EnvironmentSpace:
    """The environment of cells, made comparable.

    Numbers are standardised. A class is one-hot: two classes are √2 apart, which is also the root
    mean square difference of a standardised number between two random cells, so a class weighs as
    much as a number.

    Args:
        numbers: Standardised numbers, float32 ``(C, N)``, NaN where unknown.
        classes: Classes ``(C, K)``, NaN where unknown.
    """

    numbers: NDArray[np.float32]
    classes: NDArray[np.float32]

    @classmethod
    def fitted(cls, names: Sequence[str], values: Floats) -> EnvironmentSpace:
        """Standardises the columns over the given cells.

        Args:
            names: Names of the columns; those ending in ``_class`` hold classes.
            values: Their values ``(C, columns)``, NaN where unknown.
        """
        is_class = np.array([name.endswith("_class") for name in names], dtype=bool)
        numbers = values[:, ~is_class].copy()
        for column in numbers.T:
            known = column[~np.isnan(column)]
            if len(known):
                column -= known.mean()
                column /= known.std() or 1.0
        return cls(numbers.astype(np.float32), values[:, is_class].astype(np.float32))

    def distances(self, one: Cells, other: Cells) -> NDArray[np.float32]:
        """Euclidean distances between pairs of cells.

        What is unknown on either side is left out, and the sum of squares scaled up to all
        columns (Dixon 1979, "Pattern recognition with partly missing data", IEEE Transactions on
        Systems, Man, and Cybernetics 9, 617-621).

        Args:
            one: A cell of each pair ``(P,)``.
            other: The other cell ``(P,)``.

        Returns:
            Distances ``(P,)``; infinite where no column is known on both sides.
        """
        total = np.zeros(len(one), np.float32)
        known = np.zeros(len(one), np.float32)
        for column in self.numbers.T:
            _add(total, known, (column[one] - column[other]) ** 2)
        for column in self.classes.T:
            mine, theirs = column[one], column[other]
            unlike = np.where(mine == theirs, 0.0, 2.0)
            unlike[np.isnan(mine) | np.isnan(theirs)] = np.nan
            _add(total, known, unlike)
        columns = self.numbers.shape[1] + self.classes.shape[1]
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = np.sqrt(total * (columns / known))
        return np.where(known > 0, scaled, np.float32(np.inf)).astype(np.float32)


def _add(
    total: NDArray[np.float32], known: NDArray[np.float32], squares: NDArray[np.floating]
) -> None:
    there = ~np.isnan(squares)
    total += np.where(there, squares, 0.0)
    known += there
