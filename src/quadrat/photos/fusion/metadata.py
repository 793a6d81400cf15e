"""Metadata of samples as tensors, and hiding some of them in training."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

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
