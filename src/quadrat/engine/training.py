"""A training under way: its position, its best state, its steps, and how it is saved.

`quadrat.engine.fit` runs it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from quadrat.engine.backend import Backend
from quadrat.engine.batches import Batch, Batches
from quadrat.engine.candidates import Candidates, Choice
from quadrat.engine.evaluation import evaluate
from quadrat.engine.freezing import Freezing
from quadrat.engine.guard import FiniteGuard
from quadrat.engine.objective import Objective
from quadrat.engine.optimiser import (
    FitSettings,
    ParameterGroup,
    Schedule,
    make_optimiser,
    parameter_groups,
)
from quadrat.engine.progress import current_progress
from quadrat.engine.randomness import random_state, restore_random_state, seed_everything
from quadrat.engine.signals import stop_requested
from quadrat.engine.state import load_state, save_state
from quadrat.engine.statistics import reestimate_statistics
from quadrat.errors import Stopped, TrainingError, UsageError

_SAVE_SECONDS = 20.0
_SAVE_SHARE = 0.05
"""Saving takes at most about this share of the time where its rhythm is left to the engine."""


class HistoryLog(Protocol):
    """Where the records of the epochs go."""

    def append(self, record: Mapping[str, object]) -> None:
        """Adds a record."""
        ...

    def restore(self, fold: int, records: Sequence[Mapping[str, object]]) -> None:
        """Cuts a fold's records back to the given ones."""
        ...


@dataclass(frozen=True)
class FitResult:
    """How a training ended; the module holds the chosen state.

    Args:
        best_epoch: The epoch of the best state, or the last one of an average over the last
            epochs; 0 is the initialisation.
        epochs: Epochs trained.
        score: The primary score on the validation part, if there is one, of what the module holds.
        records: The history.
        averaged: The epochs whose weights the module holds the mean of; none where it is one state.
        states: With ``average.snapshot_of = "predictions"`` the best states, the best one first,
            as weights on the CPU; the module holds the first.
    """

    best_epoch: int
    epochs: int
    score: float | None
    records: tuple[Mapping[str, Any], ...]
    averaged: tuple[int, ...] = ()
    states: tuple[Mapping[str, Tensor], ...] = field(default=(), repr=False, compare=False)


@dataclass
class Position:
    """Where the training is: everything that counts."""

    epoch: int = 0  # epochs that are over
    batch: int = 0  # batches done in the present one
    step: int = 0  # optimiser steps in all
    waited: int = 0  # epochs since the best score
    sums: dict[str, float] = field(default_factory=dict)  # of this epoch's losses, when saved


