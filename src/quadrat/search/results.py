"""What a search found, and the folder that keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
import polars as pl
from optuna.trial import FrozenTrial, TrialState

from quadrat.experiment import Experiment
from quadrat.runs import FORMAT_VERSION, write_json, write_text
from quadrat.search.proposing import Proposer
from quadrat.search.storage import KILLED, repeated_numbers
from quadrat.tables import write_table

LEAST_FOR_IMPORTANCE = 10
"""Finished trials below which the importance of keys is noise."""


@dataclass(frozen=True)
class TrialRecord:
    """One trial.

    Attributes:
        number: From 1, in the order of the storage (where Optuna counts from 0).
        state: finished, given up, invalid, failed, killed, or running (elsewhere).
        value: The score: of a trial that was given up, what it had then.
        values: Key → value.
        epochs: Epochs until the score was told last, over all folds.
        seconds: How long it took.
        reason: Why it has no score, or was given up.
        given: Whether these are the experiment's own values.
    """

    number: int
    state: str
    value: float | None
    values: Mapping[str, Any]
    epochs: int
    seconds: float | None
    reason: str
    given: bool


@dataclass(frozen=True)
class StudyResult:
    """What a search found.

    Attributes:
        folder: Where study.json, trials.csv, best.toml and report.html lie.
        primary: The score.
        higher_is_better: Its direction.
        trials: All trials, by number.
        importances: Key → share of what decides whether a trial is among the best (PED-ANOVA,
            Watanabe et al. 2023); empty with fewer than ten finished trials.
        best_experiment: The experiment with the best values and its own epochs; None while no
            trial has finished.
        own: Key → value that the experiment itself has.
        settings: What the search was begun with.
    """

    folder: Path
    primary: str
    higher_is_better: bool
    trials: tuple[TrialRecord, ...]
    importances: Mapping[str, float]
    best_experiment: Experiment | None
    own: Mapping[str, Any]
    settings: Mapping[str, Any]

    @property
    def finished(self) -> list[TrialRecord]:
        """Finished trials, the best first."""
        done = [t for t in self.trials if t.state == "finished" and t.value is not None]
        sign = -1.0 if self.higher_is_better else 1.0
        return sorted(done, key=lambda t: (sign * (t.value or 0.0), t.number))

    @property
    def best(self) -> TrialRecord | None:
        """The best finished trial."""
        return next(iter(self.finished), None)

    @property
    def given(self) -> TrialRecord | None:
        """The finished trial with the experiment's own values."""
        return next((t for t in self.finished if t.given), None)

    @property
    def command(self) -> str:
        """The command that trains the best experiment."""
        return f"quadrat train {self.folder / 'best.toml'}"

    def counts(self) -> dict[str, int]:
        """How many trials ended in which way."""
        states = [trial.state for trial in self.trials]
        return {state: states.count(state) for state in dict.fromkeys(states)}

    def to_dict(self) -> dict[str, Any]:
        """The content of ``study.json``."""
        best = self.best
        return {
            "format_version": FORMAT_VERSION,
            **self.settings,
            "primary": self.primary,
            "higher_is_better": self.higher_is_better,
            "counts": self.counts(),
            "best": vars(best) if best else None,
            "given": vars(self.given) if self.given else None,
            "own": dict(self.own),
            "importances": dict(self.importances),
            "trials": [vars(trial) for trial in self.trials],
        }

    def write(self) -> None:
        """Writes ``study.json``, ``trials.csv``, and ``best.toml`` where a trial has finished."""
        write_json(self.folder / "study.json", self.to_dict())
        write_table(_table(self.trials), self.folder / "trials.csv")
        if self.best_experiment is not None:
            write_text(self.folder / "best.toml", self.best_experiment.to_toml())


def make_result(
    study: optuna.Study, proposer: Proposer, folder: Path, settings: Mapping[str, Any]
) -> StudyResult:
    """Gathers what a study holds."""
    trials = study.get_trials(deepcopy=False)
    again = repeated_numbers(trials)
    records = tuple(
        _record(trial, proposer, killed=trial.number in again)
        for trial in trials
        if trial.state != TrialState.WAITING
    )
    found = StudyResult(
        folder=folder,
        primary=proposer.experiment.score.primary,
        higher_is_better=study.direction == optuna.study.StudyDirection.MAXIMIZE,
        trials=records,
        importances=_importances(study),
        best_experiment=None,
        own=proposer.own,
        settings=settings,
    )
    if found.best is None:
        return found
    chosen = proposer.experiment_of(found.best.values)
    named = chosen.model_copy(update={"name": f"{chosen.name}-tuned"})
    return replace(found, best_experiment=named)


def _record(trial: FrozenTrial, proposer: Proposer, *, killed: bool) -> TrialRecord:
    reason = str(trial.user_attrs.get("reason", KILLED if killed else ""))
    kinds = {
        TrialState.COMPLETE: "finished",
        TrialState.PRUNED: "given up" if trial.intermediate_values else "invalid",
        TrialState.FAIL: "killed" if killed else "failed",
    }
    took = trial.duration
    return TrialRecord(
        number=trial.number + 1,
        state=kinds.get(trial.state, "running"),
        value=trial.value,
        values=proposer.values(trial.params),
        epochs=trial.last_step or 0,
        seconds=round(took.total_seconds(), 3) if took is not None else None,
        reason=reason,
        given=bool(trial.user_attrs.get("given", False)),
    )


def _importances(study: optuna.Study) -> dict[str, float]:
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    values = {trial.value for trial in finished}
    if len(finished) < LEAST_FOR_IMPORTANCE or len(values) < 2:
        return {}
    # five trials make a usable picture of the best ones
    share = min(0.5, max(0.1, 5 / len(finished)))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=share)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def _table(trials: Sequence[TrialRecord]) -> pl.DataFrame:
    keys = list(dict.fromkeys(key for trial in trials for key in trial.values))
    rows = [
        {
            **{name: value for name, value in vars(trial).items() if name != "values"},
            **{key: _cell(trial.values.get(key)) for key in keys},
        }
        for trial in trials
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def _cell(value: Any) -> Any:
    return str(list(value)) if isinstance(value, (list, tuple)) else value
