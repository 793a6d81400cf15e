from __future__ import annotations

import statistics

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from quadrat.search.sampling import MedianPruner, SteadySampler
from quadrat.search.storage import quiet_optuna


@pytest.fixture(autouse=True)
def _quiet():
    with quiet_optuna():
        yield


def sample(study: optuna.Study, count: int) -> None:
    for _ in range(count):
        trial = study.ask()
        x = trial.suggest_float("x", -1, 1)
        kind = trial.suggest_categorical("kind", ["a", "b"])
        y = trial.suggest_float("y", 0, 1) if kind == "a" else 0.5
        study.tell(trial, -(x**2) - y)


@pytest.mark.parametrize("method", ["tpe", "random"])
def test_draws_depend_on_seed_and_number_alone(method):
    def values(seed: int, parts: list[int]) -> list[dict[str, object]]:
        storage = optuna.storages.InMemoryStorage()
        for part in parts:  # as if the process had been started anew
            study = optuna.create_study(
                storage=storage, study_name="s", load_if_exists=True, direction="maximize",
                sampler=SteadySampler(method, seed),
            )  # fmt: skip
            sample(study, part)
        return [trial.params for trial in study.get_trials()]

    whole = values(3, [16])
    assert values(3, [16]) == whole
    assert values(3, [4, 9, 3]) == whole
    assert values(4, [16]) != whole
    assert len({str(params) for params in whole}) == 16


def finished(values: dict[int, float]) -> optuna.trial.FrozenTrial:
    return create_trial(state=TrialState.COMPLETE, value=0.0, intermediate_values=values)


@pytest.mark.parametrize(("direction", "worse"), [("maximize", 0.4), ("minimize", 0.6)])
def test_a_trial_worse_than_the_median_at_its_step_is_given_up(direction, worse):
    study = optuna.create_study(direction=direction, pruner=MedianPruner(warmup=3, least=5))
    ends = [0.1, 0.3, 0.5, 0.7, 0.9]
    for end in ends:
        study.add_trial(finished({1: 0.0, 4: end, 5: 9.0}))
    assert statistics.median(ends) == 0.5

    def pruned_at(step: int, value: float) -> bool:
        trial = study.ask()
        trial.report(5.0 if direction == "maximize" else -5.0, 1)  # an easy first fold
        trial.report(value, step)
        return trial.should_prune()

    assert pruned_at(4, worse)
    assert not pruned_at(4, 0.5)
    assert not pruned_at(3, worse), "every trial may make three steps"


def test_few_finished_trials_give_nobody_up():
    study = optuna.create_study(direction="maximize", pruner=MedianPruner(warmup=0, least=5))
    for _ in range(4):
        study.add_trial(finished({1: 1.0}))
    trial = study.ask()
    trial.report(0.0, 1)
    assert not trial.should_prune()


def test_trials_that_ended_early_count_with_their_last_value():
    study = optuna.create_study(direction="maximize", pruner=MedianPruner(warmup=0, least=3))
    for value in (0.2, 0.4, 0.6):
        study.add_trial(finished({1: value}))
    study.add_trial(finished({9: 5.0}))
    trial = study.ask()
    trial.report(0.39, 4)
    assert trial.should_prune()
    trial = study.ask()
    trial.report(0.41, 4)
    assert not trial.should_prune()
