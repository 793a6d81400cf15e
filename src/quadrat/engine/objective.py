"""What training minimises and what an epoch is judged by: two small protocols."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn


@dataclass(frozen=True)
class Losses:
    """The loss of one batch.

    Args:
        total: What is minimised, a scalar.
        parts: Scalars that make it up, for the history.
        per_sample: The loss of each sample ``(B,)``, detached; names the offending samples when
            the loss is not finite.
    """

    total: Tensor
    parts: Mapping[str, Tensor] = field(default_factory=dict)
    per_sample: Tensor | None = None


class Evaluator(Protocol):
    """Scores that are gathered batch by batch, so that nothing of the data's size is kept."""

    def update(self, batch: Any, output: Any) -> None:
        """Takes in a batch and the module's output for it."""
        ...

    def compute(self) -> dict[str, float]:
        """The scores by name."""
        ...


class Objective(Protocol):
    """What a family wants its module to become."""

    @property
    def primary(self) -> str:
        """The score, among those of the evaluator, that chooses the best state."""
        ...

    @property
    def higher_is_better(self) -> bool:
        """The direction of the primary score."""
        ...

    def loss(self, module: nn.Module, batch: Any) -> Losses:
        """Runs the module on a batch and judges its output."""
        ...

    def evaluator(self) -> Evaluator:
        """A fresh evaluator."""
        ...
