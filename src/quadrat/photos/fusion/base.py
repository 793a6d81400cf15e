"""The interface of fusions: the views of samples and their metadata in, one vector a sample out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from quadrat._registry import Registry


@dataclass(frozen=True)
class SampleViews:
    """The V views of B samples, as an encoder sees them.

    Attributes:
        vectors: Standardised vectors of the views ``(V, D)``.
        photos: Their means over each sample's views ``(B, D)``, standardised.
        owner: Position of each view's sample ``(V,)``.
        slot: Which part of a photo each view is ``(V,)``, as `quadrat.photos.views.plan` numbers
            them.
        tokens: What the encoder says of each place of a view ``(V, h, w, K)``, where a fusion or
            head asks for it.
    """

    vectors: Tensor
    photos: Tensor
    owner: Tensor
    slot: Tensor
    tokens: Tensor | None = None

    @property
    def count(self) -> int:
        """B, the number of samples."""
        return len(self.photos)


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
        token_width: K, length of a token; 0 where there are none.
        slots: Parts that a photo is cut into.
        gate: mlp: whether a gate weighs photos and metadata.
        latents: perceiver: number of latents.
        layers: Number of layers, where a kind has several.
        heads: Heads of attention.
        bidirectional: state-space: whether sequences are read backwards, too.
    """

    photo_width: int
    numeric: int
    cardinalities: tuple[int, ...]
    embedding: tuple[int, ...]
    hidden: int
    dropout: float
    token_width: int = 0
    slots: int = 1
    gate: bool = False
    latents: int = 48
    layers: int = 2
    heads: int = 6
    bidirectional: bool = True


fusions: Registry[Callable[[FusionSpec], nn.Module]] = Registry("fusion")
"""Builders of modules that map `SampleViews` and `Metadata` to ``(B, H)``."""


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


def padded_by_owner(items: Tensor, owner: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The items of every sample in a row of its own, for attention over sets of any size.

    Args:
        items: ``(V, …)``.
        owner: Position of each item's sample ``(V,)``, ascending.
        count: B, number of samples.

    Returns:
        Items ``(B, M, …)``, zeros behind the last of a sample, and a mask ``(B, M)``, True where
        there is an item; M is the size of the largest set.
    """
    sizes = torch.bincount(owner, minlength=count)
    largest = int(sizes.max())
    starts = sizes.cumsum(0) - sizes
    place = torch.arange(len(owner), device=owner.device) - starts[owner]
    rows = items.new_zeros(count, largest, *items.shape[1:])
    rows = rows.index_put((owner, place), items)
    mask = torch.arange(largest, device=owner.device) < sizes[:, None]
    return rows, mask
