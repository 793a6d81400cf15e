"""The linear start of a photos network: two linear maps, found in closed form."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from quadrat.photos.fusion import Metadata
from quadrat.photos.network.ridge import Design, Ridge, fit_ridge
from quadrat.runtime.metadata import EncodedMetadata

LEAST_ERROR = 1e-3
"""Smallest squared error of a standardised target that a distribution head starts from."""


class LinearStart(nn.Module):
    """Two linear maps to the means of the targets: one for photos alone, one with metadata.

    Between them decides which share of a sample's metadata columns is known, so that a sample
    without metadata gets what photos alone say, and not what a joint map makes of zeros.

    Args:
        photo_width: D, length of a photo's vector.
        numeric: F, number of numeric columns.
        cardinalities: Positions of every categorical column, with the unknown one (C).
        targets: T.
    """

    shares: Tensor
    error: Tensor

    def __init__(
        self, photo_width: int, numeric: int, cardinalities: tuple[int, ...], targets: int
    ) -> None:
        super().__init__()
        self.cardinalities = cardinalities
        self.columns = numeric + len(cardinalities)
        categories = sum(count - 1 for count in cardinalities)
        self.alone = nn.Linear(photo_width, targets)
        self.joint = nn.Linear(photo_width + 2 * numeric + categories, targets)
        self.register_buffer("shares", torch.zeros(categories))
        self.register_buffer("error", torch.ones(targets))

    def forward(self, photos: Tensor, metadata: Metadata) -> Tensor:
        """Photos ``(B, D)`` and metadata to standardised means ``(B, T)``."""
        alone: Tensor = self.alone(photos)
        if not self.columns:
            return alone
        joint: Tensor = self.joint(torch.cat([photos, self.metadata_columns(metadata)], dim=1))
        return alone + metadata.known_share() * (joint - alone)

    def metadata_columns(self, metadata: Metadata) -> Tensor:
        """Numbers, flags, and categories as centred indicators: 0 where unknown, ``(B, K)``."""
        places = [
            nn.functional.one_hot(metadata.categories[:, column], count)[:, 1:]
            for column, count in enumerate(self.cardinalities)
        ]
        columns = [metadata.numeric, metadata.missing]
        if places:
            known = metadata.categories > 0
            counts = torch.tensor([c - 1 for c in self.cardinalities], device=known.device)
            there = known.repeat_interleave(counts, dim=1)
            columns.append(torch.where(there, torch.cat(places, dim=1) - self.shares, 0.0))
        return torch.cat([column.to(self.shares.dtype) for column in columns], dim=1)

    @torch.no_grad()
    def fit(
        self,
        photos: ArrayLike,
        metadata: EncodedMetadata,
        targets: ArrayLike,
        *,
        groups: ArrayLike,
        hidden_share: float,
        weights: tuple[float, ...],
        seed: int,
        counts: ArrayLike | None = None,
    ) -> None:
        """Puts the closed-form solution into the maps.

        Args:
            photos: Standardised photo vectors of the rows to learn from, ``(N, D)``.
            metadata: Their metadata.
            targets: Their standardised targets ``(N, T)``, NaN where unknown.
            groups: Their groups ``(N,)``.
            hidden_share: How much rows with hidden metadata count in the joint map.
            weights: Of the targets in the choice of the penalty.
            seed: Of the choice's cross-validation.
            counts: How much each row counts ``(N,)``; alike if None.
        """
        vectors = np.asarray(photos, dtype=np.float64)
        nothing: NDArray[np.float64] = np.zeros((len(vectors), 0))
        alone = fit_ridge(
            Design(vectors, nothing, nothing, 0),
            targets,
            groups=groups,
            weights=weights,
            counts=counts,
            seed=seed,
        )
        _assign(self.alone, alone)
        self.error.copy_(torch.from_numpy(alone.error).clamp(min=LEAST_ERROR))
        if not self.columns:
            return
        seen = Metadata.of(metadata)
        self._learn_shares(seen.categories)
        there, hidden = (self.metadata_columns(m).double().numpy() for m in (seen, seen.hidden()))
        joint = fit_ridge(
            Design(vectors, there, hidden, self.columns),
            targets,
            groups=groups,
            hidden_share=hidden_share,
            weights=weights,
            counts=counts,
            seed=seed,
        )
        _assign(self.joint, joint)

    def _learn_shares(self, categories: Tensor) -> None:
        """The share of every category among the rows in which its column is known."""
        shares = []
        for column, count in enumerate(self.cardinalities):
            counts = torch.bincount(categories[:, column], minlength=count)[1:].double()
            shares.append(counts / counts.sum().clamp(min=1.0))
        if shares:
            self.shares.copy_(torch.cat(shares))


def _assign(layer: nn.Linear, ridge: Ridge) -> None:
    weights = np.vstack([ridge.photo_weights, ridge.metadata_weights])
    layer.weight.copy_(torch.from_numpy(weights.T.copy()))
    layer.bias.copy_(torch.from_numpy(ridge.bias))
