"""Batches of samples: their views, metadata and targets by index vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quadrat.engine import IndexBatches, SampleOrder
from quadrat.photos.augment.changes import BatchChanges
from quadrat.photos.augment.mixing import Mix
from quadrat.photos.depth.views import DepthViews
from quadrat.photos.encoders import Held
from quadrat.photos.fusion import Metadata, mean_by_owner
from quadrat.photos.views.plan import SeenViews
from quadrat.photos.views.supply import Views


@dataclass(frozen=True)
class PhotoBatch:
    """B samples with their V views.

    Attributes:
        index: Positions of the samples ``(B,)``.
        views: What the encoder's stem holds of the views, each ``(V, …)``.
        owner: Position of each view's sample in the batch ``(V,)``, ascending.
        slot: Which part of a photo each view is ``(V,)``.
        metadata: Their metadata.
        targets: Standardised targets ``(B, T)``, NaN where unknown.
        names: Names of all samples there are, by position.
        mix: Which samples the network shall average, past the fusion.
        depth: Scaled depth maps of the views ``(V, 1, h, w)``, where networks take them.
        weights: How much each sample counts ``(B,)``; None where all count alike.
    """

    index: Tensor
    views: Held
    owner: Tensor
    slot: Tensor
    metadata: Metadata
    targets: Tensor
    names: Sequence[str]
    mix: Mix | None = None
    depth: Tensor | None = None
    weights: Tensor | None = None

    def sample_ids(self) -> list[str]:
        """The samples' names ``(B,)``."""
        return [self.names[place] for place in self.index.tolist()]


class SampleBatches:
    """Makes batches from the views, metadata and targets of N samples; a source for `fit`.

    Args:
        views: Where views come from.
        seen: Whose they are.
        metadata: Of the samples, on the device; or of the samples several times, differently: all
            of them then come so many times, one after the other.
        targets: Standardised ``(N, T)``, NaN where unknown.
        names: Of the samples.
        batch_size: Samples a batch.
        seed: Of the order.
        shuffle: False for a fixed order.
        rank: The number of this process.
        world: How many there are.
        device: Where batches go.
        order: Draws the samples of an epoch instead of shuffling them.
        changes: What training varies of a batch.
        depth: Where the depth maps of the views come from, where networks take them.
        weights: How much each sample counts ``(N,)``; None where all count alike.
    """

    def __init__(
        self,
        views: Views,
        seen: SeenViews,
        metadata: Metadata,
        targets: NDArray[np.float64],
        names: Sequence[str],
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = False,
        rank: int = 0,
        world: int = 1,
        device: torch.device | str = "cpu",
        order: SampleOrder | None = None,
        changes: BatchChanges | None = None,
        depth: DepthViews | None = None,
        weights: NDArray[np.float64] | None = None,
    ) -> None:
        self.views, self.metadata, self.device = views, metadata, device
        self.changes, self.stream = changes or BatchChanges(), rank
        self.depth = depth
        times = len(metadata.numeric) // len(names)
        counts = torch.from_numpy(np.bincount(seen.owner, minlength=len(names)))
        self.counts = counts.repeat(times)
        self.slot = torch.from_numpy(seen.slot)
        self.starts = (counts.cumsum(0) - counts).repeat(times)
        self.targets = torch.from_numpy(targets.astype(np.float32)).repeat(times, 1).to(device)
        self.weights: Tensor | None = None
        if weights is not None:
            self.weights = torch.from_numpy(weights.astype(np.float32)).repeat(times).to(device)
        self.names = tuple(names) * times
        self._index: IndexBatches[PhotoBatch] = IndexBatches(
            len(self.names),
            batch_size,
            self._make,
            seed=seed,
            shuffle=shuffle,
            rank=rank,
            world=world,
            order=order,
        )

    def __len__(self) -> int:
        return len(self._index)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[PhotoBatch]:
        """The batches of an epoch, from position ``start`` on."""
        made = self._index.epoch(epoch, start)
        return _made_ahead(made) if self.views.ahead else made

    def state_dict(self) -> dict[str, Any]:
        """The seed and sizes of the order, and how it was planned."""
        return self._index.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Checks that a saved state belongs to this order."""
        self._index.load_state_dict(state)

    def _make(self, index: Tensor, epoch: int, position: int) -> PhotoBatch:
        rows, owner = view_rows(self.starts, self.counts, index)
        changes, place = self.changes, index.to(self.device)
        generator = changes.generator(epoch, position + len(self) * self.stream)
        if changes.view_dropout > 0.0:
            kept = changes.kept(owner, generator)
            rows, owner = rows[kept], owner[kept]
        targets = self.targets[place]
        if changes.shrink is not None:
            share = mean_by_owner(self.views.share(rows, epoch)[:, None], owner, len(index))
            targets = changes.shrink(targets, share[:, 0].to(self.device))
        batch = PhotoBatch(
            index=index,
            views=self.views.take(rows, epoch),
            owner=owner.to(self.device),
            slot=self.slot[rows].to(self.device),
            metadata=self.metadata.take(place),
            targets=targets,
            names=self.names,
            depth=None if self.depth is None else self.depth.take(rows, epoch),
            weights=None if self.weights is None else self.weights[place],
        )
        mix = changes.mix(len(index), generator)
        return batch if mix is None else _mixed(batch, mix.to(self.device), changes.mixup_of)


def _mixed(batch: PhotoBatch, mix: Mix, what: str) -> PhotoBatch:
    """A batch of averaged pairs; where vectors are mixed, the network does the rest."""
    weights = None if batch.weights is None else mix(batch.weights)
    batch = replace(batch, targets=mix(batch.targets), weights=weights)
    if what == "vectors":
        return replace(batch, mix=mix)
    views = tuple(mix.views(view) for view in batch.views)
    depth = None if batch.depth is None else mix.views(batch.depth)
    return replace(batch, views=views, metadata=mix.metadata(batch.metadata), depth=depth)


def _made_ahead(batches: Iterator[PhotoBatch]) -> Iterator[PhotoBatch]:
    """The same batches; each is made while the one before it is used."""
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as maker:
        following = maker.submit(next, batches, None)
        while (batch := following.result()) is not None:
            following = maker.submit(next, batches, None)
            yield batch


def view_rows(starts: Tensor, counts: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """The rows of the views of some samples, and whose they are.

    Args:
        starts: First row of every sample ``(N,)``.
        counts: Number of its views ``(N,)``.
        index: The samples ``(B,)``.

    Returns:
        Rows and owners, both ``(V,)``.
    """
    wanted = counts[index]
    owner = torch.repeat_interleave(torch.arange(len(index)), wanted)
    before = wanted.cumsum(0) - wanted
    within = torch.arange(len(owner)) - before[owner]
    return starts[index][owner] + within, owner
