"""Where the views of samples come from: kept on the device, or decoded when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from quadrat.photos.augment.variation import Variation, within
from quadrat.photos.encoders import Held
from quadrat.photos.features.rows import Rows, Stack
from quadrat.photos.views.plan import Flips, SeenViews, ViewPlan, mirrored
from quadrat.photos.views.threads import in_threads
from quadrat.runtime.images import WHOLE, Box, ImagePreprocessing, load_parts


class _Photo(NamedTuple):
    """Parts of a photo that are read together."""

    path: Path
    slots: list[int]
    drawn: int
    number: int


class Views(Protocol):
    """Where the views of samples come from.

    Attributes:
        ahead: Whether the next batch is worth making while the present one is used.
    """

    ahead: bool

    def take(self, rows: Tensor, epoch: int) -> Held:
        """Views, each ``(V, …)``, by their rows ``(V,)``, as they are in an epoch."""
        ...

    def share(self, rows: Tensor, epoch: int) -> Tensor:
        """Share of each view's area that is seen in an epoch ``(V,)``; 1 where nothing is cut."""
        ...


class CachedViews:
    """What an encoder holds of all views, once for each mirroring.

    Arrays in memory are brought to the device once; of large ones that lie in files, each batch
    reads its rows.

    Args:
        variants: For each mirroring the stacks ``(V, …)``; training draws one of them for every
            photo and epoch.
        photo: Which photo each view is of ``(V,)``: the parts of a photo are mirrored together.
        seed: Of the drawing.
        device: Where batches go.
    """

    def __init__(
        self,
        variants: Sequence[Sequence[Stack]],
        photo: NDArray[np.int64],
        *,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.photo, self.seed, self.device = torch.from_numpy(photo), seed, device
        self.variants = len(variants)
        self.stacks = [_stack(arrays, device) for arrays in zip(*variants, strict=True)]
        self.ahead = not all(isinstance(stack, Tensor) for stack in self.stacks)

    def take(self, rows: Tensor, epoch: int) -> Held:
        """What is held of some views, each ``(V, …)``, float32."""
        drawn = draw(self.variants, self.photo, self.seed, epoch)[rows]
        return tuple(self._rows(stack, drawn, rows).float() for stack in self.stacks)

    def _rows(self, stack: Tensor | list[Rows], drawn: Tensor, rows: Tensor) -> Tensor:
        if isinstance(stack, Tensor):
            return stack[drawn.to(stack.device), rows.to(stack.device)]
        wanted = zip(drawn.tolist(), rows.tolist(), strict=True)
        read = np.stack([stack[variant].rows[row] for variant, row in wanted])
        return torch.from_numpy(read).to(self.device, non_blocking=True)

    def share(self, rows: Tensor, epoch: int) -> Tensor:
        """Ones ``(V,)``: what is kept shows whole views."""
        return torch.ones(len(rows))


class LiveViews:
    """Photos that are decoded when they are needed, in threads.

    Args:
        seen: The views ``(V,)``.
        plan: What part of a photo each is.
        preprocessing: What they go through.
        hold: The stem of the encoder; by default the photos themselves are taken.
        mirrorings: What is drawn from for every photo and epoch.
        crop: What is seen of every photo.
        variation: What else is varied.
        device: Where they go.
        workers: Threads, as in ``run.workers``.
    """

    ahead = True

    def __init__(
        self,
        seen: SeenViews,
        plan: ViewPlan,
        preprocessing: ImagePreprocessing,
        *,
        hold: Callable[[Tensor], Held] = lambda views: (views,),
        mirrorings: Sequence[Flips] = ("none",),
        crop: Box = WHOLE,
        variation: Variation | None = None,
        device: torch.device | str = "cpu",
        workers: int = 0,
    ) -> None:
        self.seen, self.plan, self.preprocessing = seen, plan, preprocessing
        self.hold, self.device, self.workers = hold, device, workers
        self.photo = torch.from_numpy(photo_of(plan, len(seen.views)))
        self.mirrorings, self.crop = tuple(mirrorings), crop
        self.variation = variation or Variation()

    def take(self, rows: Tensor, epoch: int) -> Held:
        """What the stem holds of some views, each ``(V, …)``."""
        drawn = draw(len(self.mirrorings), self.photo, self.variation.seed, epoch)[rows]
        wanted = [(epoch, photo) for photo in self._photos(rows, drawn)]
        decoded = in_threads(self._load, wanted, workers=self.workers, ahead=len(rows))
        pixels = torch.from_numpy(np.concatenate(list(decoded)))
        # Channels last: quicker convolutions on most devices, and no change for transformers.
        pixels = pixels.to(memory_format=torch.channels_last)
        return self.hold(pixels.to(self.device, non_blocking=True))

    def share(self, rows: Tensor, epoch: int) -> Tensor:
        """Share of each view's area that is seen in an epoch ``(V,)``."""
        return torch.from_numpy(self.variation.share(epoch, self.photo[rows].numpy()))

    def _load(self, wanted: tuple[int, _Photo]) -> NDArray[np.float32]:
        epoch, photo = wanted
        change = self.variation.changes(epoch, photo.number, self.preprocessing.mean_colour)
        return load_mirrored(
            photo.path,
            photo.slots,
            self.plan,
            self.mirrorings[photo.drawn],
            self.preprocessing,
            crop=within(self.crop, self.variation.box(epoch, photo.number)),
            change=change,
        )

    def _photos(self, rows: Tensor, drawn: Tensor) -> list[_Photo]:
        """The photos of some views; parts of one that follow each other are read together."""
        photos: list[_Photo] = []
        last = -1
        for row, choice in zip(rows.tolist(), drawn.tolist(), strict=True):
            path, slot = self.seen.views[row]
            if slot > 0 and row == last + 1 and path == photos[-1].path:
                photos[-1].slots.append(slot)
            else:
                photos.append(_Photo(path, [slot], choice, int(self.photo[row])))
            last = row
        return photos


def _stack(arrays: Sequence[Stack], device: torch.device | str) -> Tensor | list[Rows]:
    """One stack for all mirrorings: on the device, or as its rows lie in files."""
    large = [array for array in arrays if isinstance(array, Rows)]
    if large:
        return large
    return torch.from_numpy(np.stack([array[:] for array in arrays])).to(device)


def load_mirrored(
    path: Path,
    slots: Sequence[int],
    plan: ViewPlan,
    flip: Flips,
    preprocessing: ImagePreprocessing,
    *,
    crop: Box = WHOLE,
    change: Callable[[Image.Image], Image.Image] | None = None,
) -> NDArray[np.float32]:
    """Some parts of a photo, which is decoded once, mirrored: ``(len(slots), 3, H, W)``.

    Args:
        path: The photo.
        slots: Which parts of it.
        plan: What the parts are.
        flip: Axes along which it is mirrored.
        preprocessing: What each part goes through.
        crop: What is seen of the photo; parts are parts of this.
        change: What is done to each part once it is resized.

    Raises:
        PhotoError: The photo cannot be read.
    """
    boxes = [within(crop, plan.box(slot, flip)) for slot in slots]
    parts = load_parts(path, boxes, preprocessing, change)
    return np.stack([mirrored(part, flip) for part in parts])


def photo_of(plan: ViewPlan, count: int) -> NDArray[np.int64]:
    """Which photo each of ``count`` views is of; a photo's parts follow each other."""
    return np.arange(count, dtype=np.int64) // plan.slots


def draw(choices: int, photo: Tensor, seed: int, epoch: int) -> Tensor:
    """A choice for every view, from (seed, epoch, photo) alone; int64 ``(V,)``.

    Args:
        choices: From how many.
        photo: Which photo each view is of ``(V,)``.
        seed: Of the experiment's part.
        epoch: The epoch.
    """
    if choices == 1:
        return torch.zeros(len(photo), dtype=torch.int64)
    generator = torch.Generator().manual_seed((seed * 1_000_003 + epoch + 500_009) % 2**63)
    return torch.randint(choices, (int(photo.max()) + 1,), generator=generator)[photo]
