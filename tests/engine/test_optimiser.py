from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from quadrat.engine import parameter_groups
from quadrat.engine.optimiser import Schedule, make_optimiser
from quadrat.experiment import OptimiserSection


def test_warm_up_rises_by_step_and_the_cosine_ends_at_the_floor():
    schedule = Schedule.plan(
        OptimiserSection(epochs=10, warmup_steps=20, learning_rate_min=1e-5), steps_per_epoch=10
    )
    rates = [schedule.rate(1e-2, step) for step in range(130)]
    assert rates[0] == pytest.approx(1e-2 / 20)
    assert rates[19] == pytest.approx(1e-2)
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert rates[60] == pytest.approx(1e-5 + (1e-2 - 1e-5) / 2)
    assert rates[100:] == [pytest.approx(1e-5)] * 30


def test_warm_up_in_epochs_is_still_by_step():
    section = OptimiserSection(epochs=10, warmup_epochs=1.5)
    assert Schedule.plan(section, steps_per_epoch=10).warmup_steps == 15


def test_a_constant_rate_and_a_rate_below_the_floor():
    constant = Schedule("none", 100, 0, 1e-6)
    assert {constant.rate(3e-4, step) for step in range(200)} == {3e-4}
    below = Schedule("cosine", 100, 0, 1e-3)
    assert below.rate(1e-4, 99) == pytest.approx(1e-4)


@given(
    total=st.integers(1, 500),
    warmup=st.integers(0, 500),
    highest=st.floats(1e-6, 1.0),
    step=st.integers(0, 2000),
)
def test_the_rate_stays_between_floor_and_highest(total, warmup, highest, step):
    schedule = Schedule("cosine", total, min(warmup, total), 1e-7)
    rate = schedule.rate(highest, step)
    assert 0 < rate <= highest * (1 + 1e-12)
    if step >= schedule.warmup_steps:
        assert schedule.rate(highest, step + 1) <= rate + 1e-15


def test_two_warm_ups_are_refused():
    with pytest.raises(ValueError, match="not both"):
        OptimiserSection(warmup_steps=1, warmup_epochs=1)


def test_vectors_do_not_decay_and_frozen_parameters_are_left_out():
    module = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 1))
    module[2].requires_grad_(False)
    groups = {group.name: group for group in parameter_groups(module, 1e-3, 0.1, name="head")}
    assert {name: len(g.parameters) for name, g in groups.items()} == {
        "head": 1,
        "head-no-decay": 3,
    }
    assert groups["head"].weight_decay == 0.1
    assert groups["head-no-decay"].weight_decay == 0.0
    optimiser = make_optimiser(list(groups.values()), torch.device("cpu"))
    assert [g["initial_lr"] for g in optimiser.param_groups] == [1e-3, 1e-3]
