from __future__ import annotations

import pytest

from quadrat.engine import FitResult, RunningScore
from quadrat.errors import TrainingError


def ended(score: float | None) -> FitResult:
    return FitResult(1, 2, score, ())


def test_the_score_so_far_is_that_of_the_best_epoch_and_the_mean_over_folds():
    told: list[tuple[int, float]] = []
    running = RunningScore("r2", True, 2, lambda step, score: told.append((step, score)))
    for fold in ([0.4, 0.2], [0.6, 0.8]):
        running.restore(0, [])
        for epoch, score in enumerate(fold, start=1):
            record = {"epoch": epoch, "r2": score}
            running.append(record)
            running.on_epoch(record)
        last = running.end(ended(max(fold)))
    assert told == [
        (1, 0.4),
        (2, 0.4),
        (3, pytest.approx(0.5)),
        (4, pytest.approx(0.6)),
    ]
    assert last == pytest.approx(0.6)


def test_lower_may_be_better_and_the_initial_state_counts():
    told: list[float] = []
    running = RunningScore("rmse", False, 1, lambda step, score: told.append(score))
    running.restore(0, [{"epoch": 0, "rmse": 1.0}])
    record = {"epoch": 1, "rmse": 3.0}
    running.append(record)
    running.on_epoch(record)
    assert told == [1.0]


def test_a_training_without_any_score_is_an_error():
    running = RunningScore("r2", True, 1, lambda step, score: pytest.fail("there is no score"))
    record = {"epoch": 1, "r2": float("nan")}
    running.append(record)
    running.on_epoch(record)
    with pytest.raises(TrainingError, match=r"score\.primary = 'r2'"):
        running.end(ended(None))
