"""Averages of the weights over training."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn


class MovingAverage:
    """An exponential moving average of weights and buffers.

    The decay is warmed up, ``min(decay, (1 + t) / (10 + t))`` after ``t`` updates, so that a short
    training is not held back by its first steps. Integer buffers are copied, not averaged.

    Args:
        module: The module whose weights are averaged; the average begins as a copy.
        decay: The decay that the average ends up with.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.weights = {name: t.detach().clone() for name, t in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Moves the average towards the module's weights."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        pairs = [(self.weights[name], tensor) for name, tensor in module.state_dict().items()]
        moving = [(mean, now) for mean, now in pairs if mean.is_floating_point()]
        torch._foreach_lerp_([m for m, _ in moving], [n for _, n in moving], 1.0 - decay)
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

    def state_dict(self) -> dict[str, object]:
        """The average and its number of updates."""
        return {"updates": self.updates, "weights": self.weights}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Takes up a saved average."""
        saved = state["weights"]
        if not isinstance(saved, dict) or not isinstance(state["updates"], int):
            raise ValueError("this is not the state of a moving average")
        self.updates = state["updates"]
        for name, tensor in self.weights.items():
            value: Tensor = saved[name]
            tensor.copy_(value)
