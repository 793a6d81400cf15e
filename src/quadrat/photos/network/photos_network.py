"""The network of the photos family: views and metadata in, parameters of the targets out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from quadrat.photos.augment.mixing import Mix
from quadrat.photos.depth.branch import DepthBranch, DepthSpec
from quadrat.photos.encoders import EncoderTail, Held
from quadrat.photos.fusion import Metadata, MetadataDropout, SampleViews, fusions, mean_by_owner
from quadrat.photos.heads import heads
from quadrat.photos.heads.auxiliary import BINS, METADATA, MetadataHead
from quadrat.photos.network.spec import NetworkSpec
from quadrat.photos.network.start import LinearStart
from quadrat.targets.weighting import UncertaintyWeights

LIMIT = 3.0
"""Standard deviations at which a photo's values are cut. Many features of a convolutional network
are zero in most photos; where one of them fires, a linear map must not run away with it."""


class NetworkInput(Protocol):
    """What the network takes from a batch of B samples with V views."""

    @property
    def views(self) -> Held:
        """What the encoder's stem holds of the views, each ``(V, …)``."""
        ...

    @property
    def owner(self) -> Tensor:
        """Position of each view's sample ``(V,)``, ascending."""
        ...

    @property
    def slot(self) -> Tensor:
        """Which part of a photo each view is ``(V,)``."""
        ...

    @property
    def metadata(self) -> Metadata:
        """The samples' metadata."""
        ...

    @property
    def mix(self) -> Mix | None:
        """Which samples are averaged past the fusion, in training."""
        ...

    @property
    def depth(self) -> Tensor | None:
        """Scaled depth maps of the views ``(V, 1, h, w)``, where the network takes them."""
        ...


class Output(NamedTuple):
    """What the network says of B samples.

    Attributes:
        parameters: Of the targets ``(B, T, P)``, float32, on the scale of the target scaler.
        auxiliary: What is said beside them, by name; see `quadrat.photos.heads.auxiliary`.
        log_variances: Of the losses, where their weights are learnt; see
            `quadrat.targets.weighting`.
        vectors: The mean vector of each sample's views, as the encoder says it ``(B, D)``.
    """

    parameters: Tensor
    auxiliary: Mapping[str, Tensor] = MappingProxyType({})
    log_variances: Tensor | None = None
    vectors: Tensor | None = None


