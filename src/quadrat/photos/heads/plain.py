"""Heads without structure: one linear layer, or hidden layers before it."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from quadrat.photos.fusion import SampleViews
from quadrat.photos.heads.base import Head, HeadSpec, heads


@heads.register("linear", summary="no hidden layers")
class LinearHead(Head):
    """One linear layer for all targets.

    Args:
        spec: Its sizes; ``hidden`` and ``shared`` are of no concern to it.
    """

    def __init__(self, spec: HeadSpec) -> None:
        super().__init__()
        self.spec = spec
        self.layer = zeros(nn.Linear(spec.width, spec.targets * spec.parameters))

    def forward(self, fused: Tensor, views: SampleViews, start: Tensor | None = None) -> Tensor:
        """``(B, H) → (B, T, P)``."""
        out: Tensor = self.layer(fused)
        return out.reshape(-1, self.spec.targets, self.spec.parameters)


@heads.register("mlp", summary="hidden layers, shared by the targets or one part for each")
class MlpHead(Head):
    """Hidden layers, then a linear one.

    Args:
        spec: Its sizes.
    """

    def __init__(self, spec: HeadSpec) -> None:
        super().__init__()
        self.spec = spec
        outputs = spec.parameters * (spec.targets if spec.shared else 1)
        self.parts = nn.ModuleList(
            hidden_layers(spec, outputs) for _ in range(1 if spec.shared else spec.targets)
        )

    def forward(self, fused: Tensor, views: SampleViews, start: Tensor | None = None) -> Tensor:
        """``(B, H) → (B, T, P)``."""
        out: Tensor = torch.cat([part(fused) for part in self.parts], dim=1)
        return out.reshape(-1, self.spec.targets, self.spec.parameters)


def hidden_layers(spec: HeadSpec, outputs: int, width: int | None = None) -> nn.Sequential:
    """Hidden layers, and a linear one that says 0 before training.

    Args:
        spec: Their widths.
        outputs: Numbers that are said.
        width: Numbers that go in, instead of those of the sample's vector.
    """
    widths = (width or spec.width, *spec.hidden)
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Linear(before, after), nn.GELU(), nn.Dropout(spec.dropout)]
    return nn.Sequential(*layers, zeros(nn.Linear(widths[-1], outputs)))


def zeros(layer: nn.Linear) -> nn.Linear:
    """The layer, saying 0, so that training begins where the start is."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
