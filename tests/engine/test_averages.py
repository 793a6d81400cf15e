from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from quadrat.engine import Backend, fit
from quadrat.engine.averaging import RunningMean, mean_weights
from quadrat.engine.selection import BestStates
from quadrat.engine.statistics import reestimate_statistics
from quadrat.errors import UsageError
from quadrat.experiment import AverageSection, Experiment
from tests.engine.toy import ToyNormed, ToyObjective, toy_batches, toy_data, toy_settings


@pytest.fixture
def backend() -> Backend:
    return Backend.create("cpu", "fp32")


class Following(ToyObjective):
    """Keeps a copy of the state after every epoch, as it was scored."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.states: list[dict[str, torch.Tensor]] = []

    def evaluator(self):
        self.states.append(copy.deepcopy(self.module.state_dict()))
        return super().evaluator()


def train(backend: Backend, **options):
    torch.manual_seed(0)
    module, (x, y) = ToyNormed(), toy_data()
    objective = Following(module)
    result = fit(
        module,
        toy_batches(x[:64], y[:64]),
        objective,
        toy_settings(epochs=8, **options),
        backend=backend,
        validation=toy_batches(x[64:], y[64:], shuffle=False),
    )
    return module, result, objective.states[:8]


def mean_of(states, name: str) -> np.ndarray:
    return np.mean([state[name].double().numpy() for state in states], axis=0)


def parameters(module: nn.Module) -> list[str]:
    return [name for name, _ in module.named_parameters()]


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_swa_is_the_plain_mean_of_the_last_epochs(backend, ema):
    module, result, states = train(backend, swa=0.5, ema=ema)
    assert result.averaged == (5, 6, 7, 8)
    assert result.best_epoch == result.epochs == 8
    for name in parameters(module):
        expected = mean_of(states[4:], name)
        np.testing.assert_allclose(module.state_dict()[name].numpy(), expected, rtol=1e-5)


def test_snapshots_are_the_mean_of_the_states_with_the_best_scores(backend):
    module, result, states = train(backend, snapshots=3)
    scores = [record["mse"] for record in result.records]
    chosen = sorted(np.argsort(scores)[:3])
    assert result.averaged == tuple(int(place) + 1 for place in chosen)
    for name in parameters(module):
        expected = mean_of([states[place] for place in chosen], name)
        np.testing.assert_allclose(module.state_dict()[name].numpy(), expected, rtol=1e-5)
    assert result.score not in scores


def test_snapshots_of_predictions_are_handed_back_the_best_one_first(backend):
    module, result, states = train(backend, snapshots=3, snapshot_of="predictions")
    scores = [record["mse"] for record in result.records]
    assert result.averaged == ()
    assert result.score == min(scores)
    for state, place in zip(result.states, np.argsort(scores)[:3], strict=True):
        assert all(torch.equal(state[name], states[place][name]) for name in state)
    best = result.states[0]
    assert all(torch.equal(best[name], tensor) for name, tensor in module.state_dict().items())


def test_without_a_validation_part_swa_answers_and_snapshots_are_refused(backend):
    x, y = toy_data()
    module = ToyNormed()
    result = fit(module, toy_batches(x, y), ToyObjective(), toy_settings(swa=0.5), backend=backend)
    assert result.averaged == (3, 4, 5)
    assert result.score is None
    settings = toy_settings(snapshots=2)
    with pytest.raises(UsageError, match="validation part"):
        fit(module, toy_batches(x, y), ToyObjective(), settings, backend=backend)


def test_a_training_that_ends_before_swa_begins_keeps_its_best_state(backend):
    torch.manual_seed(0)
    x, y = toy_data()
    result = fit(
        ToyNormed(),
        toy_batches(x[:64], y[:64]),
        ToyObjective(),
        toy_settings(swa=0.5),
        backend=backend,
        validation=toy_batches(x[64:], y[64:], shuffle=False),
        on_epoch=lambda record: record["epoch"] == 2,
    )
    assert result.averaged == ()
    assert result.score == min(record["mse"] for record in result.records)


def test_statistics_are_those_of_the_training_batches(backend):
    torch.manual_seed(0)
    module, (x, y) = ToyNormed(), toy_data()
    norm = module.layers[1]
    norm.running_mean.fill_(50.0)
    reestimate_statistics(module, toy_batches(x, y), 0, backend=backend)
    hidden = [module.layers[0](batch.x) for batch in toy_batches(x, y).epoch(0)]
    mean = torch.stack([part.mean(0) for part in hidden]).mean(0)
    variance = torch.stack([part.var(0) for part in hidden]).mean(0)
    torch.testing.assert_close(norm.running_mean, mean)
    torch.testing.assert_close(norm.running_var, variance)
    assert norm.momentum == 0.1
    assert not module.training


def test_statistics_draw_nothing_at_random_and_leave_frozen_norms_alone(backend):
    class Fixed(ToyNormed):
        def train(self, mode: bool = True):
            super().train(mode)
            self.layers[1].eval()
            return self

    module, (x, y) = Fixed(), toy_data()
    before, random = copy.deepcopy(module.state_dict()), torch.get_rng_state()
    reestimate_statistics(module, toy_batches(x, y), 0, backend=backend)
    assert all(torch.equal(before[name], t) for name, t in module.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())


def test_integer_buffers_are_never_averaged():
    module = ToyNormed()
    counter = module.layers[1].num_batches_tracked
    mean, states = RunningMean(module), []
    for count in (3, 4):
        counter.fill_(count)
        module.layers[0].weight.data.fill_(float(count))
        mean.update(module)
        states.append(copy.deepcopy(module.state_dict()))
    assert int(mean.weights["layers.1.num_batches_tracked"]) == 4
    assert float(mean.weights["layers.0.weight"].mean()) == 3.5
    averaged = mean_weights(states)
    assert averaged["layers.1.num_batches_tracked"].dtype == torch.int64
    assert int(averaged["layers.1.num_batches_tracked"]) == 3
    assert float(averaged["layers.0.weight"].mean()) == 3.5


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_the_best_states_in_order(higher_is_better):
    scores = [0.3, 0.9, float("nan"), 0.5, 0.9, 0.1]
    best, module = BestStates(3, higher_is_better), ToyNormed()
    firsts = [best.offer(epoch, score, module) for epoch, score in enumerate(scores)]
    expected = [1, 4, 3] if higher_is_better else [5, 0, 3]
    assert [state.epoch for state in best.states] == expected
    assert firsts == (
        [True, True, False, False, False, False]
        if higher_is_better
        else [True, False, False, False, False, True]
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"swa": 0.5, "snapshots": 2}, "not both"),
        ({"snapshots": 1}, "kept anyway"),
        ({"snapshot_of": "predictions"}, "at least 2"),
    ],
)
def test_averages_that_contradict_each_other(values, message):
    with pytest.raises(ValueError, match=message):
        AverageSection(**values)


def test_patience_and_swa_exclude_each_other():
    with pytest.raises(ValueError, match="may end the training before"):
        Experiment(family="photos", average={"swa": 0.5}, optimiser={"patience": 3})


def test_predictions_are_averaged_only_where_a_family_can():
    values = {"snapshots": 2, "snapshot_of": "predictions"}
    with pytest.raises(ValueError, match="use 'weights'"):
        Experiment(family="occurrence", average=values)
