"""From photo vectors and metadata to one vector a sample, with or without the metadata."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from quadrat._registry import Registry
from quadrat.runtime.metadata import EncodedMetadata


class Metadata(NamedTuple):
    """The metadata of B samples, as `quadrat.runtime.metadata` encodes them.

    Attributes:
        numeric: ``(B, F)`` standardised; 0 where unknown.
        missing: ``(B, F)``, 1 where unknown.
        categories: ``(B, C)`` int64; 0 is unknown.
    """

    numeric: Tensor
    missing: Tensor
    categories: Tensor

    @classmethod
    def of(cls, encoded: EncodedMetadata, device: torch.device | str = "cpu") -> Metadata:
        """Encoded metadata as tensors."""
        parts = (encoded.numeric, encoded.missing, encoded.categories)
        return cls(*(torch.from_numpy(part).to(device) for part in parts))

    def take(self, index: Tensor) -> Metadata:
        """Some of the samples."""
        return Metadata(*(part[index] for part in self))

    def joined(self, other: Metadata) -> Metadata:
        """These samples and then others."""
        return Metadata(*(torch.cat(pair) for pair in zip(self, other, strict=True)))

    def hidden(self) -> Metadata:
        """The same samples with nothing known."""
        return Metadata(
            torch.zeros_like(self.numeric),
            torch.ones_like(self.missing),
            torch.zeros_like(self.categories),
        )

    def known_share(self) -> Tensor:
        """Share of the columns that are known, ``(B, 1)``; 0 where there are no columns."""
        known = torch.cat([1.0 - self.missing, (self.categories > 0).to(self.missing.dtype)], dim=1)
        return known.sum(dim=1, keepdim=True) / max(known.shape[1], 1)


class MetadataDropout(nn.Module):
    """Hides metadata at random in training, so that the model answers without them too.

    Args:
        samples: Share of samples whose metadata are all hidden.
        categories: Share of single categories that are hidden.
    """

    def __init__(self, samples: float, categories: float) -> None:
        super().__init__()
        self.samples, self.categories = samples, categories

    def forward(self, metadata: Metadata) -> Metadata:
        """The metadata with some of them hidden; unchanged in evaluation mode."""
        if not self.training:
            return metadata
        device = metadata.numeric.device
        kept = torch.rand(len(metadata.numeric), 1, device=device) >= self.samples
        single = torch.rand(metadata.categories.shape, device=device) >= self.categories
        return Metadata(
            metadata.numeric * kept,
            torch.where(kept, metadata.missing, torch.ones_like(metadata.missing)),
            metadata.categories * (kept & single),
        )


@dataclass(frozen=True)
class FusionSpec:
    """What a fusion is built from.

    Attributes:
        photo_width: D, length of a photo's vector.
        numeric: F, number of numeric columns.
        cardinalities: Positions of every categorical column, with the unknown one (C).
        embedding: Length of the vector of every categorical column (C).
        hidden: Length H of the sample's vector.
        dropout: Share of units that are dropped in training.
    """

    photo_width: int
    numeric: int
    cardinalities: tuple[int, ...]
    embedding: tuple[int, ...]
    hidden: int
    dropout: float


fusions: Registry[Callable[[FusionSpec], nn.Module]] = Registry("fusion")
"""Builders of modules that map photos ``(B, D)`` and `Metadata` to ``(B, H)``."""


@fusions.register("mlp", summary="joined and passed through a layer")
class MlpFusion(nn.Module):
    """Photo vector, numbers, flags of missing ones and category vectors through one layer.

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

    def forward(self, photos: Tensor, metadata: Metadata) -> Tensor:
        """``(B, D)`` and metadata to ``(B, H)``."""
        vectors = [
            embedding(metadata.categories[:, column])
            for column, embedding in enumerate(self.embeddings)
        ]
        joined = torch.cat([photos, metadata.numeric, metadata.missing, *vectors], dim=1)
        fused: Tensor = self.dropout(nn.functional.gelu(self.layer(joined)))
        return fused


def mean_by_owner(vectors: Tensor, owner: Tensor, count: int) -> Tensor:
    """The mean vector of every sample's views.

    Args:
        vectors: ``(V, D)``.
        owner: Position of each view's sample ``(V,)``; every sample owns at least one.
        count: B, number of samples.

    Returns:
        ``(B, D)``.
    """
    sums = vectors.new_zeros(count, vectors.shape[1]).index_add(0, owner, vectors)
    views = vectors.new_zeros(count).index_add(0, owner, vectors.new_ones(len(owner)))
    return sums / views[:, None]
