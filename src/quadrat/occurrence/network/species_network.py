"""The network from place and week to the logits of all species.

A trunk of residual blocks reads the place, and by choice its environment; the week modulates every
block (FiLM: Perez et al., "FiLM: visual reasoning with a general conditioning layer", AAAI 2018).
A species head and an environment head read the trunk; a habitat head may read the environment.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from quadrat.occurrence.network.blocks import (
    NORM_EPSILON,
    ResidualBlock,
    Shape,
    WeekModulation,
    environment_head,
    habitat_trunk,
    species_trunk,
)
from quadrat.occurrence.network.encodings import Encoding, week_table
from quadrat.occurrence.network.environment_input import EnvironmentInput
from quadrat.occurrence.network.pairs import pair_products

_Linear = Callable[[nn.Linear, Tensor], Tensor]

_OPEN_GATE = 3.0
"""The gates start at σ(3) = 0.95: the habitat must earn its say."""


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

    @property
    def environment(self) -> Tensor | None:
        """Encoded environment ``(B, E)``, NaN where unknown; None where nothing is known."""
        ...


@dataclass(frozen=True)
class Wanted:
    """What a loss asks for when it does not want just the logits of all species.

    Args:
        species: The species of the logits ``(M,)``; None: all.
        pairs: Samples and species ``(P,)`` of which single logits are wanted besides.
        elsewhere: Other places of which logits are wanted besides.
    """

    species: Tensor | None = None
    pairs: tuple[Tensor, Tensor] | None = None
    elsewhere: Places | None = None


@dataclass(frozen=True)
class Prediction:
    """What the network says about a batch.

    Args:
        logits: Log odds of the species ``(B, S)``, or of the wanted ones.
        environment: The encoded environment ``(B, E)``; None where it was not asked for.
        habitat: Log odds by the habitat head alone ``(B, S)``; None where it was not asked for.
        shown: Which values of the environment the network was shown, bool ``(B, E)``; to predict
            them is no achievement. None: none of them.
        pairs: Log odds of the wanted pairs ``(P,)``.
        habitat_pairs: The same by the habitat head alone.
        elsewhere: Log odds at the other places, of the species of ``logits``.
    """

    logits: Tensor
    environment: Tensor | None = None
    habitat: Tensor | None = None
    shown: Tensor | None = None
    pairs: Tensor | None = None
    habitat_pairs: Tensor | None = None
    elsewhere: Tensor | None = None


class SpeciesModel(nn.Module, ABC):
    """What answers for species: features of samples first, of which any logits are then cheap."""

    @abstractmethod
    def features(self, position: Tensor, week: Tensor, environment: Tensor | None = None) -> Tensor:
        """What `logits` needs of every sample ``(B, F)``; see `OccurrenceNetwork.features`."""

    @abstractmethod
    def logits(self, features: Tensor, columns: slice | Tensor | None = None) -> Tensor:
        """Log odds of species ``(B, S)``, or of some of them."""

    @abstractmethod
    def keep_weeks(self) -> None:
        """Computes what depends on the week alone once, for a model that only answers."""


class OccurrenceNetwork(SpeciesModel):
    """From places and weeks to species.

    With a habitat head, ``logits = g · direct + (1 - g) · habitat``, where the gate
    ``g = σ(W x + c)`` of each species reads the trunk, and the habitat head reads the environment:
    as it was given where it is an input and known, else as predicted, without a gradient.

    Args:
        encoding: The module that encodes positions, with its output's ``size``.
        shape: Widths and depths.
        week_harmonics: Harmonics of the week.
        species: S, the number of species.
        environment: E, the number of encoded environment values; 0 for no environment head.
        habitat: Whether there is a habitat head; it needs the environment head.
        environment_input: What reads the environment; None for places and weeks alone.
    """

    weeks: Tensor

    def __init__(
        self,
        encoding: Encoding,
        shape: Shape,
        *,
        week_harmonics: int,
        species: int,
        environment: int,
        habitat: bool = False,
        environment_input: EnvironmentInput | None = None,
    ) -> None:
        super().__init__()
        width = shape.width
        self.encoding, self.environment_input = encoding, environment_input
        self.register_buffer("weeks", week_table(week_harmonics), persistent=False)
        read = environment_input.size if environment_input is not None else 0
        self.input = nn.Linear(encoding.size + read, width)
        self.blocks = nn.ModuleList(
            ResidualBlock(width, shape.dropout) for _ in range(shape.blocks)
        )
        self.modulations = nn.ModuleList(
            WeekModulation(week_harmonics, width) for _ in range(shape.blocks)
        )
        self.norm = nn.LayerNorm(width, eps=NORM_EPSILON)
        self.species_trunk = species_trunk(shape)
        self.species = nn.Linear(shape.bottleneck, species)
        self.environment = environment_head(shape, environment) if environment else None
        self.habitat_trunk = habitat_trunk(shape, environment) if habitat else None
        self.habitat = nn.Linear(shape.bottleneck, species) if habitat else None
        self.gate = _gate(width, species) if habitat else None
        self.bottleneck = shape.bottleneck

    def forward(self, places: Places, wanted: Wanted | None = None) -> Prediction:
        """Species logits, and in training mode what the other heads say too.

        Args:
            places: The samples.
            wanted: What is asked for; the logits of all species where it is None.
        """
        wanted = wanted or Wanted()
        shown = self._shown(places.environment, len(places.week))
        trunk = self._trunk(places.position, places.week, shown)
        environment = self._environment(trunk)
        features = self._features(trunk, environment, shown)
        logits, habitat = self._mixed(features, _of(wanted.species))
        pairs, habitat_pairs, elsewhere = None, None, None
        if wanted.pairs is not None:
            pairs, habitat_pairs = self._mixed(features, _of_pairs(*wanted.pairs))
        if wanted.elsewhere is not None:
            other = wanted.elsewhere
            features = self.features(other.position, other.week, other.environment)
            elsewhere = self.logits(features, wanted.species)
        if environment is None or not self.training:
            return Prediction(logits, pairs=pairs, elsewhere=elsewhere)
        seen = None
        if self.environment_input is not None and shown is not None:
            seen = self.environment_input.mask(shown, environment.shape[1])
        return Prediction(logits, environment, habitat, seen, pairs, habitat_pairs, elsewhere)

    def features(self, position: Tensor, week: Tensor, environment: Tensor | None = None) -> Tensor:
        """What `logits` needs of every sample, however many species there are.

        Args:
            position: Latitudes and longitudes in degrees ``(B, 2)``.
            week: Weeks 0-48 ``(B,)``.
            environment: Encoded environment ``(B, E)``, NaN where unknown; it is read where the
                network was made to. None: nothing is known.

        Returns:
            ``(B, F)``.
        """
        shown = self._shown(environment, len(week))
        trunk = self._trunk(position, week, shown)
        predicted = self._environment(trunk) if self.habitat is not None else None
        return self._features(trunk, predicted, shown)

    def logits(self, features: Tensor, columns: slice | Tensor | None = None) -> Tensor:
        """Log odds of species; those of a few species cost their columns only.

        Args:
            features: From `features` ``(B, F)``.
            columns: Which species; all by default.

        Returns:
            ``(B, S)``, or a column for each of ``columns``.
        """
        return self._mixed(features, _of(columns))[0]

    def pair_logits(self, features: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """Log odds of pairs of sample and species, at the cost of the pairs alone.

        Args:
            features: From `features` ``(B, F)``.
            rows: Sample of each pair ``(P,)``.
            columns: Species of each pair ``(P,)``.

        Returns:
            ``(P,)``.
        """
        return self._mixed(features, _of_pairs(rows, columns))[0]

    def keep_weeks(self) -> None:
        """Computes what depends on the week alone once, for a network that only answers."""
        for modulation in self.modulations:
            assert isinstance(modulation, WeekModulation)
            modulation.keep_table(self.weeks)

    @torch.no_grad()
    def start_from_prevalence(self, prevalence: Tensor) -> None:
        """Sets the output bias to the log odds of known shares of samples ``(S,)``."""
        for head in (self.species, self.habitat):
            if head is not None:
                head.bias.copy_(torch.logit(prevalence))

    def expected_environment(self, position: Tensor, week: Tensor) -> Tensor | None:
        """The encoded environment that the place suggests ``(B, E)``; None without such a head.

        Args:
            position: Latitudes and longitudes in degrees ``(B, 2)``.
            week: Weeks 0-48 ``(B,)``.
        """
        if self.environment is None:
            return None
        trunk = self._trunk(position, week, self._shown(None, len(week)))
        expected: Tensor = self.environment(trunk)
        return expected

    def _shown(self, environment: Tensor | None, batch: int) -> Tensor | None:
        if self.environment_input is None:
            return None
        return self.environment_input.shown(environment, batch)

    def _trunk(self, position: Tensor, week: Tensor, shown: Tensor | None) -> Tensor:
        """What all heads read ``(B, width)``."""
        read = self.encoding(position)
        if self.environment_input is not None:
            read = torch.cat([read, self.environment_input(shown)], dim=-1)
        x = self.input(read)
        for block, modulation in zip(self.blocks, self.modulations, strict=True):
            x = block(x, modulation(self.weeks), week)
        normed: Tensor = self.norm(x)
        return normed

    def _environment(self, trunk: Tensor) -> Tensor | None:
        """The predicted environment, where a head will use it or training asks for it."""
        if self.environment is None or not (self.training or self.habitat is not None):
            return None
        predicted: Tensor = self.environment(trunk)
        return predicted

    def _features(self, trunk: Tensor, environment: Tensor | None, shown: Tensor | None) -> Tensor:
        own: Tensor = self.species_trunk(trunk)
        if self.habitat_trunk is None or environment is None:
            return own
        believed = environment.detach()
        if self.environment_input is not None and shown is not None:
            believed = self.environment_input.filled(believed, shown)
        return torch.cat([own, self.habitat_trunk(believed), trunk.to(own.dtype)], dim=-1)

    def _mixed(self, features: Tensor, linear: _Linear) -> tuple[Tensor, Tensor | None]:
        """Logits, and those of the habitat head alone."""
        if self.habitat is None or self.gate is None:
            return linear(self.species, features), None
        first, second = self.bottleneck, 2 * self.bottleneck
        direct = linear(self.species, features[:, :first])
        habitat = linear(self.habitat, features[:, first:second])
        gate = linear(self.gate, features[:, second:]).sigmoid()
        return torch.lerp(habitat, direct, gate), habitat


def _of(columns: slice | Tensor | None) -> _Linear:
    """Applies a layer, or some of its outputs."""

    def linear(head: nn.Linear, x: Tensor) -> Tensor:
        if columns is None:
            every: Tensor = head(x)
            return every
        return nn.functional.linear(x, head.weight[columns], head.bias[columns])

    return linear


def _of_pairs(rows: Tensor, columns: Tensor) -> _Linear:
    """Applies a layer to samples, each with outputs of its own."""

    def linear(head: nn.Linear, x: Tensor) -> Tensor:
        return pair_products(x, head.weight, head.bias, rows, columns)

    return linear


def _gate(width: int, species: int) -> nn.Linear:
    gate = nn.Linear(width, species)
    nn.init.zeros_(gate.weight)
    nn.init.constant_(gate.bias, _OPEN_GATE)
    return gate
