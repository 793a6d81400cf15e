"""The logits of one place and week, without what a batch of one costs.

Such a batch takes some hundred tensor operations, which are all overhead, and matrix products made
for many rows. One kernel does them all here: a query costs little more than reading the weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from quadrat.kernels.network_of_one import Blocks, Weights, logits_of_one
from quadrat.occurrence.network.blocks import NORM_EPSILON, ResidualBlock, WeekModulation
from quadrat.occurrence.network.species_network import OccurrenceNetwork

Floats = NDArray[np.float32]


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
            tables = [cast(WeekModulation, film)(network.weeks) for film in network.modulations]
            self._weights = Weights(
                first=_layer(network.input),
                trunk=_blocks(network.blocks),
                weeks=torch.stack(tables).numpy(),
                norm=_norm(network.norm),
                head=_blocks(blocks),
                last_norm=_norm(norm),
                bottleneck=_layer(bottleneck),
                species=_layer(network.species),
            )

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
        read = self._read(place, environment)
        return logits_of_one(read, week, self._weights, np.float32(NORM_EPSILON))

    def _read(self, place: Sequence[float], environment: Tensor) -> Floats:
        encoded = self._encoding.of_place(*place)
        if self._environment is None:
            return encoded
        with torch.inference_mode():
            seen = self._environment(self._environment.shown(environment, 1))
            return np.concatenate([encoded, seen[0].numpy()])


def _blocks(modules: Iterable[nn.Module]) -> Blocks:
    layers = [cast(ResidualBlock, module).layers for module in modules]
    linear = [[_layer(block[2]), _layer(block[6])] for block in layers]
    return Blocks(
        norms=np.array([[_norm(block[0]), _norm(block[3])] for block in layers]),
        matrices=np.array([[matrix for matrix, _ in pair] for pair in linear]),
        biases=np.array([[bias for _, bias in pair] for pair in linear]),
    )


def _layer(module: nn.Module) -> tuple[Floats, Floats]:
    """Matrix, inputs first, and bias."""
    layer = cast(nn.Linear, module)
    return layer.weight.t().contiguous().numpy().copy(), layer.bias.numpy().copy()


def _norm(module: nn.Module) -> Floats:
    """Weight and shift ``(2, W)``."""
    norm = cast(nn.LayerNorm, module)
    return torch.stack([norm.weight, norm.bias]).numpy()
