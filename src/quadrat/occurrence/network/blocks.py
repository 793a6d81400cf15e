"""What the network is built of: widths by scale, residual blocks, modulation by the week."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from quadrat.kernels import kernels_apply
from quadrat.occurrence.network.dropout import Dropout

NORM_EPSILON = 1e-4
"""Added to variances: torch's own 1e-5 is subnormal in half precision, in which models are shipped;
the BirdNET geomodel has this one too, so that its weights give the same numbers here."""


@dataclass(frozen=True)
class Shape:
    """Widths and depths of a network.

    Args:
        width: d, of the trunk.
        bottleneck: b, of the layer before the species.
        environment_width: e, of the environment and habitat heads.
        blocks: N, FiLM blocks of the trunk.
        species_blocks: M, blocks of the species head.
        environment_blocks: Blocks of the environment head, and of the habitat head.
        dropout: In the trunk and the environment head.
        species_dropout: In the species and habitat heads.
    """

    width: int
    bottleneck: int
    environment_width: int
    blocks: int
    species_blocks: int
    environment_blocks: int
    dropout: float
    species_dropout: float

    @classmethod
    def scaled(cls, scale: float) -> Shape:
        """The shape of a network of a given scale; 1.0 has about seven million parameters."""
        dropout = min(max(0.1 + 0.025 * (scale - 1), 0.0), 0.3)
        return cls(
            width=max(64, round(512 * scale / 64) * 64),
            bottleneck=max(32, round(128 * scale / 32) * 32),
            environment_width=max(64, round(256 * scale / 64) * 64),
            blocks=max(1, round(4 * scale)),
            species_blocks=max(1, round(2 * scale)),
            environment_blocks=max(1, round(scale)),
            dropout=dropout,
            species_dropout=min(dropout + 0.1, 0.4),
        )


class ResidualBlock(nn.Module):
    """``x + [LN, GELU, Linear, LN, GELU, Dropout, Linear](x)``, by choice modulated (FiLM)."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(width, eps=NORM_EPSILON),
            nn.GELU(),
            nn.Linear(width, width),
            nn.LayerNorm(width, eps=NORM_EPSILON),
            nn.GELU(),
            Dropout(dropout),
            nn.Linear(width, width),
        )

    def forward(self, x: Tensor, table: Tensor | None = None, rows: Tensor | None = None) -> Tensor:
        """Transforms ``(B, width)``.

        Args:
            x: The samples.
            table: γ and β side by side ``(T, 2 width)``; the result y becomes ``γ y + β``.
            rows: The row of the table of each sample, int64 ``(B,)``.
        """
        if kernels_apply(x):
            return self._fused(x, table, rows)
        y: Tensor = x + self.layers(x)
        if table is None or rows is None:
            return y
        gamma, beta = nn.functional.embedding(rows, table).chunk(2, dim=-1)
        return gamma * y + beta

    def _fused(self, x: Tensor, table: Tensor | None, rows: Tensor | None) -> Tensor:
        from quadrat.occurrence.network.fused import BlockWeights, fused_block

        dropout = self.layers[5]
        assert isinstance(dropout, Dropout)
        dropped = dropout.dropped if self.training else 0
        weights = BlockWeights(*self.layers.parameters())
        return fused_block(
            x, weights, epsilon=NORM_EPSILON, dropped=dropped, table=table, rows=rows
        )


class WeekModulation(nn.Module):
    """γ and β of every week, for FiLM: ``x = γ x + β`` with ``γ = 1 + tanh(raw)``.

    There are 49 weeks only, so they are computed once a batch for all of them and looked up; or
    once for all batches, where the weights no longer change.
    """

    table: Tensor | None

    def __init__(self, harmonics: int, width: int) -> None:
        super().__init__()
        self.register_buffer("table", None, persistent=False)
        self.layers = nn.Sequential(
            nn.Linear(2 * harmonics, width), nn.GELU(), nn.Linear(width, 2 * width)
        )
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, weeks: Tensor) -> Tensor:
        """γ and β side by side ``(49, 2 width)``, given all weeks' encodings ``(49, ·)``."""
        return self._computed(weeks) if self.table is None else self.table

    @torch.no_grad()
    def keep_table(self, weeks: Tensor) -> None:
        """Computes γ and β of all weeks for good, until training mode is set or left."""
        self.table = self._computed(weeks)

    def train(self, mode: bool = True) -> WeekModulation:
        """Sets the mode; weights may change now, so a kept table is dropped."""
        self.table = None
        return super().train(mode)

    def _computed(self, weeks: Tensor) -> Tensor:
        raw, shift = self.layers(weeks).chunk(2, dim=-1)
        return torch.cat([1 + raw.tanh(), shift], dim=-1)


def species_trunk(shape: Shape) -> nn.Sequential:
    """From the trunk ``(B, d)`` to the layer before the species ``(B, b)``."""
    return _to_bottleneck(shape, shape.width, shape.species_blocks)


def habitat_trunk(shape: Shape, environment: int) -> nn.Sequential:
    """From the encoded environment ``(B, E)`` to a layer before the species ``(B, b)``."""
    first = nn.Linear(environment, shape.environment_width)
    rest = _to_bottleneck(shape, shape.environment_width, shape.environment_blocks)
    return nn.Sequential(first, *rest)


def environment_head(shape: Shape, environment: int) -> nn.Sequential:
    """From the trunk ``(B, d)`` to the encoded environment ``(B, E)``."""
    width = shape.environment_width
    return nn.Sequential(
        nn.Linear(shape.width, width),
        *(ResidualBlock(width, shape.dropout) for _ in range(shape.environment_blocks)),
        nn.LayerNorm(width, eps=NORM_EPSILON),
        nn.Linear(width, environment),
    )


def _to_bottleneck(shape: Shape, width: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(
        *(ResidualBlock(width, shape.species_dropout) for _ in range(blocks)),
        nn.LayerNorm(width, eps=NORM_EPSILON),
        nn.Linear(width, shape.bottleneck),
        nn.GELU(),
    )
