"""What is tried next, and when a trial is given up."""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

_METHODS: dict[str, Callable[[int], BaseSampler]] = {
    "random": lambda seed: RandomSampler(seed=seed),
    "tpe": lambda seed: TPESampler(seed=seed),
}


class SteadySampler(BaseSampler):
    """A sampler whose draws depend on the seed, the trial's number and the trials before it.

    A sampler that is seeded once begins with the same draws again in every process: after a kill,
    and in processes that share a storage.

    Args:
        method: ``"tpe"`` (Bergstra et al. 2011; Watanabe 2023) or ``"random"``.
        seed: The seed.
    """

    def __init__(self, method: str, seed: int) -> None:
        self._make, self._seed = _METHODS[method], seed
        self._sampler = self._make(seed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Seeds anew, by the trial's number."""
        digest = hashlib.sha256(f"{self._seed} {trial.number}".encode()).digest()
        self._sampler = self._make(int.from_bytes(digest[:4], "little"))
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The keys that are drawn together."""
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draws them."""
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draws a key by itself."""
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Hands the result on."""
        self._sampler.after_trial(study, trial, state, values)


class MedianPruner(BasePruner):
    """Gives up a trial that is worse than the median of the finished ones at the same step.

    Optuna's own compares the best value that the trial ever had. The score of several folds is a
    running mean that falls when a harder fold begins, so that an easy first fold would shelter
    a bad trial; here the values of the same step are compared.

    Args:
        warmup: Steps that every trial may make.
        least: Finished trials before any is given up.
    """

    def __init__(self, warmup: int = 3, least: int = 5) -> None:
        self.warmup, self.least = warmup, least

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether to give up the trial now."""
        step = trial.last_step
        if step is None or step <= self.warmup:
            return False
        finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        others = [value for other in finished if (value := _value_at(other, step)) is not None]
        if len(others) < self.least:
            return False
        median, value = statistics.median(others), trial.intermediate_values[step]
        if study.direction == StudyDirection.MAXIMIZE:
            return value < median
        return value > median


def _value_at(trial: FrozenTrial, step: int) -> float | None:
    """The last value at or before a step: a training may have ended early."""
    steps = [known for known in trial.intermediate_values if known <= step]
    return trial.intermediate_values[max(steps)] if steps else None
