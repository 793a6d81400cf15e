"""The network of the photos family: views and metadata in, parameters of the targets out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from quadrat.photos.encoders import PhotoEncoder
from quadrat.photos.fusion.plain import (
    FusionSpec,
    Metadata,
    MetadataDropout,
    fusions,
    mean_by_owner,
)
from quadrat.photos.heads.plain import HeadSpec, heads
from quadrat.photos.network.start import LinearStart
from quadrat.photos.schema import PhotosExperiment
from quadrat.targets import DISTRIBUTIONS

LARGEST_EMBEDDING = 16

REACH = 3.0
"""Standardised features are cut here: some of a sparse encoder's features hardly ever fire in
training, and a linear map would follow one that does to any height."""


@dataclass(frozen=True)
class NetworkSpec:
    """What a network is built from, beside its encoder.

    Attributes:
        photo_width: D, length of a view's vector.
        targets: T.
        distribution: What the head says about a target.
        numeric: F, number of numeric columns.
        cardinalities: Positions of every categorical column, with the unknown one (C).
        embedding: Length of the vector of every categorical column (C).
        fusion: Kind of fusion.
        fusion_hidden: Its width.
        dropout: Share of units dropped in fusion and head.
        head: Kind of head.
        head_hidden: Widths of its hidden layers.
        shared: One hidden part for all targets, or one for each.
        metadata_dropout: Share of samples whose metadata are hidden in training.
        category_dropout: Share of single categories hidden in training.
    """

    photo_width: int
    targets: int
    distribution: str
    numeric: int
    cardinalities: tuple[int, ...]
    embedding: tuple[int, ...]
    fusion: str
    fusion_hidden: int
    dropout: float
    head: str
    head_hidden: tuple[int, ...]
    shared: bool
    metadata_dropout: float
    category_dropout: float

    @classmethod
    def of(
        cls, experiment: PhotosExperiment, photo_width: int, cardinalities: Sequence[int]
    ) -> NetworkSpec:
        """The network that an experiment asks for.

        Args:
            experiment: The experiment.
            photo_width: D, as the encoder says.
            cardinalities: Of the categorical columns, as the training rows show.
        """
        data, head = experiment.data, experiment.head
        widths = [
            experiment.fusion.embedding.get(name, min(LARGEST_EMBEDDING, count // 2 or 1))
            for name, count in zip(data.categorical, cardinalities, strict=True)
        ]
        return cls(
            photo_width=photo_width,
            targets=len(data.targets),
            distribution=head.distribution,
            numeric=len(data.numeric),
            cardinalities=tuple(cardinalities),
            embedding=tuple(widths),
            fusion=experiment.fusion.kind,
            fusion_hidden=experiment.fusion.hidden,
            dropout=experiment.fusion.dropout,
            head=head.kind,
            head_hidden=head.hidden,
            shared=head.shared,
            metadata_dropout=experiment.augment.metadata_dropout,
            category_dropout=experiment.augment.category_dropout,
        )

    def to_json(self) -> dict[str, Any]:
        """The values as JSON holds them."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> NetworkSpec:
        """The inverse of `to_json`."""
        known: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**known)


LIMIT = 3.0
"""Standard deviations at which a photo's values are cut. Many features of a convolutional network
are zero in most photos; where one of them fires, a linear map must not run away with it."""


class NetworkInput(Protocol):
    """What the network takes from a batch of B samples."""

    @property
    def views(self) -> Tensor:
        """Vectors ``(V, D)``, or photos ``(V, 3, H, W)`` where the encoder learns."""
        ...

    @property
    def owner(self) -> Tensor:
        """Position of each view's sample ``(V,)``."""
        ...

    @property
    def metadata(self) -> Metadata:
        """The samples' metadata."""
        ...


class PhotosNetwork(nn.Module):
    """Encoder, pooling over a sample's views, and a linear start corrected by fusion and head.

    The output is ``start + head(fusion(photos, metadata))``. Head and start compute in float32
    whatever precision the encoder and the fusion have.

    Args:
        spec: What to build.
        encoder: Where it learns or turns photos into vectors here; None where it is given vectors.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, spec: NetworkSpec, encoder: PhotoEncoder | None = None) -> None:
        super().__init__()
        self.spec = spec
        self.encoder = encoder
        self.distribution = DISTRIBUTIONS[spec.distribution]
        parameters = len(self.distribution.parameters)
        self.register_buffer("centre", torch.zeros(spec.photo_width))
        self.register_buffer("scale", torch.ones(spec.photo_width))
        self.start = LinearStart(spec.photo_width, spec.numeric, spec.cardinalities, spec.targets)
        self.hide = MetadataDropout(spec.metadata_dropout, spec.category_dropout)
        self.fusion = fusions[spec.fusion](
            FusionSpec(
                spec.photo_width,
                spec.numeric,
                spec.cardinalities,
                spec.embedding,
                spec.fusion_hidden,
                spec.dropout,
            )
        )
        self.head = heads[spec.head](
            HeadSpec(
                spec.fusion_hidden,
                spec.targets,
                parameters,
                spec.head_hidden,
                spec.shared,
                spec.dropout,
            )
        )

    def forward(self, batch: NetworkInput) -> Tensor:
        """Parameters ``(B, T, P)`` of a batch, float32, on the scale of the target scaler."""
        views = batch.views
        if views.ndim == 4:
            if self.encoder is None:
                raise ValueError("this network takes vectors, and was given photos")
            views = self.encoder(views)
        metadata = self.hide(batch.metadata)
        photos = mean_by_owner(views.float(), batch.owner, len(metadata.numeric))
        photos = ((photos - self.centre) / self.scale).clamp(-LIMIT, LIMIT)
        fused = self.fusion(photos, metadata)
        with torch.autocast(fused.device.type, enabled=False):
            corrected: Tensor = self.head(fused.float())
            mean: Tensor = corrected[..., :1] + self.start(photos, metadata)[..., None]
            if corrected.shape[-1] == 1:
                return mean
            spread = corrected[..., 1:] + self.start.error.log()[:, None]
            parameters: Tensor = torch.cat([mean, spread], dim=-1)
            return parameters

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
