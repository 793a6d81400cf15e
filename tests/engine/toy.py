"""A least-squares problem small enough to train in milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from quadrat.engine import FitSettings, IndexBatches, Losses, ParameterGroup, parameter_groups
from quadrat.experiment import AverageSection, OptimiserSection, RunSection


@dataclass(frozen=True)
class ToyBatch:
    index: Tensor
    x: Tensor
    y: Tensor

    def sample_ids(self) -> Sequence[str]:
        return [f"sample-{i}" for i in self.index.tolist()]


class ToyModule(nn.Module):
    def __init__(self, features: int = 5) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(features, 8), nn.Dropout(0.2), nn.Linear(8, 1))

    def forward(self, batch: ToyBatch) -> Tensor:
        return self.layers(batch.x).float().squeeze(1)


class ToyNormed(ToyModule):
    """With a batch norm, whose counter is an integer buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 1)
        )


class ToyEvaluator:
    def __init__(self) -> None:
        self.squares, self.n = 0.0, 0

    def update(self, batch: ToyBatch, output: Tensor) -> None:
        self.squares += float(((output - batch.y) ** 2).sum())
        self.n += len(batch.y)

    def compute(self) -> dict[str, float]:
        return {"mse": self.squares / self.n}


class ToyObjective:
    primary = "mse"
    higher_is_better = False

    def loss(self, module: nn.Module, batch: ToyBatch) -> Losses:
        per_sample = (module(batch) - batch.y) ** 2
        return Losses(per_sample.mean(), {"square": per_sample.mean()}, per_sample.detach())

    def evaluator(self) -> ToyEvaluator:
        return ToyEvaluator()


def toy_data(n: int = 96, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 5, generator=generator)
    return x, x @ torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0]) + 0.1


def toy_batches(x: Tensor, y: Tensor, **options: Any) -> IndexBatches[ToyBatch]:
    def make(index: Tensor, epoch: int, position: int) -> ToyBatch:
        return ToyBatch(index, x[index], y[index])

    return IndexBatches(len(x), 16, make, **{"seed": 1, **options})


def toy_settings(*, seed: int = 3, **given: Any) -> FitSettings:
    """Settings; what is not a key of the averages belongs to the optimiser."""
    averages = {name: given.pop(name) for name in AverageSection.model_fields if name in given}
    section = {"epochs": 5, "learning_rate": 1e-2, "precision": "fp32", **given}
    return FitSettings(
        OptimiserSection(**section), AverageSection(**averages), RunSection(device="cpu"), seed
    )


def toy_groups(module: ToyModule, frozen_epochs: int = 0) -> list[ParameterGroup]:
    """The first layers, which may be frozen for some epochs, and the last one."""
    first = parameter_groups(module.layers[:-1], 1e-2, 1e-3, name="first")
    first = [replace(group, frozen_epochs=frozen_epochs) for group in first]
    return first + parameter_groups(module.layers[-1], 1e-2, 1e-3, name="last")
