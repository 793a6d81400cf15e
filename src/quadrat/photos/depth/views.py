"""Depth maps of the views of a batch: cut and mirrored as their photos are."""

from __future__ import annotations

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
        variation: What else the views are drawn with. Maps follow crops; rotated and shrunk photos
            keep theirs.
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
        device: torch.device | str = "cpu",
    ) -> None:
        self.plan = plan or ViewPlan()
        self.maps = torch.from_numpy(maps)[:, None].to(torch.float16).to(device)
        self.photo = torch.from_numpy(photo_of(self.plan, len(maps) * self.plan.slots))
        self.mirrorings, self.crop = tuple(mirrorings), crop
        self.variation = variation or Variation()
        self._places = torch.tensor(
            [
                [self._place(slot, flip) for slot in range(self.plan.slots)]
                for flip in self.mirrorings
            ]
        )

    def take(self, rows: Tensor, epoch: int) -> Tensor:
        """Maps ``(V, 1, S, S)`` of views by their rows, as they are in an epoch; float32."""
        drawn = draw(len(self.mirrorings), self.photo, self.variation.seed, epoch)[rows]
        taken = self.maps[self.photo[rows].to(self.maps.device)].float()
        places = self._places[drawn, rows % self.plan.slots]
        if self.variation.crop < 1.0 or self.crop != WHOLE:
            photos = self.photo[rows].tolist()
            boxes = [within(self.crop, self.variation.box(epoch, photo)) for photo in photos]
            places = _within(torch.tensor(boxes), places)
        grid = nn.functional.affine_grid(
            places.to(taken.device), list(taken.shape), align_corners=False
        )
        return nn.functional.grid_sample(taken, grid, padding_mode="border", align_corners=False)

    def _place(self, slot: int, flip: Flips) -> list[list[float]]:
        """Where in a photo, from -1 to 1, each place of a part lies once the part is mirrored."""
        left, top, right, bottom = self.plan.box(slot, flip)
        across = -1.0 if flip.endswith(("horizontal", "both")) else 1.0
        down = -1.0 if flip.endswith(("vertical", "both")) else 1.0
        width, height = right - left, bottom - top
        if flip.startswith("transposed"):
            return [
                [0.0, down * width, left + right - 1.0],
                [across * height, 0.0, top + bottom - 1.0],
            ]
        return [
            [across * width, 0.0, left + right - 1.0],
            [0.0, down * height, top + bottom - 1.0],
        ]


def _within(boxes: Tensor, places: Tensor) -> Tensor:
    """Places ``(V, 2, 3)`` in boxes ``(V, 4)`` as places in the photos that these are cut from."""
    low, high = boxes[:, :2], boxes[:, 2:]
    scaled = places * (high - low)[..., None]
    scaled[..., 2] += low + high - 1.0
    return scaled
