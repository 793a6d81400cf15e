"""One sample whose photos can be changed before a model looks at them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quadrat.photos.batches import PhotoBatch
from quadrat.photos.encoders import Held
from quadrat.photos.fusion import Metadata
from quadrat.photos.member import Member
from quadrat.photos.predictions import Answer
from quadrat.photos.predictor import PhotosPredictor
from quadrat.photos.samples.loading import Samples
from quadrat.photos.views.supply import load_mirrored

Array = NDArray[np.float64]


class Subject:
    """The views of a sample, ready for a model.

    Args:
        predictor: The model.
        sample: One sample.

    Raises:
        PhotoError: A photo cannot be read.
    """

    def __init__(self, predictor: PhotosPredictor, sample: Samples) -> None:
        self.sample, self.source, self.members = sample, predictor.source, predictor.members
        plan = self.source.plan
        self.preprocessing = self.source.preprocessing(predict=True)
        parts = [
            load_mirrored(path, range(plan.slots), plan, "none", self.preprocessing)
            for path in sample.paths[0]
        ]
        self.pixels = torch.from_numpy(np.concatenate(parts)).to(self.source.device)
        self.slot = torch.from_numpy(self.source.see(sample).slot).to(self.source.device)

    def pictures(self) -> NDArray[np.uint8]:
        """The views as the model sees them ``(V, H, W, 3)``."""
        mean, std = (
            np.array(values)[:, None, None]
            for values in (self.preprocessing.mean, self.preprocessing.std)
        )
        values = self.pixels.cpu().numpy() * std + mean
        rounded: NDArray[np.uint8] = (255.0 * values.clip(0.0, 1.0)).round().astype(np.uint8)
        return rounded.transpose(0, 2, 3, 1)

    def hold(self, pixels: Tensor) -> Held:
        """What the frozen part of the encoder, which all members share, says of views."""
        return self.source.encoder.to(self.source.device).hold(pixels)

    def batch(self, member: Member, held: Held) -> PhotoBatch:
        """The sample several times, with changed photos, as a member's network takes it.

        Args:
            member: The member.
            held: What `hold` says of its V views, n times one after the other ``(nV, …)``.
        """
        count, device = len(held[0]) // len(self.slot), self.source.device
        owner = torch.arange(count, device=device).repeat_interleave(len(self.slot))
        encoded = member.metadata.encode(self.sample.numeric, self.sample.categorical)
        nothing = torch.zeros(count, dtype=torch.int64, device=device)
        depth = self.source.depth_views(self.sample, member.depth)
        maps = None if depth is None else depth.take(torch.arange(len(self.slot)), 0)
        return PhotoBatch(
            index=nothing.cpu(),
            views=held,
            owner=owner,
            slot=self.slot.repeat(count),
            metadata=Metadata.of(encoded, device).take(nothing),
            targets=torch.full((count, member.network.spec.targets), torch.nan, device=device),
            names=self.sample.ids,
            depth=None if maps is None else maps.repeat(count, 1, 1, 1),
        )

    @torch.inference_mode()
    def say(self, pixels: Tensor) -> Array:
        """The members' mean predictions before balance, in the targets' units ``(n, T)``.

        Args:
            pixels: Its V views, n times one after the other ``(nV, 3, H, W)``.
        """
        said, held = [], self.hold(pixels)
        for member in self.members:
            network = member.network.to(self.source.device).eval()
            parameters = network(self.batch(member, held)).parameters.double().cpu().numpy()
            floor, distribution = np.array(member.floor), network.distribution
            said.append(Answer(parameters, member.scaler, floor, distribution).prediction().mean)
        mean: Array = np.mean(said, axis=0)
        return mean
