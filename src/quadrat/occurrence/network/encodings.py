"""How positions and weeks become numbers a network can learn from."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from quadrat._registry import Registry
from quadrat.runtime.weeks import WEEKS

_WAVES_PER_HARMONIC = 12
"""192 features at 8 harmonics, as many as the sphere has functions of that detail twice over."""

_PRODUCT_HARMONICS = 4
"""Products of finer harmonics are many and, so near to the poles, of little use."""


class Encoding(nn.Module):
    """From latitudes and longitudes in degrees ``(B, 2)`` to features ``(B, size)``."""

    size: int

    def of_place(self, lat: float, lon: float) -> NDArray[np.float32]:
        """The features of a single place ``(size,)``, for an encoding on the CPU.

        Args:
            lat: Latitude in degrees.
            lon: Longitude in degrees.
        """
        with torch.inference_mode():
            features: NDArray[np.float32] = self(torch.tensor([[lat, lon]]))[0].numpy()
        return features


MakeEncoding = Callable[[int, int], Encoding]
"""From the detail (``network.coord_harmonics``) and a seed to an encoding."""

ENCODINGS: Registry[MakeEncoding] = Registry("encoding")


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


class HarmonicEncoding(Encoding):
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


class HarmonicProductEncoding(Encoding):
    """Harmonics of latitude and of longitude, and the products of the first four of each.

    With products, one linear layer can already tell a place from its latitude and its longitude
    together. Where meridians meet it is as torn as `HarmonicEncoding`.

    Args:
        count: Harmonics of each of the two angles.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count, self.low = count, min(count, _PRODUCT_HARMONICS)
        self.size = 4 * count + (2 * self.low) ** 2

    def forward(self, position: Tensor) -> Tensor:
        """Encodes latitudes and longitudes in degrees ``(B, 2)`` as ``(B, size)``."""
        angles = torch.deg2rad(position)
        lat, lon = harmonics(angles, self.low).unbind(1)
        products = lat[:, :, None] * lon[:, None, :]
        return torch.cat([harmonics(angles, self.count).flatten(1), products.flatten(1)], dim=-1)


class SphericalEncoding(Encoding):
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

    def of_place(self, lat: float, lon: float) -> NDArray[np.float32]:
        """The features of a single place ``(size,)``, without a tensor operation."""
        theta, phi = math.radians(lat), math.radians(lon)
        away = math.cos(theta)
        vector = np.array([away * math.cos(phi), away * math.sin(phi), math.sin(theta)], np.float32)
        phase = self.frequencies.numpy().dot(vector)
        return np.concatenate([vector, np.sin(phase), np.cos(phase)])


class SphericalHarmonicsEncoding(Encoding):
    """Real spherical harmonics of the degrees 1 to n, each of mean square one on the sphere.

    ``Y_l^m = P_l^|m|(sin lat) · {cos(m lon) for m ≥ 0, sin(|m| lon) for m < 0}`` in the order
    ``m = -l..l`` of each degree, without the phase (-1)^m. The normalised Legendre functions come
    from the recurrence over the degree that is stable to high degrees (Holmes & Featherstone, "A
    unified approach to the Clenshaw summation …", Journal of Geodesy 2002, eq. 11-13).

    Args:
        degree: n, waves around the globe of the finest features.
    """

    def __init__(self, degree: int) -> None:
        super().__init__()
        self.degree = degree
        self.size = (degree + 1) ** 2 - 1
        self._steps = [_legendre_step(n) for n in range(degree + 1)]

    def forward(self, position: Tensor) -> Tensor:
        """Encodes latitudes and longitudes in degrees ``(B, 2)`` as ``(B, size)``."""
        lat, lon = torch.deg2rad(position).unbind(-1)
        sines, cosines = harmonics(lon, self.degree).chunk(2, dim=-1)
        lat = lat[:, None]
        last, present = lat[:, :0], torch.ones_like(lat)
        parts = []
        for n in range(1, self.degree + 1):
            last, present = present, self._next(n, present, last, lat)
            tilted = present[:, 1:]
            west = (tilted * sines[:, :n]).flip(-1)
            parts += [west, present[:, :1], tilted * cosines[:, :n]]
        return torch.cat(parts, dim=-1)

    def _next(self, n: int, one: Tensor, two: Tensor, lat: Tensor) -> Tensor:
        """Legendre functions of degree n, of the orders 0..n, from those one and two below."""
        up, down, diagonal = self._steps[n]
        rising = lat.sin() * one * one.new_tensor(up)
        if n > 1:
            rising = rising - functional.pad(two * two.new_tensor(down), (0, 1))
        return torch.cat([rising, diagonal * lat.cos() * one[:, -1:]], dim=-1)


def _legendre_step(n: int) -> tuple[list[float], list[float], float]:
    """Factors of degree n: of degree n - 1, of degree n - 2, and of the order n itself."""
    up = [math.sqrt((4 * n * n - 1) / (n * n - m * m)) for m in range(n)]
    down = [
        math.sqrt((2 * n + 1) * ((n - 1) ** 2 - m * m) / ((2 * n - 3) * (n * n - m * m)))
        for m in range(n - 1)
    ]
    # From order 0 to order 1 comes the factor sqrt(2) of the cosine and the sine.
    return up, down, math.sqrt((2 * n + 1) / (2 * n) * (2 if n == 1 else 1)) if n else 1.0


@ENCODINGS.register("spherical", summary="random Fourier features of the unit vector")
def _spherical(count: int, seed: int) -> Encoding:
    return SphericalEncoding(count, seed=seed)


@ENCODINGS.register("spherical-harmonics", summary="the smooth functions of the sphere by degree")
def _spherical_harmonics(count: int, seed: int) -> Encoding:
    return SphericalHarmonicsEncoding(count)


@ENCODINGS.register("harmonic", summary="sines and cosines of latitude and longitude")
def _harmonic(count: int, seed: int) -> Encoding:
    return HarmonicEncoding(count)


@ENCODINGS.register("harmonic-product", summary="the same, and products of the first four")
def _harmonic_product(count: int, seed: int) -> Encoding:
    return HarmonicProductEncoding(count)
