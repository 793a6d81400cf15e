"""Small networks for all species at once, several side by side.

The members differ in their beginning and in what dropout leaves out. They are one module with one
more axis, so that five tiny networks take little longer than one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from quadrat.occurrence.points.batches import PointBatch
from quadrat.occurrence.points.pieces import Pieces
from quadrat.occurrence.schema.points import PointsSection

_ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "silu": functional.silu,
}


@dataclass(frozen=True)
class NetworkShape:
    """What is needed to build networks of the same shape again.

    Args:
        inputs: D, encoded covariates.
        species: S.
        members: M, networks side by side.
        width: Units of a hidden layer.
        depth: Hidden layers.
        dropout: Share of units left out in training.
        numbers: The first so many inputs are standardised numbers.
        pieces: Parts into which each number is cut; 0: none.
        activation: ``silu`` or ``gelu``, after a hidden layer.
    """

    inputs: int
    species: int
    members: int
    width: int
    depth: int
    dropout: float
    numbers: int = 0
    pieces: int = 0
    activation: str = "gelu"

    @classmethod
    def of(cls, section: PointsSection, *, inputs: int, numbers: int, species: int) -> NetworkShape:
        """The shape of an experiment's networks."""
        return cls(
            inputs,
            species,
            section.members,
            section.width,
            section.depth,
            section.dropout,
            numbers,
            section.pieces if numbers else 0,
            "silu",
        )


class MemberLinear(nn.Module):
    """A linear layer of every member.

    Args:
        members: M.
        inputs: Units it reads.
        outputs: Units it makes.
        gain: Standard deviation of the first weights, times √(2 / inputs) (He et al. 2015).
    """

    def __init__(self, members: int, inputs: int, outputs: int, *, gain: float = 1.0) -> None:
        super().__init__()
        spread = gain * (2.0 / max(1, inputs)) ** 0.5
        self.weight = nn.Parameter(torch.randn(members, inputs, outputs) * spread)
        self.bias = nn.Parameter(torch.zeros(members, outputs))

    def forward(self, hidden: Tensor) -> Tensor:
        """``(M, B, inputs)`` to ``(M, B, outputs)``."""
        return torch.baddbmm(self.bias[:, None], hidden, self.weight)


class PointNetwork(nn.Module):
    """Members with shared inputs; each has a trunk for all species.

    Args:
        shape: Sizes.
    """

    prior: Tensor

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.shape = shape
        self.pieces = Pieces(shape.numbers, shape.pieces) if shape.pieces else None
        widths = [shape.inputs + shape.numbers * shape.pieces, *[shape.width] * shape.depth]
        self.hidden = nn.ModuleList(
            MemberLinear(shape.members, before, after)
            for before, after in itertools.pairwise(widths)
        )
        self.species = MemberLinear(shape.members, widths[-1], shape.species, gain=0.3)
        self.register_buffer("prior", torch.zeros(shape.species))

    def forward(self, batch: PointBatch) -> Tensor:
        """Log odds of the labels of a batch ``(M, B, S)``."""
        return self.log_ratios(batch.inputs) + self.prior

    def log_ratios(self, inputs: Tensor) -> Tensor:
        """How the log odds differ from those of the species' share of its sites ``(M, B, S)``."""
        if self.pieces is not None:
            inputs = torch.cat([inputs, self.pieces(inputs)], dim=1)
        hidden = inputs.expand(self.shape.members, *inputs.shape)
        for layer in self.hidden:
            active = _ACTIVATIONS[self.shape.activation](layer(hidden))
            hidden = functional.dropout(active, self.shape.dropout, self.training)
        found: Tensor = self.species(hidden)
        return found

    @torch.no_grad()
    def start_from(self, inputs: Tensor, labels: Tensor) -> None:
        """Takes what is known before learning: how inputs are spread, and the species' shares.

        Args:
            inputs: Encoded covariates of the training sites ``(N, D)``.
            labels: 1, 0, or NaN where unknown ``(N, S)``.
        """
        if self.pieces is not None:
            self.pieces.cut(inputs)
        seen, known = (labels > 0).sum(dim=0), (~labels.isnan()).sum(dim=0)
        self.prior.copy_(((seen + 0.5) / (known + 1.0)).logit())
