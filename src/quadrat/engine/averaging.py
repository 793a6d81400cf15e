"""Averages of the weights over training."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn


class WeightAverage(ABC):
    """An average of a module's weights and buffers that moves with every update.

    Integer buffers are copied, not averaged: a counter of batches has no mean.

    Args:
        module: The module whose weights are averaged; the average begins as a copy.
    """

    def __init__(self, module: nn.Module) -> None:
        self.updates = 0
        self.weights = {name: t.detach().clone() for name, t in module.state_dict().items()}

    @abstractmethod
    def share(self) -> float:
        """How far the present update goes from the average to the module's weights, 0 to 1."""

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Moves the average towards the module's weights."""
        self.updates += 1
        pairs = [(self.weights[name], tensor) for name, tensor in module.state_dict().items()]
        moving = [(mean, now) for mean, now in pairs if mean.is_floating_point()]
        torch._foreach_lerp_([m for m, _ in moving], [n for _, n in moving], self.share())
        for mean, now in pairs:
            if not mean.is_floating_point():
                mean.copy_(now)

    @contextlib.contextmanager
    def applied(self, module: nn.Module) -> Iterator[None]:
        """The module with the averaged weights, inside the block."""
        own = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
        module.load_state_dict(self.weights)
        try:
            yield
        finally:
            module.load_state_dict(own)

    def state_dict(self) -> dict[str, Any]:
        """The average and its number of updates."""
        return {"updates": self.updates, "weights": self.weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up a saved average."""
        self.updates = int(state["updates"])
        for name, tensor in self.weights.items():
            tensor.copy_(state["weights"][name])


class MovingAverage(WeightAverage):
    """An exponential moving average.

    The decay is warmed up, ``min(decay, (1 + t) / (10 + t))`` after ``t`` updates, so that a short
    training is not held back by its first steps.

    Args:
        module: The module whose weights are averaged; the average begins as a copy.
        decay: The decay that the average ends up with.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        super().__init__(module)
        self.decay = decay

    def share(self) -> float:
        """One minus the decay, warmed up."""
        return 1.0 - min(self.decay, (1 + self.updates) / (10 + self.updates))


class RunningMean(WeightAverage):
    """The plain mean of the states of some epochs: stochastic weight averaging.

    Averaging Weights Leads to Wider Optima and Better Generalization (Izmailov et al. 2018).
    """

    def share(self) -> float:
        """One over the number of states."""
        return 1.0 / self.updates


def mean_weights(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of several states of a module; integer buffers are those of the first.

    Args:
        states: At least one, as ``state_dict`` gives them, on the CPU.
    """
    first = states[0]
    return {
        name: torch.stack([state[name].double() for state in states]).mean(dim=0).to(tensor.dtype)
        if tensor.is_floating_point()
        else tensor.clone()
        for name, tensor in first.items()
    }
