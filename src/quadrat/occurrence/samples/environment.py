"""The environment of a cell as numbers for a network: shares as they are, classes one-hot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class EncodedColumn:
    """How one column is encoded.

    Columns named ``…_class`` become one indicator a class, ``…_fraction`` stays as it is, any
    other is standardised. What is unknown stays NaN.

    Args:
        name: The column.
        kind: ``"class"``, ``"fraction"`` or ``"number"``.
        mean: Of the training cells (numbers).
        sd: Of the training cells, 1 where they do not vary (numbers).
        classes: The classes that training cells have, sorted.
    """

    name: str
    kind: str
    mean: float = 0.0
    sd: float = 1.0
    classes: tuple[float, ...] = ()

    @classmethod
    def fitted(cls, name: str, values: NDArray[np.float64]) -> EncodedColumn:
        """Fits the encoding on the values of training cells ``(C,)``."""
        known = values[~np.isnan(values)]
        if name.endswith("_class"):
            return cls(name, "class", classes=tuple(np.unique(known).tolist()))
        if name.endswith("_fraction"):
            return cls(name, "fraction")
        if len(known) == 0:
            return cls(name, "number")
        sd = float(known.std())
        return cls(name, "number", float(known.mean()), sd if sd > 0 else 1.0)

    @property
    def width(self) -> int:
        """How many values the encoding has."""
        return len(self.classes) if self.kind == "class" else 1

    def encoded(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Encodes ``(C,)`` as ``(C, width)``; a class that training did not have is unknown."""
        if self.kind == "class":
            matches = values[:, None] == np.array(self.classes)
            return np.where(matches.any(axis=1, keepdims=True), matches.astype(np.float64), np.nan)
        scaled: NDArray[np.float64] = (values - self.mean) / self.sd
        return scaled[:, None]


@dataclass(frozen=True)
class EnvironmentEncoder:
    """The encodings of all environment columns, fitted on training cells."""

    columns: tuple[EncodedColumn, ...]

    @classmethod
    def fitted(cls, names: Sequence[str], values: NDArray[np.float64]) -> EnvironmentEncoder:
        """Fits the encoder.

        Args:
            names: Names of the columns.
            values: Their values in training cells ``(C, columns)``, NaN where unknown.
        """
        columns = zip(names, values.T, strict=True)
        return cls(tuple(EncodedColumn.fitted(name, column) for name, column in columns))

    def encoded(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        """Encodes ``(C, columns)`` as ``(C, E)``, NaN where unknown."""
        parts = [column.encoded(v) for column, v in zip(self.columns, values.T, strict=True)]
        joined = np.concatenate(parts, axis=1) if parts else np.empty((len(values), 0))
        return joined.astype(np.float32)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

    def positions(self, names: Sequence[str]) -> list[int]:
        """Where the encoded values of some columns are among the E, in the encoder's order."""
        widths = [column.width for column in self.columns]
        chosen = [column.name in set(names) for column in self.columns]
        return np.flatnonzero(np.repeat(chosen, widths)).tolist()

    @classmethod
    def from_dict(cls, described: Mapping[str, Mapping[str, Any]]) -> EnvironmentEncoder:
        """The encoder that `to_dict` described."""
        columns = (
            EncodedColumn(name, **{**keys, "classes": tuple(keys.get("classes", ()))})
            for name, keys in described.items()
        )
        return cls(tuple(columns))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``preprocessing.json``."""
        return {
            column.name: {"kind": column.kind}
            | ({"mean": column.mean, "sd": column.sd} if column.kind == "number" else {})
            | ({"classes": list(column.classes)} if column.kind == "class" else {})
            for column in self.columns
        }