class PhotosNetwork(nn.Module):
    """Tail of the encoder, fusion and head, around a linear start.

    The parameters are ``start + head(fusion(views, metadata))`` for heads that correct the start,
    otherwise those of the head, which may be given the start. Where there are depth maps, fusion
    and head see vectors that depth has joined; the start is a solution on the photos' own, and
    keeps to them. Head and start compute in float32 whatever precision the encoder and the fusion
    have.

    Args:
        spec: What to build.
        tail: The part of the encoder that learns; by default nothing of it does.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, spec: NetworkSpec, tail: EncoderTail | None = None) -> None:
        super().__init__()
        self.spec = spec
        self.encoder = tail if tail is not None else EncoderTail()
        self.distribution = spec.make_distribution()
        self.register_buffer("centre", torch.zeros(spec.photo_width))
        self.register_buffer("scale", torch.ones(spec.photo_width))
        self.start = LinearStart(spec.photo_width, spec.numeric, spec.cardinalities, spec.targets)
        self.depth = None
        if spec.depth is not None:
            self.depth = DepthBranch(spec.photo_width, DepthSpec(spec.depth))
        self.hide = MetadataDropout(spec.metadata_dropout, spec.category_dropout)
        self.fusion = fusions[spec.fusion](spec.fusion_spec())
        self.head = heads[spec.head](spec.head_spec())
        columns = spec.auxiliary()
        self.bins = nn.Linear(spec.fusion_hidden, spec.targets * spec.bins) if spec.bins else None
        self.told = (
            MetadataHead(spec.photo_width, spec.fusion_hidden, columns) if len(columns) else None
        )
        tasks = spec.targets + (self.bins is not None) + (self.told is not None)
        self.weighting = UncertaintyWeights(tasks) if spec.weighting == "uncertainty" else None

    def forward(self, batch: NetworkInput) -> Output:
        """What is said of the samples of a batch."""
        metadata = self.hide(batch.metadata)
        views, vectors = self.see(batch, len(metadata.numeric))
        joined = self._with_depth(views, batch.depth)
        auxiliary: dict[str, Tensor] = {}
        seen = metadata
        if self.told is not None:
            auxiliary[METADATA] = said = self.told(joined.photos)
            seen = self.told.fill(metadata, said) if self.spec.feed_back else metadata
        fused = self.fusion(joined, seen)
        mix = batch.mix or _unmixed
        with torch.autocast(fused.device.type, enabled=False):
            fused = mix(fused.float())
            if self.bins is not None:
                logits = self.bins(fused)
                auxiliary[BINS] = logits.reshape(len(fused), self.spec.targets, self.spec.bins)
            start = mix(self.start(views.photos, metadata)) if self.begins_linear else None
            parameters: Tensor = self.head(fused, joined, start)
            if start is not None:
                parameters = parameters + self._begun(start)
        variances = self.weighting() if self.weighting else None
        return Output(parameters, auxiliary, variances, vectors)

    def see(self, batch: NetworkInput, count: int) -> tuple[SampleViews, Tensor]:
        """The views of B samples as fusion and head see them, and their mean vectors ``(B, D)``.

        Args:
            batch: The samples.
            count: B.
        """
        vectors, tokens = self.encoder(batch.views)
        vectors = vectors.float()
        means = mean_by_owner(vectors, batch.owner, count)
        views = SampleViews(
            vectors=self._standard(vectors),
            photos=self._standard(means),
            owner=batch.owner,
            slot=batch.slot,
            tokens=tokens,
        )
        return views, means

    def _with_depth(self, views: SampleViews, maps: Tensor | None) -> SampleViews:
        """The views with what their maps add to them; as they are in a network without depth."""
        if self.depth is None:
            return views
        if maps is None:
            raise ValueError("this network takes depth maps, and was given none")
        vectors: Tensor = self.depth(views.vectors, maps)
        added = mean_by_owner(vectors - views.vectors, views.owner, views.count)
        return replace(
            views,
            vectors=vectors.clamp(-LIMIT, LIMIT),
            photos=(views.photos + added).clamp(-LIMIT, LIMIT),
        )

    def _standard(self, vectors: Tensor) -> Tensor:
        return ((vectors - self.centre) / self.scale).clamp(-LIMIT, LIMIT)

    def _begun(self, start: Tensor) -> Tensor:
        """What the head's words are added to; spreads begin at the start's errors."""
        added = start if self.head.corrects else torch.zeros_like(start)
        return self.distribution.start(added, self.start.error)

    @property
    def begins_linear(self) -> bool:
        """Whether training begins at the linear start."""
        return self.head.corrects or self.head.takes_start

    def beside_encoder(self) -> list[nn.Module]:
        """The parts that learn at the head's rate."""
        parts = [
            self.start,
            self.fusion,
            self.head,
            self.bins,
            self.told,
            self.weighting,
            self.depth,
        ]
        return [part for part in parts if part is not None]

    @torch.no_grad()
    def standardise(self, photos: NDArray[np.float32]) -> None:
        """Learns the means and standard deviations of pooled photo vectors ``(N, D)``."""
        values = photos.astype(np.float64)
        sd = values.std(axis=0)
        usual = float(np.median(sd)) or 1.0
        self.centre.copy_(torch.from_numpy(values.mean(axis=0)))
        self.scale.copy_(torch.from_numpy(np.where(sd > 1e-6 * usual, sd, usual)))

    def standardised(self, photos: NDArray[np.float32]) -> NDArray[np.float64]:
        """Pooled photo vectors ``(N, D)`` as the fusion and the start see them."""
        centre, scale = (t.double().cpu().numpy() for t in (self.centre, self.scale))
        values: NDArray[np.float64] = np.clip((photos - centre) / scale, -LIMIT, LIMIT)
        return values


def _unmixed(values: Tensor) -> Tensor:
    return values