class Training:
    """One training, as its parts; `fit` runs it."""

    def __init__(
        self,
        module: nn.Module,
        batches: Batches[Any],
        objective: Objective,
        settings: FitSettings,
        backend: Backend,
        validation: Batches[Any] | None,
        state: Path | None,
        history: HistoryLog | None,
        fold: int,
        groups: Sequence[ParameterGroup] | None,
    ) -> None:
        self.module, self.batches, self.objective = module, batches, objective
        self.settings, self.backend, self.validation = settings, backend, validation
        self.folder, self.fold = state, fold
        self.history = history if backend.is_main else None
        self.groups = groups
        self.label = settings.label or f"fold {fold}"
        self.position = Position()
        self.guard = FiniteGuard(backend.device)
        self._sums: dict[str, Tensor] = {}  # on the device: a number a step would wait for it
        self._changed = False
        self.records: list[Mapping[str, Any]] = []
        self._saved_at, self._changed = time.monotonic(), False
        self._save_cost = 0.0

    # -- beginning and end ------------------------------------------------------------------

    def begin(self) -> None:
        """Builds optimiser and averages, and takes up a saved state if there is one."""
        section = self.settings.optimiser
        if self.settings.average.snapshots and self.validation is None:
            raise UsageError(
                "average.snapshots chooses states by their score on a validation part, and there "
                "is none here. Set average.snapshots = 0, or hold rows back for it."
            )
        self.wrapped = self.backend.wrap(self.module)
        groups = self.groups or parameter_groups(
            self.module, section.learning_rate, section.weight_decay
        )
        self.optimiser = make_optimiser(groups, self.backend.device)
        self.scaled = self.backend.accelerator.prepare_optimizer(self.optimiser)
        self.parameters = [p for group in groups for p in group.parameters]
        self.freezing = Freezing(self.module, groups)
        steps = -(-len(self.batches) // section.accumulate)
        self.schedule = Schedule.plan(section, steps)
        self.candidates = Candidates(
            self.module, self.settings.average, section.epochs, self.objective.higher_is_better
        )
        seed_everything(self.settings.seed + self.backend.rank)
        saved = load_state(self.folder) if self.folder else None
        if saved is not None:
            self._restore(saved)
        elif self.settings.score_initial and self.validation is not None:
            self._judge({})
        if self.history is not None:
            self.history.restore(self.fold, self.records)

    def finished(self) -> bool:
        """Whether all epochs are over, or patience is."""
        section = self.settings.optimiser
        impatient = 0 < section.patience <= self.position.waited
        stop_after = self.settings.stop_after
        last = section.epochs if stop_after is None else min(stop_after, section.epochs)
        return self.position.epoch >= last or (impatient and self.position.batch == 0)

    def end(self) -> FitResult:
        """Saves the last state, then puts the chosen one, or an average, into the module."""
        self._save()
        self.freezing.end()
        choice = self.candidates.choose(self.position.epoch)
        score = self._score_average(choice) if choice.averaged else choice.score
        self.module.eval()
        return FitResult(
            choice.epoch,
            self.position.epoch,
            score,
            tuple(self.records),
            choice.averaged,
            choice.states,
        )

    def _score_average(self, choice: Choice) -> float | None:
        """Fits the batch norms to averaged weights, and scores them beside the best state."""
        last = max(0, self.position.epoch - 1)
        reestimate_statistics(self.module, self.batches, last, backend=self.backend)
        if self.validation is None:
            return None
        score = self._primary(self._scores())
        beside = f"; the best state has {choice.score:.4g}" if choice.score is not None else ""
        current_progress().note(
            f"{self.label}: {self.objective.primary} {score:.4g} on the inner part for the mean of "
            f"{len(choice.averaged)} states{beside}"
        )
        return score

    # -- an epoch ---------------------------------------------------------------------------

    def run_epoch(self) -> Mapping[str, Any]:
        """Trains one epoch, or the rest of one, and scores it."""
        position, began = self.position, time.monotonic()
        label = f"{self.label}, epoch {position.epoch + 1}/{self.settings.optimiser.epochs}"
        first = position.batch
        self.module.train()
        self.freezing.begin_epoch(position.epoch)
        with current_progress().task(label, len(self.batches) - first) as task:
            pending: list[Batch] = []
            for batch in self.batches.epoch(position.epoch, first):
                pending.append(batch)
                last = position.batch + len(pending) == len(self.batches)
                if len(pending) == self.settings.optimiser.accumulate or last:
                    self._step(pending)
                    task.advance(len(pending))
                    pending = []
                    if not last:
                        self._between_steps()
        self.guard.check()
        seconds = time.monotonic() - began
        losses = {name: float(total) / len(self.batches) for name, total in self._sums.items()}
        position.epoch, position.batch, self._sums = position.epoch + 1, 0, {}
        record = self._judge(losses, seconds=seconds)
        if stop_requested():
            self._stop()
        if self._save_is_due():
            self._save()
        return record

    def _step(self, pending: Sequence[Batch]) -> None:
        """One step of the optimiser, from one batch or several."""
        position = self.position
        self._changed = True
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.rate(group["initial_lr"], position.step)
        for number, batch in enumerate(pending, start=1):
            with self._synchronised(number == len(pending)):
                with self.backend.autocast():
                    losses = self.objective.loss(self.wrapped, batch)
                self.guard.watch(losses, batch, position.epoch + 1, position.step + 1, self.label)
                self.backend.accelerator.backward(losses.total / len(pending))
            self._add({"loss": losses.total, **losses.parts})
        if self.settings.optimiser.clip > 0:
            self.backend.accelerator.unscale_gradients(self.scaled)
            nn.utils.clip_grad_norm_(self.parameters, self.settings.optimiser.clip, foreach=True)
        self.scaled.step()
        self.scaled.zero_grad(set_to_none=True)
        self.candidates.end_step()
        position.step += 1
        position.batch += len(pending)

    def _synchronised(self, last: bool) -> Any:
        """Gradients are exchanged between processes at the last batch of a step only."""
        if last or self.backend.world == 1:
            return nullcontext()
        return self.backend.accelerator.no_sync(self.wrapped)

    def _add(self, values: Mapping[str, Tensor]) -> None:
        """Adds a batch's losses to the epoch's sums."""
        dtype = torch.float32 if self.backend.device.type == "mps" else torch.float64
        for name, value in values.items():
            value = value.detach().to(self.backend.device, dtype)
            self._sums[name] = self._sums[name] + value if name in self._sums else value

    def _judge(self, losses: Mapping[str, float], *, seconds: float = 0.0) -> Mapping[str, Any]:
        """Scores the present state, keeps it if it is the best, and records the epoch."""
        position = self.position
        rate = max(group["lr"] for group in self.optimiser.param_groups)
        record: dict[str, Any] = {"fold": self.fold, "epoch": position.epoch}
        record |= {"step": position.step, "learning_rate": rate if position.step else 0.0}
        record |= {name: self._shared_mean(value) for name, value in losses.items()}
        with self.candidates.scored():
            scores = self._scores()
            score = self._primary(scores) if self.validation is not None else None
            is_best = self.candidates.end_epoch(position.epoch, score)
        position.waited = 0 if is_best or score is None else position.waited + 1
        record |= scores
        record["seconds"] = round(seconds, 3)
        self.records.append(record)
        if self.history is not None:
            self.history.append(record)
        current_progress().epoch(self.label, record, self.settings.optimiser.epochs)
        return record

    def _scores(self) -> dict[str, float]:
        """The main process scores, and all processes go by its scores."""
        scores: dict[str, float] = {}
        if self.backend.is_main and self.validation is not None:
            scores = evaluate(
                self.module, self.validation, self.objective.evaluator(), backend=self.backend
            )
        shared: dict[str, float] = self.backend.agree(scores)
        return shared

    def _primary(self, scores: Mapping[str, float]) -> float:
        if self.objective.primary not in scores:
            raise TrainingError(
                f"the score '{self.objective.primary}' is not among those of the inner split: "
                f"{', '.join(scores)}. Set score.primary to one of them."
            )
        return float(scores[self.objective.primary])

    def _shared_mean(self, value: float) -> float:
        return float(self.backend.mean(torch.tensor(value, device=self.backend.device)))

    # -- saving and stopping ----------------------------------------------------------------

    def _between_steps(self) -> None:
        if stop_requested():
            self._stop()
        if self.settings.run.save_every == 0 and self._save_is_due():
            self.guard.check()
            self._save()

    def _stop(self) -> None:
        self._save()
        done = self.position.epoch
        raise Stopped(
            f"stopped on request in {self.label} after {done} whole epochs; "
            + ("the state is saved." if self.folder else "nothing was to be saved.")
        )

    def _save_is_due(self) -> bool:
        every = self.settings.run.save_every
        if every > 0:
            return self.position.epoch % every == 0
        passed = time.monotonic() - self._saved_at
        return passed > max(_SAVE_SECONDS, self._save_cost / _SAVE_SHARE)

    def _save(self) -> None:
        if self.folder is None or not self.backend.is_main or not self._changed:
            return
        began = time.monotonic()
        save_state(self.folder, self._state())
        self._saved_at, self._changed = time.monotonic(), False
        self._save_cost = self._saved_at - began

    def _state(self) -> dict[str, Any]:
        scaler = self.backend.accelerator.scaler
        self.position.sums = {name: float(total) for name, total in self._sums.items()}
        return {
            "module": self.module.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": scaler.state_dict() if scaler is not None else None,
            "candidates": self.candidates.state_dict(),
            "position": vars(self.position),
            "schedule": vars(self.schedule),
            "batches": self.batches.state_dict(),
            "random": random_state(),
            "records": [dict(record) for record in self.records],
        }

    def _restore(self, saved: Mapping[str, Any]) -> None:
        try:
            self.module.load_state_dict(saved["module"])
            self.optimiser.load_state_dict(saved["optimiser"])
            self.batches.load_state_dict(saved["batches"])
            self.position = Position(**saved["position"])
            self.candidates.load_state_dict(saved["candidates"], self.position.epoch)
        except (ValueError, RuntimeError, KeyError) as error:
            raise TrainingError(
                f"the saved state in {self.folder} belongs to another training: {error}. "
                "Start a new run instead of resuming."
            ) from error
        if self.backend.accelerator.scaler is not None and saved["scaler"] is not None:
            self.backend.accelerator.scaler.load_state_dict(saved["scaler"])
        for name, total in self.position.sums.items():
            self._add({name: torch.tensor(total, dtype=torch.float64, device="cpu")})
        planned = {**saved["schedule"], "floor": self.settings.optimiser.learning_rate_min}
        self.schedule = Schedule(**planned)
        self.records = list(saved["records"])
        restore_random_state(saved["random"])
