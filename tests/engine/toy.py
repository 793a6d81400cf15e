"""A least-squares problem small enough to train in milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from quadrat.engine import FitSettings, IndexBatches, Losses
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


def toy_settings(*, ema: float = 0.0, seed: int = 3, **optimiser: Any) -> FitSettings:
    section = {"epochs": 5, "learning_rate": 1e-2, "precision": "fp32", **optimiser}
    return FitSettings(
        OptimiserSection(**section), AverageSection(ema=ema), RunSection(device="cpu"), seed
    )
