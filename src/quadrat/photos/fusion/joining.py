"""Metadata as vectors and as tokens, and how they join what photos say."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from quadrat.photos.fusion.base import FusionSpec
from quadrat.photos.fusion.metadata import Metadata


class MetadataVector(nn.Module):
    """Numbers, flags of missing ones and category vectors, side by side.

    Args:
        spec: Sizes of the fusion.
    """

    def __init__(self, spec: FusionSpec) -> None:
        super().__init__()
        self.embeddings = category_vectors(spec)
        self.width = 2 * spec.numeric + sum(spec.embedding)

    def forward(self, metadata: Metadata) -> Tensor:
        """Metadata of B samples to ``(B, M)``."""
        vectors = [
            embedding(metadata.categories[:, column])
            for column, embedding in enumerate(self.embeddings)
        ]
        return torch.cat([metadata.numeric, metadata.missing, *vectors], dim=1)


class MetadataTokens(nn.Module):
    """One token a column; an unknown value is a token, too.

    Args:
        spec: Sizes of the fusion.
    """

    def __init__(self, spec: FusionSpec) -> None:
        super().__init__()
        self.numbers = nn.ModuleList(nn.Linear(2, spec.hidden) for _ in range(spec.numeric))
        self.embeddings = category_vectors(spec)
        self.lifts = nn.ModuleList(nn.Linear(width, spec.hidden) for width in spec.embedding)

    def forward(self, metadata: Metadata) -> Tensor:
        """Metadata of B samples to ``(B, F + C, H)``."""
        pairs = torch.stack([metadata.numeric, metadata.missing], dim=-1)
        tokens = [number(pairs[:, column]) for column, number in enumerate(self.numbers)]
        for column, (embedding, lift) in enumerate(zip(self.embeddings, self.lifts, strict=True)):
            tokens.append(lift(embedding(metadata.categories[:, column])))
        if not tokens:
            return pairs.new_zeros(len(pairs), 0, 1)
        return torch.stack(tokens, dim=1)


class Joined(nn.Module):
    """A vector of the photos and the metadata through one layer.

    Args:
        spec: Sizes of the fusion.
        width: Of the photos' vector.
    """

    def __init__(self, spec: FusionSpec, width: int) -> None:
        super().__init__()
        self.metadata = MetadataVector(spec)
        self.layer = nn.Linear(width + self.metadata.width, spec.hidden)
        self.dropout = nn.Dropout(spec.dropout)

    def forward(self, photos: Tensor, metadata: Metadata) -> Tensor:
        """Photos ``(B, D)`` and metadata to ``(B, H)``."""
        joined = self.layer(torch.cat([photos, self.metadata(metadata)], dim=1))
        fused: Tensor = self.dropout(nn.functional.gelu(joined))
        return fused


def category_vectors(spec: FusionSpec) -> nn.ModuleList:
    """A table of vectors for every categorical column."""
    return nn.ModuleList(
        nn.Embedding(count, width)
        for count, width in zip(spec.cardinalities, spec.embedding, strict=True)
    )
