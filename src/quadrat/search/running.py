"""Trials one after the other, until there are enough in the storage."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import optuna
import torch
from optuna.trial import TrialState

from quadrat.engine import current_progress, stop_requested
from quadrat.errors import DataError, ExperimentError, Stopped, TrainingError
from quadrat.experiment import Experiment
from quadrat.predictors import Family
from quadrat.search.proposing import Proposer
from quadrat.search.storage import alive, repeat, repeat_killed, repeated_numbers


class SharedData:
    """The data of the last trial, which the next one takes over if they are the same.

    Args:
        family: Prepares data.
    """

    def __init__(self, family: Family) -> None:
        self.family = family
        self._key: str | None = None
        self._data: Any = None

    def of(self, experiment: Experiment) -> Any:
        """The prepared data of an experiment."""
        key = self.family.data_key(experiment)
        if key != self._key:
            self._key, self._data = None, None  # the old data must not lie beside the new
            self._data = self.family.prepare(experiment)
            self._key = key
        return self._data


class Search:
    """Runs trials of a study.

    Args:
        study: Where they are kept.
        proposer: Chooses their values.
        data: What they learn from.
        trials: Trials in the study when the search is over.
        timeout: Seconds after which no trial begins.
    """

    def __init__(
        self,
        study: optuna.Study,
        proposer: Proposer,
        data: SharedData,
        *,
        trials: int,
        timeout: float | None = None,
    ) -> None:
        self.study, self.proposer, self.data = study, proposer, data
        self.trials, self.timeout = trials, timeout
        self.began = time.monotonic()

    def run(self) -> None:
        """Runs trials until there are enough or the time is over."""
        while not self._over():
            if stop_requested():
                raise Stopped("stopped on request between two trials; the storage goes on.")
            trial = self.study.ask()
            with alive(trial):
                self._run_trial(trial)

    def _over(self) -> bool:
        if killed := repeat_killed(self.study):
            current_progress().note(f"{killed} trials of killed processes are repeated")
        if self.timeout is not None and time.monotonic() - self.began > self.timeout:
            return True
        known = self.study.get_trials(deepcopy=False)
        if any(trial.state == TrialState.WAITING for trial in known):
            return False
        return len(known) - len(repeated_numbers(known)) >= self.trials

    def _run_trial(self, trial: optuna.Trial) -> None:
        values: dict[str, Any] = {}
        try:
            values = self.proposer.propose(trial)
            score = self._score(trial, values)
        except optuna.TrialPruned as pruned:
            self._end(trial, values, TrialState.PRUNED, reason=str(pruned))
        except (ExperimentError, DataError) as error:
            reason = f"these values do not go together: {'; '.join(error.problems) or error}"
            self._end(trial, values, TrialState.PRUNED, reason=reason)
        except TrainingError as error:
            self._end(trial, values, TrialState.FAIL, reason=str(error))
        except torch.OutOfMemoryError as error:
            self._end(trial, values, TrialState.FAIL, reason=f"out of memory: {error}")
        except (Stopped, KeyboardInterrupt):
            repeat(self.study, self.study.get_trials(deepcopy=False)[trial.number])
            raise
        except Exception as error:
            self._end(trial, values, TrialState.FAIL, reason=f"{type(error).__name__}: {error}")
            raise
        else:
            self._end(trial, values, TrialState.COMPLETE, score=score)

    def _score(self, trial: optuna.Trial, values: Mapping[str, Any]) -> float:
        """Trains and judges; raises ``TrialPruned`` where the trial is given up."""

        def report(step: int, score: float) -> None:
            trial.report(score, step)
            if trial.should_prune():
                raise optuna.TrialPruned(f"worse than the median of the others at epoch {step}")

        tried = self.proposer.experiment_of(values, epochs=self.proposer.epochs)
        data = self.data.of(tried)
        return self.data.family.validation_score(tried, data, report=report)

    def _end(
        self,
        trial: optuna.Trial,
        values: Mapping[str, Any],
        state: TrialState,
        *,
        score: float | None = None,
        reason: str = "",
    ) -> None:
        if reason:
            trial.set_user_attr("reason", reason)
        self.study.tell(trial, score, state=state, skip_if_finished=True)
        shown = "  ".join(f"{key}={_short(value)}" for key, value in values.items())
        ended = f"{score:.5g}" if score is not None else f"no score ({reason.splitlines()[0]})"
        current_progress().note(f"trial {trial.number + 1}: {ended}  {shown}")


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
