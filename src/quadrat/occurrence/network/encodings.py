"""How positions and weeks become numbers a network can learn from."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from quadrat.runtime.weeks import WEEKS

_WAVES_PER_HARMONIC = 12
"""192 features at 8 harmonics, as many as the sphere has functions of that detail twice over."""


def harmonics(angle: Tensor, count: int) -> Tensor:
    """Sines and cosines of the multiples of angles.

    ``[sin kθ, k = 1..n, cos kθ, k = 1..n]``

    Args:
        angle: Angles in radians ``(...)``.
        count: n, the number of multiples.

    Returns:
        ``(..., 2 n)``.
    """
    multiples = angle[..., None] * torch.arange(1, count + 1, device=angle.device)
    return torch.cat([multiples.sin(), multiples.cos()], dim=-1)


def week_table(count: int) -> Tensor:
    """The encodings of the weeks 0-48 ``(49, 2 count)``.

    Week ``w`` is the angle ``2π (w - 1) / 48``. Week 0, the whole year, is the mean of all weeks:
    the origin, as far from any one week as from any other.
    """
    angles = torch.arange(WEEKS, dtype=torch.float64) * (2 * math.pi / WEEKS)
    weeks = harmonics(angles, count)
    return torch.cat([torch.zeros(1, 2 * count, dtype=weeks.dtype), weeks]).float()


class HarmonicEncoding(nn.Module):
    """Harmonics of latitude and of longitude, as they are.

    Simple, and known from the BirdNET geomodel. At a pole it tells apart meridians that meet, so
    prefer `SphericalEncoding` unless weights of that kind are to be used.

    Args:
        count: Harmonics of each of the two angles.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.size = 4 * count

    def forward(self, position: Tensor) -> Tensor:
        """Encodes latitudes and longitudes in degrees ``(B, 2)`` as ``(B, size)``."""
        return harmonics(torch.deg2rad(position), self.count).flatten(1)


class SphericalEncoding(nn.Module):
    """The unit vector of a place and random Fourier features of it.

    ``[v, sin(Ω v), cos(Ω v)]`` with wave vectors Ω of random directions. A function of the unit
    vector is continuous at the poles and across the dateline, whatever is learnt from it. Random
    Fourier features: Tancik et al., "Fourier features let networks learn high frequency functions
    in low dimensional domains" (NeurIPS 2020).

    The lengths of the wave vectors are spread evenly in the logarithm, from one wave around the
    globe to twice ``count``, with twelve waves for each of ``count``.

    Args:
        count: Half the number of waves around the globe of the finest features.
        seed: Of the directions.
    """

    frequencies: Tensor

    def __init__(self, count: int, *, seed: int) -> None:
        super().__init__()
        waves = _WAVES_PER_HARMONIC * count
        generator = torch.Generator().manual_seed(seed)
        directions = torch.randn(waves, 3, generator=generator, dtype=torch.float64)
        directions /= directions.norm(dim=1, keepdim=True)
        lengths = torch.logspace(0, math.log10(2 * count), waves, dtype=torch.float64)
        self.register_buffer("frequencies", (directions * lengths[:, None]).float())
        self.size = 3 + 2 * waves

    def forward(self, position: Tensor) -> Tensor:
        """Encodes latitudes and longitudes in degrees ``(B, 2)`` as ``(B, size)``."""
        lat, lon = torch.deg2rad(position).unbind(-1)
        vector = torch.stack([lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()], dim=-1)
        # A product in bf16 would lose the phase of the high frequencies.
        with torch.autocast(position.device.type, enabled=False):
            phase = vector @ self.frequencies.T
        return torch.cat([vector, phase.sin(), phase.cos()], dim=-1)
