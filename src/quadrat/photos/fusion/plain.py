"""Fusions of a sample's mean photo vector and its metadata."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from quadrat.photos.fusion.base import FusionSpec, SampleViews, fusions
from quadrat.photos.fusion.joining import MetadataVector, category_vectors
from quadrat.photos.fusion.metadata import Metadata


class MlpFusion(nn.Module):
    """Mean photo vector, numbers, flags of missing ones and category vectors through one layer.

    Args:
        spec: Its sizes.
    """

    def __init__(self, spec: FusionSpec) -> None:
        super().__init__()
        self.embeddings = category_vectors(spec)
        joined = spec.photo_width + 2 * spec.numeric + sum(spec.embedding)
        self.layer = nn.Linear(joined, spec.hidden)
        self.dropout = nn.Dropout(spec.dropout)

    def forward(self, views: SampleViews, metadata: Metadata) -> Tensor:
        """Views and metadata of B samples to ``(B, H)``."""
        vectors = [
            embedding(metadata.categories[:, column])
            for column, embedding in enumerate(self.embeddings)
        ]
        joined = torch.cat([views.photos, metadata.numeric, metadata.missing, *vectors], dim=1)
        fused: Tensor = self.dropout(nn.functional.gelu(self.layer(joined)))
        return fused


class GatedFusion(nn.Module):
    """Photos and metadata by themselves, and a learnt gate that says how much of each.

    ``z · tanh(W_p p) + (1 - z) · tanh(W_m m)`` with ``z = σ(W_z [p, m])``: the gated multimodal
    unit of Arevalo, Solorio, Montes-y-Gómez & González (2017), ICLR workshop.

    Args:
        spec: Its sizes; with metadata.
    """

    def __init__(self, spec: FusionSpec) -> None:
        super().__init__()
        self.metadata = MetadataVector(spec)
        self.photos = nn.Linear(spec.photo_width, spec.hidden)
        self.beside = nn.Linear(self.metadata.width, spec.hidden)
        self.gate = nn.Linear(spec.photo_width + self.metadata.width, spec.hidden)
        self.dropout = nn.Dropout(spec.dropout)

    def forward(self, views: SampleViews, metadata: Metadata) -> Tensor:
        """Views and metadata of B samples to ``(B, H)``."""
        known = self.metadata(metadata)
        share = torch.sigmoid(self.gate(torch.cat([views.photos, known], dim=1)))
        photos, beside = torch.tanh(self.photos(views.photos)), torch.tanh(self.beside(known))
        fused: Tensor = self.dropout(share * photos + (1.0 - share) * beside)
        return fused


@fusions.register("mlp", summary="joined and passed through a layer, with a gate by choice")
def build_mlp(spec: FusionSpec) -> nn.Module:
    """The fusion ``mlp``."""
    return GatedFusion(spec) if spec.gate else MlpFusion(spec)


@fusions.register("mean", summary="the mean of the views and metadata, mapped linearly")
class MeanFusion(nn.Module):
    """Mean photo vector and metadata through one linear layer, without a bend.

    Args:
        spec: Its sizes.
    """

    def __init__(self, spec: FusionSpec) -> None:
        super().__init__()
        self.metadata = MetadataVector(spec)
        self.layer = nn.Linear(spec.photo_width + self.metadata.width, spec.hidden)
        self.dropout = nn.Dropout(spec.dropout)

    def forward(self, views: SampleViews, metadata: Metadata) -> Tensor:
        """Views and metadata of B samples to ``(B, H)``."""
        joined = torch.cat([views.photos, self.metadata(metadata)], dim=1)
        fused: Tensor = self.dropout(self.layer(joined))
        return fused


@fusions.register("film", summary="metadata scale and shift what photos say")
class FilmFusion(nn.Module):
    """Metadata modulate the photos' vector, ``(1 + γ(m)) · h(p) + β(m)``.

    Feature-wise linear modulation: Perez, Strub, de Vries, Dumoulin & Courville (2018), AAAI.
    Before training γ and β are 0.

    Args:
        spec: Its sizes; with metadata.
    """

    def __init__(self, spec: FusionSpec) -> None:
        super().__init__()
        self.metadata = MetadataVector(spec)
        self.photos = nn.Linear(spec.photo_width, spec.hidden)
        self.inner = nn.Linear(self.metadata.width, spec.hidden)
        self.modulation = nn.Linear(spec.hidden, 2 * spec.hidden)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)
        self.dropout = nn.Dropout(spec.dropout)

    def forward(self, views: SampleViews, metadata: Metadata) -> Tensor:
        """Views and metadata of B samples to ``(B, H)``."""
        photos = nn.functional.gelu(self.photos(views.photos))
        inner = nn.functional.gelu(self.inner(self.metadata(metadata)))
        scale, shift = self.modulation(inner).chunk(2, dim=1)
        fused: Tensor = self.dropout((1.0 + scale) * photos + shift)
        return fused
