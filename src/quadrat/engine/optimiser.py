"""Parameter groups, the optimiser, and the learning rate as a function of the step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from quadrat.engine.adamw import AdamW
from quadrat.experiment import AverageSection, OptimiserSection, RunSection


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that share a learning rate and a weight decay.

    Args:
        name: For messages.
        parameters: The parameters.
        learning_rate: Their highest learning rate.
        weight_decay: Their decoupled weight decay.
        frozen_epochs: In so many first epochs they do not learn; then they join with the rate that
            the schedule has reached.
    """

    name: str
    parameters: Sequence[nn.Parameter]
    learning_rate: float
    weight_decay: float
    frozen_epochs: int = 0


@dataclass(frozen=True)
class FitSettings:
    """What `fit` takes from an experiment.

    Args:
        optimiser: The optimiser's section.
        average: The section of averages.
        run: The section of the run.
        seed: Of everything random in this fit.
        score_initial: Score the module before its first step, so that a good initialisation can
            turn out to be the best state.
        stop_after: End after so many epochs, while schedule and averages are planned for all of
            them; None: train all.
        label: What messages call this training; its fold by default.
    """

    optimiser: OptimiserSection
    average: AverageSection
    run: RunSection
    seed: int
    score_initial: bool = False
    stop_after: int | None = None
    label: str = ""


def parameter_groups(
    module: nn.Module, learning_rate: float, weight_decay: float, *, name: str = ""
) -> list[ParameterGroup]:
    """Splits a module's trainable parameters by whether they decay.

    Biases, norms and other vectors are not decayed: shrinking them does not make a function
    simpler.

    Args:
        module: The module.
        learning_rate: Highest learning rate of both groups.
        weight_decay: Of matrices and higher tensors.
        name: The groups' name.
    """
    trainable = [p for p in module.parameters() if p.requires_grad]
    split = {
        "": ([p for p in trainable if p.ndim >= 2], weight_decay),
        "no-decay": ([p for p in trainable if p.ndim < 2], 0.0),
    }
    return [
        ParameterGroup("-".join(filter(None, [name, suffix])), parameters, learning_rate, decay)
        for suffix, (parameters, decay) in split.items()
        if parameters
    ]


def make_optimiser(groups: Sequence[ParameterGroup], device: torch.device) -> AdamW:
    """AdamW (Loshchilov & Hutter 2019) over the groups."""
    options: list[dict[str, Any]] = [
        {
            "params": list(group.parameters),
            "lr": group.learning_rate,
            "initial_lr": group.learning_rate,
            "weight_decay": group.weight_decay,
        }
        for group in groups
    ]
    return AdamW(options, fused=device.type in ("cpu", "cuda"))


@dataclass(frozen=True)
class Schedule:
    """The learning rate over the steps: linear warm-up, then cosine to a floor, then the floor.

    The horizon is planned once, when training begins, and kept in the saved state. Training that
    goes on beyond it stays at the floor: the rate never climbs again by itself.

    Args:
        kind: ``"cosine"`` (Loshchilov & Hutter 2017) or ``"none"`` (constant after warm-up).
        total_steps: The horizon.
        warmup_steps: Steps of warm-up.
        floor: Lowest learning rate after the warm-up.
    """

    kind: str
    total_steps: int
    warmup_steps: int
    floor: float

    @classmethod
    def plan(cls, section: OptimiserSection, steps_per_epoch: int) -> Schedule:
        """The schedule of an experiment."""
        total = section.epochs * steps_per_epoch
        if section.warmup_epochs is not None:
            warmup = round(section.warmup_epochs * steps_per_epoch)
        else:
            warmup = section.warmup_steps or 0
        return cls(section.schedule, total, min(warmup, total), section.learning_rate_min)

    def rate(self, highest: float, step: int) -> float:
        """The learning rate of step ``step`` (from 0) of a group whose highest is given."""
        if step < self.warmup_steps:
            return highest * (step + 1) / self.warmup_steps
        if self.kind == "none":
            return highest
        floor = min(self.floor, highest)
        length = max(1, self.total_steps - self.warmup_steps)
        share = min(1.0, (step - self.warmup_steps) / length)
        return floor + (highest - floor) * 0.5 * (1.0 + math.cos(math.pi * share))
