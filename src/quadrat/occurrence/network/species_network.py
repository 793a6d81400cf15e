"""The network from place and week to the logits of all species.

A trunk of residual blocks reads the place; the week modulates every block (FiLM: Perez et al.,
"FiLM: visual reasoning with a general conditioning layer", AAAI 2018). A species head and, for
training, an environment head read the trunk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from quadrat.occurrence.network.dropout import Dropout
from quadrat.occurrence.network.encodings import HarmonicEncoding, SphericalEncoding, week_table

NORM_EPSILON = 1e-4
"""Added to variances: torch's own 1e-5 is subnormal in half precision, in which models are shipped;
the BirdNET geomodel has this one too, so that its weights give the same numbers here."""


class Places(Protocol):
    """What the network reads of a batch."""

    @property
    def position(self) -> Tensor:
        """Latitudes and longitudes in degrees ``(B, 2)``."""
        ...

    @property
    def week(self) -> Tensor:
        """Weeks 0-48, int64 ``(B,)``."""
        ...


@dataclass(frozen=True)
class Prediction:
    """What the network says about a batch.

    Args:
        logits: Log odds of the species ``(B, S)``.
        environment: The encoded environment ``(B, E)``; None where it was not asked for.
    """

    logits: Tensor
    environment: Tensor | None = None


@dataclass(frozen=True)
class Shape:
    """Widths and depths of a network.

    Args:
        width: d, of the trunk.
        bottleneck: b, of the layer before the species.
        environment_width: e, of the environment head.
        blocks: N, FiLM blocks of the trunk.
        species_blocks: M, blocks of the species head.
        environment_blocks: Blocks of the environment head.
        dropout: In the trunk and the environment head.
        species_dropout: In the species head.
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
    """``x + [LN, GELU, Linear, LN, GELU, Dropout, Linear](x)``."""

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

    def forward(self, x: Tensor) -> Tensor:
        """Transforms ``(B, width)``."""
        result: Tensor = x + self.layers(x)
        return result


class WeekModulation(nn.Module):
    """FiLM from the week: ``x = γ x + β`` with ``γ = 1 + tanh(raw)``.

    There are 49 weeks only, so γ and β are computed once a batch for all of them and looked up.
    """

    def __init__(self, harmonics: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * harmonics, width), nn.GELU(), nn.Linear(width, 2 * width)
        )
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, x: Tensor, week: Tensor, weeks: Tensor) -> Tensor:
        """Modulates ``(B, width)`` by weeks ``(B,)``, given all weeks' encodings ``(49, ·)``."""
        raw, shift = self.layers(weeks).chunk(2, dim=-1)
        table = torch.cat([1 + raw.tanh(), shift], dim=-1)
        gamma, beta = nn.functional.embedding(week, table).chunk(2, dim=-1)
        return gamma * x + beta


class OccurrenceNetwork(nn.Module):
    """From places and weeks to species.

    Args:
        encoding: The module that encodes positions, with its output's ``size``.
        shape: Widths and depths.
        week_harmonics: Harmonics of the week.
        species: S, the number of species.
        environment: E, the number of encoded environment values; 0 for none.
    """

    weeks: Tensor

    def __init__(
        self,
        encoding: HarmonicEncoding | SphericalEncoding,
        shape: Shape,
        *,
        week_harmonics: int,
        species: int,
        environment: int,
    ) -> None:
        super().__init__()
        width = shape.width
        self.encoding = encoding
        self.register_buffer("weeks", week_table(week_harmonics), persistent=False)
        self.input = nn.Linear(encoding.size, width)
        self.blocks = nn.ModuleList(
            ResidualBlock(width, shape.dropout) for _ in range(shape.blocks)
        )
        self.modulations = nn.ModuleList(
            WeekModulation(week_harmonics, width) for _ in range(shape.blocks)
        )
        self.norm = nn.LayerNorm(width, eps=NORM_EPSILON)
        self.species_trunk = nn.Sequential(
            *(ResidualBlock(width, shape.species_dropout) for _ in range(shape.species_blocks)),
            nn.LayerNorm(width, eps=NORM_EPSILON),
            nn.Linear(width, shape.bottleneck),
            nn.GELU(),
        )
        self.species = nn.Linear(shape.bottleneck, species)
        self.environment = _environment_head(shape, environment) if environment else None

    def forward(self, places: Places) -> Prediction:
        """Species logits, and in training mode the environment too."""
        trunk = self.trunk(places.position, places.week)
        logits = self.logits(self.species_trunk(trunk))
        if self.environment is None or not self.training:
            return Prediction(logits)
        return Prediction(logits, self.environment(trunk))

    def trunk(self, position: Tensor, week: Tensor) -> Tensor:
        """What all heads read ``(B, width)``."""
        x = self.input(self.encoding(position))
        for block, modulation in zip(self.blocks, self.modulations, strict=True):
            x = modulation(block(x), week, self.weeks)
        normed: Tensor = self.norm(x)
        return normed

    def features(self, position: Tensor, week: Tensor) -> Tensor:
        """What `logits` needs of every sample, however many species there are ``(B, F)``."""
        features: Tensor = self.species_trunk(self.trunk(position, week))
        return features

    def logits(self, features: Tensor, columns: slice | Tensor | None = None) -> Tensor:
        """Log odds of species; those of a few species cost their columns only.

        Args:
            features: From `features` ``(B, F)``.
            columns: Which species; all by default.

        Returns:
            ``(B, S)``, or a column for each of ``columns``.
        """
        head = self.species
        if columns is None:
            logits: Tensor = head(features)
            return logits
        return nn.functional.linear(features, head.weight[columns], head.bias[columns])

    @torch.no_grad()
    def start_from_prevalence(self, prevalence: Tensor) -> None:
        """Sets the output bias to the log odds of known shares of samples ``(S,)``."""
        self.species.bias.copy_(torch.logit(prevalence))


def _environment_head(shape: Shape, outputs: int) -> nn.Sequential:
    width = shape.environment_width
    return nn.Sequential(
        nn.Linear(shape.width, width),
        *(ResidualBlock(width, shape.dropout) for _ in range(shape.environment_blocks)),
        nn.LayerNorm(width, eps=NORM_EPSILON),
        nn.Linear(width, outputs),
    )
