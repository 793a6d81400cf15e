"""The states and averages of a training, and which of them answers in the end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from quadrat.engine.averaging import MovingAverage, RunningMean, mean_weights
from quadrat.engine.selection import BestStates
from quadrat.experiment import AverageSection


@dataclass(frozen=True)
class Choice:
    """What the module holds in the end.

    Args:
        epoch: The epoch of the best state, or the last one of an average over the last epochs.
        score: The score of the best state, if there is one; an average has none yet.
        averaged: The epochs whose weights were averaged; none for a single state.
        states: Several states whose predictions are to be averaged, the best one first.
    """

    epoch: int
    score: float | None
    averaged: tuple[int, ...] = ()
    states: tuple[Mapping[str, Tensor], ...] = ()


class Candidates:
    """Follows a module through its training.

    The moving average, where there is one, is what is scored, kept and averaged further.

    Args:
        module: The module.
        section: Which averages are wanted.
        epochs: Length of the training.
        higher_is_better: The direction of the score.
    """

    def __init__(
        self, module: nn.Module, section: AverageSection, epochs: int, higher_is_better: bool
    ) -> None:
        self.module, self.section = module, section
        self.moving = MovingAverage(module, section.ema) if section.ema > 0 else None
        self.mean = RunningMean(module) if section.swa > 0 else None
        self.left_out = math.floor(section.swa * epochs)
        self.best = BestStates(max(1, section.snapshots), higher_is_better)

    def end_step(self) -> None:
        """Takes in the weights after a step."""
        if self.moving is not None:
            self.moving.update(self.module)

    def scored(self) -> AbstractContextManager[None]:
        """The module with the weights that are scored, inside the block."""
        return nullcontext() if self.moving is None else self.moving.applied(self.module)

    def end_epoch(self, epoch: int, score: float | None) -> bool:
        """Takes in the weights after an epoch, which the module must hold as they are scored.

        Args:
            epoch: Epochs that are over; 0 for the initialisation.
            score: Their score on the validation part, if there is one.

        Returns:
            Whether they are the best so far.
        """
        if self.mean is not None and epoch > self.left_out:
            self.mean.update(self.module)
        return score is not None and self.best.offer(epoch, score, self.module)

    def choose(self, last: int) -> Choice:
        """Puts what answers into the module, on which epoch the training ended.

        Batch norms of an average need new statistics.
        """
        best = self.best.best
        if self.mean is not None and self.mean.updates > 0:
            self.module.load_state_dict(self.mean.weights)
            averaged = tuple(range(last + 1 - self.mean.updates, last + 1))
            return Choice(last, best.score if best else None, averaged)
        if best is None:
            if self.moving is not None:
                self.module.load_state_dict(self.moving.weights)
            return Choice(last, None)
        weights = [state.weights for state in self.best.states]
        if self.section.snapshots and self.section.snapshot_of == "weights":
            self.module.load_state_dict(mean_weights(weights))
            averaged = tuple(sorted(state.epoch for state in self.best.states))
            return Choice(best.epoch, best.score, averaged)
        self.module.load_state_dict(best.weights)
        return Choice(best.epoch, best.score, (), tuple(weights) if self.section.snapshots else ())

    def state_dict(self) -> dict[str, Any]:
        """All states and averages."""
        return {
            "moving": self.moving.state_dict() if self.moving else None,
            "mean": self.mean.state_dict() if self.mean else None,
            "best": self.best.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any], epoch: int) -> None:
        """Takes up saved states and averages.

        With more epochs than before, averaging begins later than it did: a mean that began too
        early is dropped.

        Args:
            state: From `state_dict`.
            epoch: Epochs that were over.
        """
        if self.moving is not None:
            self.moving.load_state_dict(state["moving"])
        if self.mean is not None and epoch - state["mean"]["updates"] >= self.left_out:
            self.mean.load_state_dict(state["mean"])
        self.best.load_state_dict(state["best"])
