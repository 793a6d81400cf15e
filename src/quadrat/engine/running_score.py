"""The best validation score of trainings under way, for a search that compares them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from quadrat.engine.training import FitResult
from quadrat.errors import TrainingError

Report = Callable[[int, float], None]
"""Called after every epoch with the epochs so far and the score so far; ends a trial by raising."""


class RunningScore:
    """Follows the primary score of one training, or of one training a fold.

    The score so far is the mean over the folds that are over and the present one, each with its
    best epoch, as that is the state that a training keeps. It is a history for `fit`, which hands
    it every record, and an ``on_epoch``.

    Args:
        primary: The score's name in the records.
        higher_is_better: Its direction.
        epochs: Epochs of a training.
        report: Told the score so far after every epoch.
    """

    def __init__(
        self, primary: str, higher_is_better: bool, epochs: int, report: Report | None = None
    ) -> None:
        self.primary, self.epochs = primary, epochs
        self._best_of = max if higher_is_better else min
        self._report = report
        self._over: list[float] = []
        self._present: float | None = None

    def append(self, record: Mapping[str, object]) -> None:
        """Takes in a record."""
        score = record.get(self.primary)
        if isinstance(score, float) and math.isfinite(score):
            known = self._present
            self._present = score if known is None else self._best_of(known, score)

    def restore(self, fold: int, records: Sequence[Mapping[str, object]]) -> None:
        """Begins a fold with the records that it has."""
        self._present = None
        for record in records:
            self.append(record)

    def on_epoch(self, record: Mapping[str, Any]) -> None:
        """Reports the score so far, if the present fold has one."""
        if self._report is not None and self._present is not None:
            scores = [*self._over, self._present]
            step = len(self._over) * self.epochs + int(record["epoch"])
            self._report(step, sum(scores) / len(scores))

    def end(self, result: FitResult) -> float:
        """Ends a fold.

        Returns:
            The mean over all folds that are over.

        Raises:
            TrainingError: No epoch has a score.
        """
        if result.score is None:
            raise TrainingError(
                f"score.primary = '{self.primary}' is not a number on the validation part."
            )
        self._over.append(result.score)
        self._present = None
        return sum(self._over) / len(self._over)
