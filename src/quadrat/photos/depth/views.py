"""Depth maps of the views of a batch: cut and mirrored as their photos are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from quadrat.photos.augment.variation import Variation, within
from quadrat.photos.views.plan import Flips, ViewPlan
from quadrat.photos.views.supply import draw, photo_of
from quadrat.runtime.images import WHOLE, Box


class DepthViews:
    """Maps of photos, on the device in half precision, of which views take their parts.

    A part is brought to the size of a whole map, whatever `ImagePreprocessing.fit` does with the
    colours of the view.

    Args:
        maps: Scaled, of the photos whose views they are, ``(P, S, S)``.
        plan: The parts of a photo.
        mirrorings: What is drawn from for every photo and epoch, as for its views.
        crop: What is seen of every photo.
        variation: What else the views are drawn with. Maps follow crops, rotations and what makes
            a part smaller in its frame; around it the values of its border go on.
        aspect: Width of a view over its height, in which parts are rotated.
        device: Where they are kept.
    """

    def __init__(
        self,
        maps: NDArray[np.float32],
        plan: ViewPlan | None = None,
        *,
        mirrorings: Sequence[Flips] = ("none",),
        crop: Box = WHOLE,
        variation: Variation | None = None,
        aspect: float = 1.0,
        device: torch.device | str = "cpu",
    ) -> None:
        self.plan = plan or ViewPlan()
        self.maps = torch.from_numpy(maps)[:, None].to(torch.float16).to(device)
        self.photo = torch.from_numpy(photo_of(self.plan, len(maps) * self.plan.slots))
        self.mirrorings, self.crop = tuple(mirrorings), crop
        self.variation, self.aspect = variation or Variation(), aspect
        self._mirrors = torch.tensor([_mirror(flip) for flip in self.mirrorings])
        slots = range(self.plan.slots)
        self._boxes = torch.tensor(
            [[self.plan.box(slot, flip) for slot in slots] for flip in self.mirrorings]
        )

    def take(self, rows: Tensor, epoch: int) -> Tensor:
        """Maps ``(V, 1, S, S)`` of views by their rows, as they are in an epoch; float32."""
        drawn = draw(len(self.mirrorings), self.photo, self.variation.seed, epoch)[rows]
        taken = self.maps[self.photo[rows].to(self.maps.device)].float()
        photos = self.photo[rows].tolist()
        turns = self._mirrors[drawn]
        if self.variation.moves:
            turns = torch.tensor([self._moved(epoch, photo) for photo in photos]) @ turns
        boxes = self._boxes[drawn, rows % self.plan.slots]
        if self.variation.crop < 1.0 or self.crop != WHOLE:
            crops = [within(self.crop, self.variation.box(epoch, photo)) for photo in photos]
            boxes = _within(torch.tensor(crops), boxes)
        grid = self._grid(turns, boxes, list(taken.shape))
        return nn.functional.grid_sample(taken, grid, padding_mode="border", align_corners=False)

    def _moved(self, epoch: int, photo: int) -> list[list[float]]:
        """Where in a part, from -1 to 1, each place lies once the part is rotated and smaller."""
        degrees, scale = self.variation.movement(epoch, photo)
        cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        return [
            [cosine / scale, -sine / scale / self.aspect],
            [sine / scale * self.aspect, cosine / scale],
        ]

    def _grid(self, turns: Tensor, boxes: Tensor, shape: list[int]) -> Tensor:
        """Where in the photos each place of the maps lies ``(V, S, S, 2)``, from -1 to 1."""
        still = torch.zeros(len(turns), 2, 1)
        device = self.maps.device
        inside = nn.functional.affine_grid(
            torch.cat([turns, still], dim=2).to(device), shape, align_corners=False
        )
        low, high = (ends[:, None, None] for ends in boxes.to(device).chunk(2, dim=1))
        places: Tensor = inside.clamp(-1.0, 1.0) * (high - low) + (low + high - 1.0)
        return places


def _mirror(flip: Flips) -> list[list[float]]:
    """Where in a part, from -1 to 1, each place lies once the part is mirrored."""
    across = -1.0 if flip.endswith(("horizontal", "both")) else 1.0
    down = -1.0 if flip.endswith(("vertical", "both")) else 1.0
    if flip.startswith("transposed"):
        return [[0.0, down], [across, 0.0]]
    return [[across, 0.0], [0.0, down]]


def _within(outer: Tensor, inner: Tensor) -> Tensor:
    """Boxes ``(V, 4)`` in boxes as boxes in the photos that these are cut from."""
    low, size = outer[:, :2], outer[:, 2:] - outer[:, :2]
    return torch.cat([low + inner[:, :2] * size, low + inner[:, 2:] * size], dim=1)
