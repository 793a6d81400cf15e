"""The samples of some cells: places, environment and labels of all their weeks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quadrat.occurrence.labels.matrix import LabelMatrix
from quadrat.occurrence.records.cells import CellTable
from quadrat.occurrence.records.taxonomy import Vocabulary
from quadrat.occurrence.samples.environment import EnvironmentEncoder
from quadrat.runtime.weeks import WEEKS, WHOLE_YEAR


@dataclass(frozen=True)
class SampleSet:
    """Cells × weeks: sample ``cell * 48 + week - 1``, then perhaps one whole year a cell.

    Args:
        cells: Names of the cells ``(C,)``.
        lat: Latitudes in degrees ``(C,)``.
        lon: Longitudes in degrees ``(C,)``.
        environment: Encoded environment, float32 ``(C, E)``, NaN where unknown.
        labels: One row a sample, one column a species of the vocabulary.
    """

    cells: tuple[str, ...]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    environment: NDArray[np.float32]
    labels: LabelMatrix

    def __len__(self) -> int:
        return len(self.labels)

    def cell_and_week(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Position of the cell and week 0-48 of each sample of an index ``(B,)``."""
        weekly = len(self.cells) * WEEKS
        cell, week = index // WEEKS, index % WEEKS + 1
        if len(self) == weekly:
            return cell, week
        year = index >= weekly
        return torch.where(year, index - weekly, cell), week.masked_fill(year, WHOLE_YEAR)

    def names(self, index: Tensor) -> list[str]:
        """The samples' names, such as ``82754ffffffffff week 17``."""
        cell, week = self.cell_and_week(index)
        pairs = zip(cell.tolist(), week.tolist(), strict=True)
        return [f"{self.cells[c]} week {w}" for c, w in pairs]

    def density(self) -> NDArray[np.float32]:
        """How many species were seen in each cell, summed over its 48 weeks ``(C,)``."""
        weekly = self.labels.lengths()[: len(self.cells) * WEEKS].reshape(-1, WEEKS)
        return np.asarray(weekly.sum(axis=1), dtype=np.float32)

    def with_years(self) -> SampleSet:
        """The same samples and, after them, the union over the weeks of each cell as week 0."""
        labels = self.labels.followed_by(self.labels.union(WEEKS))
        return replace(self, labels=labels)


def make_samples(
    table: CellTable,
    cells: NDArray[np.int64],
    vocabulary: Vocabulary,
    encoder: EnvironmentEncoder | None = None,
    labels: LabelMatrix | None = None,
) -> SampleSet:
    """The samples of some cells, in a model's own vocabulary and scaling.

    Args:
        table: The cells.
        cells: Positions in the table.
        vocabulary: The species of the labels; others are dropped, those not in the table are zero.
        encoder: The environment's encoding; without it the samples have no environment.
        labels: Labels over the vocabulary; by default what the table has.
    """
    encoder = encoder or EnvironmentEncoder(())
    if labels is None:
        columns = dict(zip(table.codes, range(len(table.codes)), strict=True))
        place = [columns.get(code, -1) for code in vocabulary.codes]
        labels = table.labels.rows(sample_rows(cells)).restricted(place)
    return SampleSet(
        cells=tuple(table.names(cells)),
        lat=table.lat[cells],
        lon=table.lon[cells],
        environment=encoder.encoded(table.environment[cells, : len(encoder.columns)]),
        labels=labels,
    )


def left_out(
    table: CellTable, cells: NDArray[np.int64], vocabulary: Vocabulary
) -> dict[str, int | float]:
    """What of some cells a vocabulary does not hold, so that no score is about it.

    Returns:
        ``species_left_out``, and ``records_left_out`` as a share of the cells' records.
    """
    counts = table.labels.rows(sample_rows(cells)).counts()
    missing = ~np.isin(np.array(table.codes), np.array(vocabulary.codes))
    return {
        "species_left_out": int(((counts > 0) & missing).sum()),
        "records_left_out": float(counts[missing].sum() / max(1, counts.sum())),
    }


def sample_rows(cells: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows of a table's labels that belong to some cells: all 48 weeks of each."""
    return (np.asarray(cells, np.int64)[:, None] * WEEKS + np.arange(WEEKS)).ravel()
