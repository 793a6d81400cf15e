"""What a network must beat: knowing how common a species is, or how common in each week."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from quadrat.occurrence.network.species_network import Places, Prediction
from quadrat.occurrence.samples.dataset import SampleSet
from quadrat.runtime.weeks import WEEKS

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class TrainingCounts:
    """How often species were seen in training; what the baselines know.

    Args:
        by_week: Training samples with the species, by week 1-48 ``(48, S)``.
        cells: Number of training cells.
    """

    by_week: Counts
    cells: int

    @classmethod
    def of(cls, samples: SampleSet) -> TrainingCounts:
        """The counts of training samples."""
        labels, cells = samples.labels, len(samples.cells)
        rows = labels.row_of_positives()
        weekly = rows < cells * WEEKS
        keys = (rows[weekly] % WEEKS) * labels.columns + labels.indices[weekly]
        counts = np.bincount(keys, minlength=WEEKS * labels.columns)
        return cls(counts.reshape(WEEKS, labels.columns), cells)

    @classmethod
    def unknown(cls, species: int) -> TrainingCounts:
        """What is known of a model that came without its records."""
        return cls(np.zeros((WEEKS, species), np.int64), 0)

    def baselines(self) -> dict[str, Seasons]:
        """The baselines by name.

        ``prevalence`` knows how common a species is; ``seasonal`` knows it for each week. Half a
        sample with and half a sample without are added, so that nothing is impossible.
        """
        common = self.by_week.sum(axis=0, keepdims=True)
        shares = {
            "prevalence": ((common + 0.5) / (self.cells * WEEKS + 1)).repeat(WEEKS, axis=0),
            "seasonal": (self.by_week + 0.5) / (self.cells + 1),
        }
        tables = {name: torch.from_numpy(share).logit() for name, share in shares.items()}
        return {name: Seasons(table.float()) for name, table in tables.items()}


class Seasons(nn.Module):
    """A baseline as a module: the same logits everywhere, by week.

    Args:
        table: Log odds by week 1-48 and species ``(48, S)``.
    """

    table: Tensor

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.register_buffer("table", table)

    def forward(self, places: Places) -> Prediction:
        """Looks up the logits of weeks 1-48."""
        return Prediction(self.table[places.week - 1])
