"""The part of the network that reads depth maps and joins them to the vectors of their views."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from quadrat._registry import Registry

WIDTH = 256
"""Length of a depth vector and of a depth token."""

_CHANNELS = (1, 32, 64, 128, WIDTH)
_GROUPS = 8
_HEADS = 4
_LEVELS = 4


@dataclass(frozen=True)
class DepthSpec:
    """What the depth branch is built from.

    Attributes:
        fusion: How depth and photo are joined.
    """

    fusion: str


class DepthEncoder(nn.Module):
    """Depth maps to a vector and tokens, by four stages that halve the sides.

    A stage is a convolution, group normalisation (Wu and He 2018) and GELU. Normalisation makes
    the stages blind to how high a map lies and how much it varies, which is what a scale over the
    data set or in metres is for: so a map's mean, standard deviation, lowest and highest value
    join the mean and the maximum of the last stage.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(before, after, 3, stride=2, padding=1),
                    nn.GroupNorm(_GROUPS, after),
                    nn.GELU(),
                )
                for before, after in itertools.pairwise(_CHANNELS)
            )
        )
        self.summary = nn.Linear(2 * WIDTH + _LEVELS, WIDTH)

    def forward(self, depth: Tensor) -> tuple[Tensor, Tensor]:
        """Maps ``(V, 1, h, w)`` to vectors ``(V, 256)`` and tokens ``(V, K, 256)``.

        The first token is the vector; the others are the places of the last stage.
        """
        places: Tensor = self.stages(depth).flatten(2)
        pooled = [places.mean(dim=2), places.amax(dim=2), _levels(depth)]
        vector: Tensor = self.summary(torch.cat(pooled, dim=1))
        return vector, torch.cat([vector[:, None], places.transpose(1, 2)], dim=1)


def _levels(depth: Tensor) -> Tensor:
    """Mean, standard deviation, lowest and highest value of maps, ``(V, 4)``."""
    pixels = depth.flatten(1).float()
    sd = pixels.std(dim=1, correction=0)
    return torch.stack([pixels.mean(dim=1), sd, pixels.amin(dim=1), pixels.amax(dim=1)], dim=1)


joins: Registry[Callable[[int], nn.Module]] = Registry("depth fusion")
"""Builders, from D, of modules that map photo vectors ``(V, D)``, depth vectors ``(V, 256)`` and
depth tokens ``(V, K, 256)`` to what is added to the photo vectors ``(V, D)``; all zeros before
training."""


@joins.register("concat", summary="joined to the photo's vector, and projected")
class Concat(nn.Module):
    """``W [norm(photo), depth] + b``.

    Args:
        width: D.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.photo = nn.LayerNorm(width)
        self.out = _zeros(nn.Linear(width + WIDTH, width))

    def forward(self, photos: Tensor, vectors: Tensor, tokens: Tensor) -> Tensor:
        """What is added to the photos' vectors ``(V, D)``."""
        added: Tensor = self.out(torch.cat([self.photo(photos), vectors], dim=1))
        return added


@joins.register("add", summary="projected, and added to the photo's vector")
class Add(nn.Module):
    """``W depth + b``.

    Args:
        width: D.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out = _zeros(nn.Linear(WIDTH, width))

    def forward(self, photos: Tensor, vectors: Tensor, tokens: Tensor) -> Tensor:
        """What is added to the photos' vectors ``(V, D)``."""
        added: Tensor = self.out(vectors)
        return added


@joins.register("attention", summary="the photo's vector attends over depth tokens")
class CrossAttention(nn.Module):
    """``W attend(norm(photo); tokens) + b`` with four heads (Vaswani et al. 2017).

    The photo asks with one query; keys and values are the places of the map and its vector.

    Args:
        width: D.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.photo = nn.LayerNorm(width)
        self.query, self.pair = nn.Linear(width, WIDTH), nn.Linear(WIDTH, 2 * WIDTH)
        self.out = _zeros(nn.Linear(WIDTH, width))

    def forward(self, photos: Tensor, vectors: Tensor, tokens: Tensor) -> Tensor:
        """What is added to the photos' vectors ``(V, D)``."""
        asked = self.query(self.photo(photos))[:, None]
        keys, values = self.pair(tokens).chunk(2, dim=-1)
        parts = [p.unflatten(-1, (_HEADS, -1)).transpose(1, 2) for p in (asked, keys, values)]
        found = nn.functional.scaled_dot_product_attention(*parts)
        added: Tensor = self.out(found.transpose(1, 2).flatten(1))
        return added


class DepthBranch(nn.Module):
    """Adds to every view's vector what its depth map says about it.

    Before training it adds nothing: the last layer is zero, as in Zhang et al. 2023, "Adding
    conditional control to text-to-image diffusion models" (ICCV), so that training sets out from
    the network without depth.

    Args:
        width: D, length of a view's vector.
        spec: How it is built.
    """

    def __init__(self, width: int, spec: DepthSpec) -> None:
        super().__init__()
        self.encoder = DepthEncoder()
        self.join = joins[spec.fusion](width)

    def forward(self, vectors: Tensor, depth: Tensor) -> Tensor:
        """Vectors ``(V, D)`` and scaled maps ``(V, 1, h, w)`` to vectors ``(V, D)``."""
        described, tokens = self.encoder(depth.to(vectors.dtype))
        added: Tensor = self.join(vectors, described, tokens)
        return vectors + added


def _zeros(layer: nn.Linear) -> nn.Linear:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
