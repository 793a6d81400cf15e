"""Calibrated probabilities: a straight line for the logit of every species, and where to cut.

A network can be too sure of one species and too shy of another. ``p = σ(a_s z + b_s)`` mends that
species by species (Platt 1999, "Probabilistic outputs for support vector machines"). All slopes
are positive, so the order of places for one species never changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Calibration:
    """What turns the logits of a model into probabilities, and these into presence.

    Args:
        slope: a, float32 ``(S,)``.
        offset: b, float32 ``(S,)``.
        threshold: The probability from which a species counts as present, float32 ``(S,)``; None
            where no thresholds were fitted.
    """

    slope: Floats
    offset: Floats
    threshold: Floats | None = None

    @classmethod
    def identity(cls, species: int) -> Calibration:
        """The logits as they are."""
        return cls(np.ones(species, np.float32), np.zeros(species, np.float32))

    def logits(self, logits: ArrayLike) -> Floats:
        """Calibrated log odds of all species ``(..., S)``."""
        return np.asarray(logits, np.float32) * self.slope + self.offset

    def probabilities(self, logits: ArrayLike) -> Floats:
        """Calibrated probabilities of all species ``(..., S)`` from a model's logits."""
        return np.asarray(sigmoid(self.logits(logits)), np.float32)

    def write(self, path: Path) -> None:
        """Writes the arrays to a file that holds arrays only."""
        arrays = {"slope": self.slope, "offset": self.offset}
        if self.threshold is not None:
            arrays["threshold"] = self.threshold
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def read(cls, path: Path) -> Calibration:
        """Reads what `write` wrote; nothing in the file is executed.

        Raises:
            ValueError: The file is damaged or holds something else.
            OSError: The file cannot be read.
        """
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        slope, offset = arrays.get("slope"), arrays.get("offset")
        if slope is None or offset is None or slope.shape != offset.shape:
            raise ValueError("slope and offset are missing or do not belong together")
        return cls(slope, offset, arrays.get("threshold"))


def sigmoid(logits: ArrayLike) -> NDArray[np.floating]:
    """``1 / (1 + exp(-z))`` without overflow."""
    values = np.asarray(logits)
    small = np.exp(-np.abs(values))
    return np.asarray(np.where(values >= 0, 1, small) / (1 + small))
