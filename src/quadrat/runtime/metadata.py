"""Numbers and categories beside a photo, as a network takes them; absent ones are marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadrat.errors import DataError


@dataclass(frozen=True)
class EncodedMetadata:
    """The metadata of B samples.

    Args:
        numeric: ``(B, F)`` standardised; 0, the training mean, where unknown.
        missing: ``(B, F)``, 1 where unknown.
        categories: ``(B, C)`` positions in the vocabulary; 0 is unknown.
    """

    numeric: NDArray[np.float32]
    missing: NDArray[np.float32]
    categories: NDArray[np.int64]


@dataclass(frozen=True)
class MetadataEncoder:
    """Standardises numbers and counts categories through, as learnt from training rows.

    Args:
        numeric_names: Columns of numbers (F).
        means: Training mean of each.
        sds: Training standard deviation of each; 1 where the values do not differ.
        categorical_names: Columns of categories (C).
        vocabularies: Each column's known categories, sorted.
    """

    numeric_names: tuple[str, ...]
    means: tuple[float, ...]
    sds: tuple[float, ...]
    categorical_names: tuple[str, ...]
    vocabularies: tuple[tuple[str, ...], ...]

    @classmethod
    def fit(
        cls,
        numeric: ArrayLike,
        categorical: NDArray[np.object_],
        *,
        numeric_names: Sequence[str],
        categorical_names: Sequence[str],
    ) -> MetadataEncoder:
        """Learns from training rows.

        Args:
            numeric: ``(B, F)``, NaN where unknown. A column without any known value has mean 0.
            categorical: ``(B, C)``, text or None.
            numeric_names: Names of the F columns.
            categorical_names: Names of the C columns.
        """
        numbers = _numbers(numeric, numeric_names)
        texts = _texts(categorical, categorical_names)
        means, sds = [], []
        for column in numbers.T:
            known = column[~np.isnan(column)]
            means.append(float(known.mean()) if len(known) else 0.0)
            sd = float(known.std()) if len(known) else 0.0
            # A constant column has the rounding error of its mean as its deviation.
            sds.append(sd if sd > 1e-12 * max(1.0, abs(means[-1])) else 1.0)
        return cls(
            numeric_names=tuple(numeric_names),
            means=tuple(means),
            sds=tuple(sds),
            categorical_names=tuple(categorical_names),
            vocabularies=tuple(
                tuple(sorted({value for value in column if value is not None}))
                for column in texts.T
            ),
        )

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of positions of each column of categories, with the unknown one (C)."""
        return tuple(len(vocabulary) + 1 for vocabulary in self.vocabularies)

    def encode(self, numeric: ArrayLike, categorical: NDArray[np.object_]) -> EncodedMetadata:
        """Encodes rows.

        Args:
            numeric: ``(B, F)``, NaN where unknown.
            categorical: ``(B, C)``, text or None; texts outside the vocabulary are unknown.

        Raises:
            DataError: A number is infinite.
            ValueError: The number of columns differs from the training's.
        """
        numbers = _numbers(numeric, self.numeric_names)
        texts = _texts(categorical, self.categorical_names)
        missing = np.isnan(numbers)
        standard = (numbers - np.asarray(self.means)) / np.asarray(self.sds)
        categories = np.zeros(texts.shape, dtype=np.int64)
        for place, vocabulary in enumerate(self.vocabularies):
            positions = {value: position for position, value in enumerate(vocabulary, start=1)}
            categories[:, place] = [positions.get(value, 0) for value in texts[:, place]]
        return EncodedMetadata(
            numeric=np.where(missing, 0.0, standard).astype(np.float32),
            missing=missing.astype(np.float32),
            categories=categories,
        )

    def unknown(self, categorical: NDArray[np.object_]) -> dict[str, list[str]]:
        """Column → the categories in it that training never saw, sorted."""
        texts = _texts(categorical, self.categorical_names)
        found = {}
        for place, name in enumerate(self.categorical_names):
            new = {v for v in texts[:, place] if v is not None} - set(self.vocabularies[place])
            if new:
                found[name] = sorted(new)
        return found

    def to_json(self) -> dict[str, Any]:
        """The values as JSON holds them."""
        return {
            "numeric": [
                {"name": name, "mean": mean, "sd": sd}
                for name, mean, sd in zip(self.numeric_names, self.means, self.sds, strict=True)
            ],
            "categorical": [
                {"name": name, "values": list(vocabulary)}
                for name, vocabulary in zip(self.categorical_names, self.vocabularies, strict=True)
            ],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> MetadataEncoder:
        """The inverse of `to_json`."""
        numeric, categorical = values["numeric"], values["categorical"]
        return cls(
            numeric_names=tuple(item["name"] for item in numeric),
            means=tuple(float(item["mean"]) for item in numeric),
            sds=tuple(float(item["sd"]) for item in numeric),
            categorical_names=tuple(item["name"] for item in categorical),
            vocabularies=tuple(tuple(item["values"]) for item in categorical),
        )


def _numbers(numeric: ArrayLike, names: Sequence[str]) -> NDArray[np.float64]:
    numbers = np.asarray(numeric, dtype=np.float64)
    _same_width(numbers, names, "numeric")
    infinite = np.argwhere(np.isinf(numbers))
    if len(infinite):
        raise DataError(
            "metadata must be finite numbers.",
            [f"'{names[column]}' of sample {row + 1} is infinite" for row, column in infinite],
            fix="correct the values, or leave them out where they are unknown.",
        )
    return numbers


def _texts(categorical: NDArray[np.object_], names: Sequence[str]) -> NDArray[np.object_]:
    texts = np.asarray(categorical, dtype=object)
    _same_width(texts, names, "categorical")
    return texts


def _same_width(matrix: NDArray[Any], names: Sequence[str], kind: str) -> None:
    if matrix.ndim != 2 or matrix.shape[1] != len(names):
        raise ValueError(
            f"{kind} metadata must have shape (samples, {len(names)}), not {matrix.shape}"
        )
