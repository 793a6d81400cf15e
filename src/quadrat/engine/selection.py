"""The states of a training that are kept because they score best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class KeptState:
    """A state of the module.

    Args:
        epoch: After how many epochs; 0 is the initialisation.
        score: Its primary score on the validation part.
        weights: Its weights and buffers, on the CPU.
    """

    epoch: int
    score: float
    weights: dict[str, Tensor] = field(repr=False)


class BestStates:
    """The best states so far, the best one first; of equal ones the earlier is better.

    Args:
        count: How many are kept.
        higher_is_better: The direction of the score.
    """

    def __init__(self, count: int, higher_is_better: bool) -> None:
        self.count, self.higher_is_better = count, higher_is_better
        self.states: list[KeptState] = []

    @property
    def best(self) -> KeptState | None:
        """The best of them, if any has been scored."""
        return self.states[0] if self.states else None

    def offer(self, epoch: int, score: float, module: nn.Module) -> bool:
        """Keeps the module's present state if its score is good enough; NaN never is.

        Returns:
            Whether it is the best of all.
        """
        place = self._place(score)
        if score != score or place == self.count:
            return False
        weights = {k: t.detach().cpu().clone() for k, t in module.state_dict().items()}
        self.states.insert(place, KeptState(epoch, score, weights))
        del self.states[self.count :]
        return place == 0

    def _place(self, score: float) -> int:
        """How many of the kept states are at least as good."""
        if self.higher_is_better:
            return sum(state.score >= score for state in self.states)
        return sum(state.score <= score for state in self.states)

    def state_dict(self) -> list[dict[str, Any]]:
        """The states as plain data and tensors."""
        return [vars(state) for state in self.states]

    def load_state_dict(self, states: Sequence[dict[str, Any]]) -> None:
        """Takes up saved states."""
        self.states = [KeptState(**state) for state in states]
