"""Training and scoring a module, top to bottom.

`fit` knows modules, batches and an objective. What it may look at besides the training batches is
the validation part (``split.inner``), by which the best state is chosen and training may stop
early.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from quadrat.engine.backend import Backend
from quadrat.engine.batches import Batches
from quadrat.engine.memory import freed_memory_kept
from quadrat.engine.objective import Objective
from quadrat.engine.optimiser import FitSettings, ParameterGroup
from quadrat.engine.randomness import deterministic_algorithms
from quadrat.engine.signals import stops_gracefully
from quadrat.engine.training import FitResult, HistoryLog, Training

OnEpoch = Callable[[Mapping[str, Any]], bool | None]
"""Called with the record of every epoch; training ends when it returns True."""


def fit(
    module: nn.Module,
    batches: Batches[Any],
    objective: Objective,
    settings: FitSettings,
    *,
    backend: Backend,
    validation: Batches[Any] | None = None,
    state: Path | None = None,
    history: HistoryLog | None = None,
    fold: int = 0,
    groups: Sequence[ParameterGroup] | None = None,
    on_epoch: OnEpoch | None = None,
) -> FitResult:
    """Trains a module.

    Afterwards the module holds the state with the best primary score on the validation part
    (averaged weights where ``average.ema`` is on), or the last state where there is none.

    Args:
        module: What is trained; it is called with a batch.
        batches: The training batches.
        objective: Loss and scores.
        settings: The sections of the experiment and the seed.
        backend: Device, precision, processes.
        validation: Batches of the inner split, in a fixed order.
        state: A folder for saved states; training goes on from what lies there. None: no saving.
        history: Receives a record an epoch.
        fold: The fold's number, for records and messages.
        groups: Parameter groups; by default all parameters at the optimiser's learning rate.
        on_epoch: Called with every record; training ends when it returns True.

    Raises:
        NonFiniteLossError: The loss became NaN or infinite.
        Stopped: A signal asked to stop; the state was saved.
        TrainingError: The saved state belongs to another training.
    """
    training = Training(
        module, batches, objective, settings, backend, validation, state, history, fold, groups
    )
    with (
        deterministic_algorithms(settings.run.deterministic),
        stops_gracefully(),
        freed_memory_kept(),
    ):
        training.begin()
        while not training.finished():
            record = training.run_epoch()
            if on_epoch is not None and on_epoch(record):
                break
        return training.end()
