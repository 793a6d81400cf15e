"""From a search space to the values of a trial, and to its experiment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import optuna

from quadrat.experiment import Experiment, parse
from quadrat.search.document import changed, flat
from quadrat.search.schema import Range, plain
from quadrat.search.space import Space, is_whole

_USUAL_EPOCHS = 15


class Proposer:
    """Chooses the values of trials and makes their experiments.

    Args:
        experiment: What is varied.
        space: How.
        epochs: Epochs of a trial; by default the experiment's, at most 15.
    """

    def __init__(self, experiment: Experiment, space: Space, epochs: int | None = None) -> None:
        self.experiment, self.space = experiment, space
        self.epochs = epochs or min(experiment.optimiser.epochs, _USUAL_EPOCHS)
        self._given = flat(experiment.model_dump(mode="json"))

    def propose(self, trial: optuna.Trial) -> dict[str, Any]:
        """Lets Optuna choose a value for every key that matters in this trial."""
        chosen: dict[str, Any] = {}
        for key, kind in self.space.ranges.items():
            if self._matters(kind, chosen):
                chosen[key] = self._suggest(trial, key, kind)
        return chosen

    def given(self) -> dict[str, Any] | None:
        """The experiment's own values as Optuna holds them, if they lie in their ranges."""
        own: dict[str, Any] = {}
        for key, kind in self.space.ranges.items():
            if self._matters(kind, own):
                value = self._given[key]
                if not kind.holds(value):
                    return None
                own[key] = value
        return {key: _held(self.space.ranges[key], value) for key, value in own.items()}

    @property
    def own(self) -> dict[str, Any]:
        """The experiment's own values of all keys of the space."""
        return {key: self._given[key] for key in self.space.ranges}

    def values(self, held: Mapping[str, Any]) -> dict[str, Any]:
        """Values from how Optuna holds them."""
        return {key: _released(self.space.ranges[key], value) for key, value in held.items()}

    def experiment_of(self, values: Mapping[str, Any], *, epochs: int | None = None) -> Experiment:
        """The experiment of a trial.

        Keys of the space that do not matter in it go back to their defaults.

        Args:
            values: Dotted key → value.
            epochs: Other epochs than the experiment's.

        Raises:
            ExperimentError: The values do not go together.
        """
        with_epochs = {"optimiser.epochs": epochs} if epochs is not None else {}
        idle = self.space.ranges.keys() - values.keys()
        return parse(changed(self.experiment, {**values, **with_epochs}, reset=idle))

    def _matters(self, kind: Range, chosen: Mapping[str, Any]) -> bool:
        return all(
            plain(chosen.get(key, self._given.get(key))) in [plain(value) for value in values]
            for key, values in kind.when.items()
        )

    def _suggest(self, trial: optuna.Trial, key: str, kind: Range) -> Any:
        if kind.low is None or kind.high is None:
            labels = [_held(kind, choice) for choice in kind.choices]
            return _released(kind, trial.suggest_categorical(key, labels))
        if is_whole(self.experiment, key):
            return trial.suggest_int(key, int(kind.low), int(kind.high), log=kind.log)
        return trial.suggest_float(key, kind.low, kind.high, log=kind.log)


def _held(kind: Range, value: Any) -> Any:
    """A value as Optuna can hold it: lists as text."""
    if kind.choices and isinstance(value, (list, tuple)):
        return json.dumps(value)
    return value


def _released(kind: Range, held: Any) -> Any:
    if not kind.choices:
        return held
    return next(choice for choice in kind.choices if _held(kind, choice) == held)
