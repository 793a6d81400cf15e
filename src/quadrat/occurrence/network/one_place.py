"""The logits of one place and week, without what a batch of one costs.

Such a batch takes some hundred tensor operations, which are all overhead, and matrix products made
for many rows. Here weights are folded once and all products are of a vector and a matrix: a query
costs little more than reading the weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from quadrat.occurrence.network.blocks import ResidualBlock, WeekModulation
from quadrat.occurrence.network.species_network import OccurrenceNetwork

Floats = NDArray[np.float32]

_ROOT_HALF = math.sqrt(0.5)

_AT_ONCE = 1 << 18
"""Weights of a product: from more on BLAS would wake threads, which takes longer than the product
where the processor has other work."""


class OnePlace:
    """A network that is asked about single places, on the CPU.

    It holds a copy of the weights as they are when it is made. It agrees with the network to the
    rounding of float32, and may be asked from several threads.

    Args:
        network: A network for which `can_be` is true.
    """

    def __init__(self, network: OccurrenceNetwork) -> None:
        *blocks, norm, bottleneck, _ = network.species_trunk
        self._encoding, self._environment = network.encoding, network.environment_input
        with torch.inference_mode():
            self._input = _Product.of(network.input)
            self._trunk = [_Block.of(cast(ResidualBlock, block)) for block in network.blocks]
            self._weeks = [_by_week(cast(WeekModulation, m), network) for m in network.modulations]
            self._norm = _Norm.of(network.norm)
            self._head = [_Block.of(cast(ResidualBlock, block)) for block in blocks]
            self._last_norm = _Norm.of(cast(nn.LayerNorm, norm))
            self._bottleneck = _Product.of(cast(nn.Linear, bottleneck), after=_ROOT_HALF)
            self._species = _Product.of(network.species, before=_ROOT_HALF)

    @staticmethod
    def can_be(network: OccurrenceNetwork) -> bool:
        """Whether a network can be asked in this way.

        One with a habitat head cannot: its gates are the largest of all matrices, and to read them
        takes longer than what is spared here.
        """
        return network.habitat is None and network.weeks.device.type == "cpu"

    def logits(self, place: Sequence[float], week: int, environment: Tensor) -> Floats:
        """Log odds of all species ``(S,)``.

        Args:
            place: Latitude and longitude in degrees.
            week: 0-48.
            environment: Encoded environment ``(1, E)``, NaN where unknown; E is 0 where nothing
                is known.
        """
        with torch.inference_mode():
            x = self._input(self._read(place, environment))
            for block, (gamma, beta) in zip(self._trunk, self._weeks, strict=True):
                block.add_to(x)
                x *= gamma[week]
                x += beta[week]
            x = self._norm(x).numpy()
            for block in self._head:
                block.add_to(x)
            bottleneck = self._bottleneck(self._last_norm(x).numpy())
            return self._species(_bent(torch.from_numpy(bottleneck)))

    def _read(self, place: Sequence[float], environment: Tensor) -> Floats:
        encoded = self._encoding.of_place(*place)
        if self._environment is None:
            return encoded
        seen = self._environment(self._environment.shown(environment, 1))
        return np.concatenate([encoded, seen[0].numpy()])


@dataclass(frozen=True)
class _Norm:
    """LayerNorm of a vector."""

    width: list[int]
    weight: Tensor
    bias: Tensor
    epsilon: float

    @classmethod
    def of(cls, norm: nn.LayerNorm, factor: float = 1.0) -> _Norm:
        return cls(list(norm.normalized_shape), norm.weight * factor, norm.bias * factor, norm.eps)

    def __call__(self, x: Floats) -> Tensor:
        vector = torch.from_numpy(x)
        return torch.layer_norm(vector, self.width, self.weight, self.bias, self.epsilon)


@dataclass(frozen=True)
class _Product:
    """A linear layer, its weights in parts ``(K, in, out / K)``."""

    parts: Floats
    bias: Floats

    @classmethod
    def of(cls, layer: nn.Linear, *, before: float = 1.0, after: float = 1.0) -> _Product:
        """The layer with its input and its output multiplied by factors."""
        count = -(-layer.weight.numel() // _AT_ONCE)
        width = -(-layer.out_features // count)
        missing = count * width - layer.out_features
        padded = nn.functional.pad(layer.weight * (before * after), (0, 0, 0, missing))
        parts = padded.view(count, width, layer.in_features).transpose(1, 2).contiguous()
        return cls(parts.numpy(), (layer.bias * after).numpy())

    def __call__(self, x: Floats) -> Floats:
        if len(self.parts) == 1:
            y: Floats = x.dot(self.parts[0])
        else:
            y = np.matmul(x, self.parts).reshape(-1)[: len(self.bias)]
        y += self.bias
        return y


@dataclass(frozen=True)
class _Block:
    """A residual block; what follows an activation makes good the factor that it leaves out."""

    before: _Norm
    first: _Product
    between: _Norm
    second: _Product

    @classmethod
    def of(cls, block: ResidualBlock) -> _Block:
        before, _, first, between, _, _, second = block.layers
        return cls(
            _Norm.of(cast(nn.LayerNorm, before), _ROOT_HALF),
            _Product.of(cast(nn.Linear, first), before=_ROOT_HALF),
            _Norm.of(cast(nn.LayerNorm, between), _ROOT_HALF),
            _Product.of(cast(nn.Linear, second), before=_ROOT_HALF),
        )

    def add_to(self, x: Floats) -> None:
        """Adds the block's layers of x to x."""
        inner = self.first(_bent(self.before(x)))
        x += self.second(_bent(self.between(inner)))


def _bent(u: Tensor) -> Floats:
    """``u (1 + erf u)``: GELU of ``√2 u``, but for the factor ``√½``."""
    bent: Floats = torch.addcmul(u, u, u.erf()).numpy()
    return bent


def _by_week(modulation: WeekModulation, network: OccurrenceNetwork) -> tuple[Floats, Floats]:
    """γ and β ``(49, width)``."""
    gamma, beta = modulation(network.weeks).chunk(2, dim=-1)
    return gamma.contiguous().numpy(), beta.contiguous().numpy()
