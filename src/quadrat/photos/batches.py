"""Batches of samples: index vectors into features on the device, or photos decoded meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quadrat.engine import IndexBatches
from quadrat.photos.fusion.plain import Metadata
from quadrat.photos.views.threads import in_threads
from quadrat.runtime.images import ImagePreprocessing, load_view

Flips = Literal["none", "horizontal", "vertical", "both"]

MIRRORED: dict[str, tuple[Flips, ...]] = {
    "none": ("none",),
    "horizontal": ("none", "horizontal"),
    "vertical": ("none", "vertical"),
    "both": ("none", "horizontal", "vertical", "both"),
}
"""Value of ``augment.flips`` → the mirrorings of a photo that training draws from."""


@dataclass(frozen=True)
class PhotoBatch:
    """B samples with their V views.

    Attributes:
        index: Positions of the samples ``(B,)``.
        views: Vectors ``(V, D)``, or photos ``(V, 3, H, W)``.
        owner: Position of each view's sample in the batch ``(V,)``.
        metadata: Their metadata.
        targets: Standardised targets ``(B, T)``, NaN where unknown.
        names: Names of all samples there are, by position.
    """

    index: Tensor
    views: Tensor
    owner: Tensor
    metadata: Metadata
    targets: Tensor
    names: Sequence[str]

    def sample_ids(self) -> list[str]:
        """The samples' names ``(B,)``."""
        return [self.names[place] for place in self.index.tolist()]


class Views(Protocol):
    """Where the views of samples come from.

    Attributes:
        ahead: Whether the next batch is worth making while the present one is used.
    """

    ahead: bool

    def take(self, rows: Tensor, epoch: int) -> Tensor:
        """Views ``(V, …)`` by their rows ``(V,)``, as they are in an epoch."""
        ...


class CachedViews:
    """Vectors of all views, on the device, one matrix for each mirroring.

    Args:
        matrices: ``(V, D)`` each; training draws one of them for every view and epoch.
        seed: Of the drawing.
        device: Where they are kept.
    """

    ahead = False

    def __init__(
        self,
        matrices: Sequence[NDArray[np.float32]],
        *,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.stack = torch.from_numpy(np.stack(matrices)).to(device)
        self.seed = seed

    def take(self, rows: Tensor, epoch: int) -> Tensor:
        """Vectors ``(V, D)``."""
        variants, views, _ = self.stack.shape
        drawn = draw(variants, views, self.seed, epoch)[rows]
        return self.stack[drawn.to(self.stack.device), rows.to(self.stack.device)]


class LiveViews:
    """Photos that are decoded when they are needed, in threads.

    Args:
        paths: The photos ``(V,)``.
        preprocessing: What they go through.
        flips: Mirrorings that training draws from.
        seed: Of the drawing.
        device: Where they go.
        workers: Threads, as in ``run.workers``.
    """

    ahead = True

    def __init__(
        self,
        paths: Sequence[Path],
        preprocessing: ImagePreprocessing,
        *,
        flips: str,
        seed: int,
        device: torch.device | str = "cpu",
        workers: int = 0,
    ) -> None:
        self.paths, self.preprocessing, self.device = paths, preprocessing, device
        self.mirrorings, self.seed, self.workers = MIRRORED[flips], seed, workers

    def take(self, rows: Tensor, epoch: int) -> Tensor:
        """Photos ``(V, 3, H, W)``."""
        drawn = draw(len(self.mirrorings), len(self.paths), self.seed, epoch)[rows]
        wanted = zip(rows.tolist(), drawn.tolist(), strict=True)
        decoded = in_threads(self._load, wanted, workers=self.workers, ahead=len(rows))
        return torch.from_numpy(np.stack(list(decoded))).to(self.device, non_blocking=True)

    def _load(self, wanted: tuple[int, int]) -> NDArray[np.float32]:
        row, drawn = wanted
        return mirrored(load_view(self.paths[row], self.preprocessing), self.mirrorings[drawn])


class SampleBatches:
    """Makes batches from the views, metadata and targets of N samples; a source for `fit`.

    Args:
        views: Where views come from.
        owner: Position of each view's sample ``(V,)``, ascending.
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
    """

    def __init__(
        self,
        views: Views,
        owner: NDArray[np.int64],
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
    ) -> None:
        self.views, self.metadata, self.device = views, metadata, device
        times = len(metadata.numeric) // len(names)
        counts = torch.from_numpy(np.bincount(owner, minlength=len(names)))
        self.counts = counts.repeat(times)
        self.starts = (counts.cumsum(0) - counts).repeat(times)
        self.targets = torch.from_numpy(targets.astype(np.float32)).repeat(times, 1).to(device)
        self.names = tuple(names) * times
        self._index: IndexBatches[PhotoBatch] = IndexBatches(
            len(self.names),
            batch_size,
            self._make,
            seed=seed,
            shuffle=shuffle,
            rank=rank,
            world=world,
        )

    def __len__(self) -> int:
        return len(self._index)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[PhotoBatch]:
        """The batches of an epoch, from position ``start`` on."""
        made = self._index.epoch(epoch, start)
        return _made_ahead(made) if self.views.ahead else made

    def state_dict(self) -> dict[str, int]:
        """The seed and sizes of the order."""
        return self._index.state_dict()

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Checks that a saved state belongs to this order."""
        self._index.load_state_dict(state)

    def _make(self, index: Tensor, epoch: int, position: int) -> PhotoBatch:
        rows, owner = view_rows(self.starts, self.counts, index)
        place = index.to(self.device)
        return PhotoBatch(
            index=index,
            views=self.views.take(rows, epoch),
            owner=owner.to(self.device),
            metadata=self.metadata.take(place),
            targets=self.targets[place],
            names=self.names,
        )


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


def draw(choices: int, count: int, seed: int, epoch: int) -> Tensor:
    """A choice for every one of ``count`` views, from (seed, epoch, view) alone; int64."""
    if choices == 1:
        return torch.zeros(count, dtype=torch.int64)
    generator = torch.Generator().manual_seed((seed * 1_000_003 + epoch + 500_009) % 2**63)
    return torch.randint(choices, (count,), generator=generator)


def mirrored(view: NDArray[np.float32], flip: Flips) -> NDArray[np.float32]:
    """A photo ``(3, H, W)`` mirrored along axes."""
    if flip in ("horizontal", "both"):
        view = view[:, :, ::-1]
    return view[:, ::-1] if flip in ("vertical", "both") else view
