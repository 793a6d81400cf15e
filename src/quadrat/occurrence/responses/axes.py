"""The values over which a response is drawn: a grid of numbers, or every category."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quadrat.errors import DataError

GRID = 50
"""Values of a number, evenly spaced."""

_SHARE = 0.01
"""Share of the places below the first and above the last value of a grid."""


@dataclass(frozen=True)
class Axis:
    """A covariate with the values that it takes, one after the other, at all places.

    Args:
        name: The covariate.
        values: Numbers in the units of the table, or categories.
        texts: What categories are called; None for numbers.
    """

    name: str
    values: tuple[float, ...] | tuple[str, ...]
    texts: tuple[str, ...] | None = None

    @classmethod
    def of_numbers(cls, name: str, values: NDArray[np.float64], table: str) -> Axis:
        """A grid between the 1st and the 99th percentile of a column ``(N,)``.

        A column with few values, such as a count or a yes, has these and no others.

        Raises:
            DataError: Every row is blank.
        """
        known = values[~np.isnan(values)]
        if not len(known):
            raise _blank(name, table)
        own = np.unique(known)
        if len(own) > GRID:
            low, high = np.quantile(known, [_SHARE, 1 - _SHARE])
            own = np.linspace(low, high, GRID)
        return cls(name, tuple(own.tolist()))

    @classmethod
    def of_categories(
        cls, name: str, values: Iterable[str | None], known: Iterable[str], table: str
    ) -> Axis:
        """The categories of a column that training knew too, sorted.

        Raises:
            DataError: There is none.
        """
        found = tuple(sorted(set(known) & {value for value in values if value is not None}))
        if not found:
            raise _blank(name, table)
        return cls(name, found, found)

    @classmethod
    def of_classes(
        cls, name: str, values: NDArray[np.float64], known: Iterable[float], table: str
    ) -> Axis:
        """The numbered classes of a column ``(N,)`` that training knew too, sorted.

        Raises:
            DataError: There is none.
        """
        found = tuple(sorted(set(known) & set(values[~np.isnan(values)].tolist())))
        if not found:
            raise _blank(name, table)
        return cls(name, found, tuple(f"{value:g}" for value in found))


def _blank(name: str, table: str) -> DataError:
    return DataError(
        f"{table}: column '{name}' has no value that the model knows, so no response to it can be "
        "drawn.",
        fix="give a table whose places have values of this column, in the units of training.",
    )
