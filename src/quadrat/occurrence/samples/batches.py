"""Batches of cells and weeks, made on the device from index vectors.

The labels lie on the device as one sparse matrix; a batch is a gather of its rows. There are no
worker processes and no loop over samples, and nothing is dense beyond the logits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from quadrat.engine import IndexBatches
from quadrat.occurrence.samples.dataset import SampleSet
from quadrat.occurrence.samples.draws import Draws, batch_generator, moved, sphere_places


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
class Elsewhere:
    """Random places at which every species counts as absent, one for each sample.

    Args:
        position: Latitudes and longitudes in degrees ``(B, 2)``.
        week: The samples' weeks ``(B,)``.
        environment: Encoded environment ``(B, E)``; None where nothing is known.
    """

    position: Tensor
    week: Tensor
    environment: Tensor | None


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
        species: The species that were drawn to stand for all ``(M,)``; None: all are looked at.
        elsewhere: Random places, where the loss wants them.
    """

    position: Tensor
    week: Tensor
    positives: Positives
    environment: Tensor
    density: Tensor
    index: Tensor
    names: Callable[[Tensor], Sequence[str]]
    species: Tensor | None = None
    elsewhere: Elsewhere | None = None

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
        draws: What is drawn at random for every batch; None: nothing.
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
        draws: Draws | None = None,
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
        self._draws, self._jitter = draws, None
        if draws is not None and draws.jitter is not None:
            self._jitter = torch.from_numpy(draws.jitter).to(device)

    def _make(self, index: Tensor, epoch: int, position: int) -> CellBatch:
        cell, week = self._samples.cell_and_week(index)
        cell = cell.to(self._device, non_blocking=True)
        plain = CellBatch(
            position=self._position[cell],
            week=week.to(self._device, non_blocking=True),
            positives=self._gather(index),
            environment=self._environment[cell],
            density=self._density[cell],
            index=index,
            names=self._names,
        )
        if self._draws is None:
            return plain
        generator = batch_generator(self.seed, epoch, position, self.rank)
        species = self._draws.species_of(generator)
        return replace(
            plain,
            position=self._places(cell, generator),
            species=None if species is None else species.to(self._device, non_blocking=True),
            elsewhere=self._elsewhere(plain.week, generator),
        )

    def _places(self, cell: Tensor, generator: torch.Generator) -> Tensor:
        centres = self._position[cell]
        if self._jitter is None:
            return centres
        return moved(centres, self._jitter[cell], generator)

    def _elsewhere(self, week: Tensor, generator: torch.Generator) -> Elsewhere | None:
        where = self._draws.elsewhere if self._draws is not None else "none"
        if where == "none":
            return None
        if where == "sphere":
            return Elsewhere(sphere_places(len(week), generator).to(self._device), week, None)
        cells = torch.randint(len(self._position), (len(week),), generator=generator)
        cells = cells.to(self._device, non_blocking=True)
        return Elsewhere(self._places(cells, generator), week, self._environment[cells])

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
