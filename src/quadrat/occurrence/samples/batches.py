"""Batches of cells and weeks, made on the device from index vectors.

The labels lie on the device as one sparse matrix; a batch is a gather of its rows. There are no
worker processes and no loop over samples, and nothing is dense beyond the logits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from quadrat.engine import IndexBatches
from quadrat.occurrence.samples.dataset import SampleSet


@dataclass(frozen=True)
class Positives:
    """The species seen in the samples of a batch, as pairs.

    Args:
        rows: Position in the batch of each positive, int64 ``(P,)``, ascending.
        columns: Its species, int64 ``(P,)``.
        lengths: How many positives each sample has, int64 ``(B,)``.
    """

    rows: Tensor
    columns: Tensor
    lengths: Tensor


@dataclass(frozen=True)
class CellBatch:
    """Samples of one step.

    Args:
        position: Latitudes and longitudes in degrees ``(B, 2)``.
        week: Weeks 0-48 ``(B,)``.
        positives: What was seen.
        environment: Encoded environment ``(B, E)``, NaN where unknown.
        density: How many species were seen in the cell, summed over its weeks ``(B,)``.
        index: Rows of the sample set, int64 ``(B,)`` on the CPU.
        names: Gives the samples' names for an index.
    """

    position: Tensor
    week: Tensor
    positives: Positives
    environment: Tensor
    density: Tensor
    index: Tensor
    names: Callable[[Tensor], Sequence[str]]

    def sample_ids(self) -> Sequence[str]:
        """The samples' names, such as ``82754ffffffffff week 17``."""
        return self.names(self.index)


class SampleBatches(IndexBatches[CellBatch]):
    """The batches of a set of samples.

    Args:
        samples: The samples.
        batch_size: Samples a batch.
        device: Where the tensors lie.
        seed: Of the order.
        shuffle: False keeps the samples' order.
        rank: The number of this process.
        world: How many processes there are.
    """

    def __init__(
        self,
        samples: SampleSet,
        batch_size: int,
        *,
        device: torch.device,
        seed: int,
        shuffle: bool = True,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        super().__init__(
            len(samples), batch_size, self._make, seed=seed, shuffle=shuffle, rank=rank, world=world
        )
        labels = samples.labels
        self._samples, self._device = samples, device
        # Row bounds stay on the CPU too: the number of positives of a batch is then known without
        # waiting for the device.
        self._indptr = torch.from_numpy(labels.indptr)
        self._indices = torch.from_numpy(labels.indices).to(device)
        position = torch.stack([torch.from_numpy(samples.lat), torch.from_numpy(samples.lon)], 1)
        self._position = position.float().to(device)
        self._environment = torch.from_numpy(samples.environment).to(device)
        self._density = torch.from_numpy(samples.density()).to(device)
        self._names = samples.names

    def _make(self, index: Tensor, epoch: int, position: int) -> CellBatch:
        cell, week = self._samples.cell_and_week(index)
        cell = cell.to(self._device, non_blocking=True)
        return CellBatch(
            position=self._position[cell],
            week=week.to(self._device, non_blocking=True),
            positives=self._gather(index),
            environment=self._environment[cell],
            density=self._density[cell],
            index=index,
            names=self._names,
        )

    def _gather(self, index: Tensor) -> Positives:
        start = self._indptr[index]
        lengths = self._indptr[index + 1] - start
        total = int(lengths.sum())
        shift = start - (lengths.cumsum(0) - lengths)
        lengths, shift = lengths.to(self._device), shift.to(self._device)
        samples = torch.arange(len(index), device=self._device)
        rows = torch.repeat_interleave(samples, lengths, output_size=total)
        source = torch.arange(total, device=self._device) + shift[rows]
        return Positives(rows, self._indices[source].long(), lengths)
