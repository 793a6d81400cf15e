"""The plain fusion: everything joined and passed through a layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from quadrat.photos.fusion.base import FusionSpec, SampleViews, fusions
from quadrat.photos.fusion.metadata import Metadata


@fusions.register("mlp", summary="joined and passed through a layer")
class MlpFusion(nn.Module):
    """Mean photo vector, numbers, flags of missing ones and category vectors through one layer.

    Args:
        spec: Its sizes.
    """

    def __init__(self, spec: FusionSpec) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(
            nn.Embedding(count, width)
            for count, width in zip(spec.cardinalities, spec.embedding, strict=True)
        )
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
