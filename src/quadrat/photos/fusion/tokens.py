"""The places of a sample's views as one sequence of tokens."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from quadrat.photos.fusion.base import FusionSpec, SampleViews, padded_by_owner

_WAVES = 4


class Sequences(NamedTuple):
    """The tokens of B samples, L at most.

    Attributes:
        values: ``(B, L, H)``, zeros behind the last of a sample.
        mask: Where there is a token ``(B, L)``.
        view: Which of its sample's views each is of ``(L,)``.
    """

    values: Tensor
    mask: Tensor
    view: Tensor


class TokenSequences(nn.Module):
    """Brings tokens to the fusion's width, and says which view they are from and where they lie.

    A sample's views follow each other as its photos and their slots do; within a view the places
    go row by row.

    Args:
        spec: Sizes of the fusion; with those of the tokens.
        places: Whether tokens say where in a view they lie, for fusions that do not see an order.

    Raises:
        ValueError: There are no tokens.
    """

    def __init__(self, spec: FusionSpec, *, places: bool) -> None:
        super().__init__()
        if not spec.token_width:
            raise ValueError("this fusion needs the tokens of views")
        self.norm = nn.LayerNorm(spec.token_width)
        self.layer = nn.Linear(spec.token_width, spec.hidden)
        self.slots = nn.Embedding(spec.slots, spec.hidden)
        nn.init.zeros_(self.slots.weight)
        self.places = nn.Linear(4 * _WAVES, spec.hidden, bias=False) if places else None

    def forward(self, views: SampleViews) -> Sequences:
        """The tokens of the views of B samples."""
        if views.tokens is None:
            raise ValueError("this fusion needs the tokens of views")
        tokens = self.layer(self.norm(views.tokens.to(self.norm.weight.dtype)))
        tokens = tokens + self.slots(views.slot)[:, None, None]
        if self.places is not None:
            waves = place_waves(tokens.shape[1], tokens.shape[2], tokens.device)
            tokens = tokens + self.places(waves)
        rows, mask = padded_by_owner(tokens.flatten(1, 2), views.owner, views.count)
        count = rows.shape[2]
        view = torch.arange(rows.shape[1], device=rows.device).repeat_interleave(count)
        return Sequences(rows.flatten(1, 2), mask.repeat_interleave(count, dim=1), view)


def place_waves(height: int, width: int, device: torch.device) -> Tensor:
    """Where places lie in a view, as waves along its sides, ``(h, w, 16)``; of views of any size.

    ``sin(2^k π t)`` and ``cos(2^k π t)`` for k from 0 to 3 and t, the middle of a place, from 0 to
    1 down and across.

    Args:
        height: h.
        width: w.
        device: Where to.
    """
    powers = math.pi * 2.0 ** torch.arange(_WAVES, device=device)
    sides = []
    for count in (height, width):
        middle = (torch.arange(count, device=device) + 0.5) / count
        angles = middle[:, None] * powers
        sides.append(torch.cat([angles.sin(), angles.cos()], dim=1))
    down = sides[0][:, None].expand(height, width, -1)
    across = sides[1][None].expand(height, width, -1)
    return torch.cat([down, across], dim=-1)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """The mean of the tokens that are there, ``(B, L, H)`` and ``(B, L)`` to ``(B, H)``."""
    there = mask[..., None].to(values.dtype)
    return (values * there).sum(dim=1) / there.sum(dim=1)
