from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from quadrat.engine import Backend, fit, parameter_groups
from tests.engine.toy import (
    ToyNormed,
    ToyObjective,
    toy_batches,
    toy_data,
    toy_groups,
    toy_settings,
)


@pytest.fixture
def backend() -> Backend:
    return Backend.create("cpu", "fp32")


class Following(ToyObjective):
    """Keeps a copy of the state at every step, and which rates were in force."""

    def __init__(self) -> None:
        self.states: list[dict[str, torch.Tensor]] = []

    def loss(self, module, batch):
        self.states.append(copy.deepcopy(module.state_dict()))
        return super().loss(module, batch)


def train(backend: Backend, frozen_epochs: int, **options):
    torch.manual_seed(0)
    module, (x, y) = ToyNormed(), toy_data(64)
    objective, batches = Following(), toy_batches(x, y)
    fit(
        module,
        batches,
        objective,
        toy_settings(weight_decay=0.5, **options),
        backend=backend,
        groups=toy_groups(module, frozen_epochs),
    )
    return module, objective.states, len(batches)


def equal(first, second, names) -> bool:
    return all(torch.equal(first[name], second[name]) for name in names)


def test_a_frozen_group_waits_and_then_learns(backend):
    module, states, steps = train(backend, 2)
    waiting = [name for name in states[0] if name.startswith(("layers.0", "layers.1"))]
    learning = [name for name in states[0] if name.startswith("layers.3")]
    start, joins = states[0], states[2 * steps]
    assert equal(start, joins, waiting)  # weights, and the batch norm's statistics and counter
    assert not equal(start, states[1], learning)
    assert not equal(joins, states[2 * steps + 1], waiting)
    assert all(parameter.requires_grad for parameter in module.parameters())


def test_what_joins_learns_at_the_rate_of_the_schedule(backend):
    _, states, steps = train(backend, 3, epochs=4, clip=0.0)
    joins, after = states[3 * steps], states[3 * steps + 1]
    moved = (after["layers.1.bias"] - joins["layers.1.bias"]).abs()
    rate = 1e-6 + (1e-2 - 1e-6) * 0.5 * (1 + torch.cos(torch.tensor(torch.pi * 0.75)))
    # Adam's first step is the learning rate, whatever the gradient.
    assert moved.max() == pytest.approx(float(rate), rel=1e-3)


def test_everything_learns_again_after_a_training_that_ends_early(backend):
    module, _, _ = train(backend, 9)
    assert all(parameter.requires_grad for parameter in module.parameters())


def test_something_must_learn_in_the_first_epoch(backend):
    module, (x, y) = ToyNormed(), toy_data()
    groups = [replace(g, frozen_epochs=1) for g in parameter_groups(module, 1e-2, 0.0)]
    with pytest.raises(ValueError, match="every parameter group is frozen"):
        fit(
            module,
            toy_batches(x, y),
            ToyObjective(),
            toy_settings(),
            backend=backend,
            groups=groups,
        )
