"""What a fold is, and what a set of folds tells about itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Fold:
    """One way of parting the rows.

    Attributes:
        index: Number of the fold, counted through all repeats from 0.
        name: ``"fold 1"``, or the group or value that is held out.
        train: Rows that are learnt from; without those of ``inner``.
        inner: Rows of the training part for early stopping, thresholds and calibration.
        held_out: Rows that are predicted once, at the end.
        repeat: Which drawing of the folds this one belongs to, from 0.
    """

    index: int
    name: str
    train: Rows
    inner: Rows
    held_out: Rows
    repeat: int = 0

    @property
    def training_part(self) -> Rows:
        """All rows that are not held out for scoring: train and inner, sorted."""
        return np.sort(np.concatenate([self.train, self.inner]))


@dataclass(frozen=True)
class Folds:
    """Folds with the account of how they were made.

    Attributes:
        folds: The folds.
        samples: N, the number of rows that were parted.
        groups: Group of every row ``(N,)``, or None where rows stand for themselves.
        facts: What ``protocol`` says besides the sizes.
        words: The protocol as a sentence.
    """

    folds: tuple[Fold, ...]
    samples: int
    groups: NDArray[np.str_] | None
    facts: dict[str, Any] = field(default_factory=dict)
    words: str = ""

    def __getitem__(self, index: int) -> Fold:
        return self.folds[index]

    def __len__(self) -> int:
        return len(self.folds)

    def __iter__(self) -> Iterator[Fold]:
        return iter(self.folds)

    def rows(self) -> Rows:
        """The held-out rows of all folds one after the other: the order of stacked predictions."""
        return np.concatenate([fold.held_out for fold in self.folds])

    def fold_of_rows(self) -> Rows:
        """The fold of every entry of ``rows()``."""
        return np.repeat(
            [fold.index for fold in self.folds], [len(fold.held_out) for fold in self.folds]
        )

    def parts(self) -> list[tuple[Rows, Rows]]:
        """Training part and held-out rows of every fold, for models without early stopping."""
        return [(fold.training_part, fold.held_out) for fold in self.folds]

    def protocol(self) -> dict[str, Any]:
        """How the rows were parted, for ``metrics.json``."""
        groups = None if self.groups is None else len(np.unique(self.groups))
        return {
            **self.facts,
            "folds": len(self.folds),
            "groups": groups,
            "samples": self.samples,
            "sizes": [len(fold.held_out) for fold in self.folds],
            "train_sizes": [len(fold.train) for fold in self.folds],
            "inner_sizes": [len(fold.inner) for fold in self.folds],
            "words": self.words,
        }
