"""Learnt weights of losses: the formula, its best values, and tasks that are not there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from quadrat.targets.weighting import UncertaintyWeights, uncertainty_weighted


def test_the_total_is_that_of_the_formula() -> None:
    rng = np.random.default_rng(0)
    losses, weights, s = rng.random(4), rng.random(4), rng.normal(size=4)
    known = np.array([True, False, True, True])
    found = uncertainty_weighted(*map(torch.from_numpy, (losses, weights, s, known)))
    expected = (weights * (np.exp(-s) * losses + s))[known].sum() / weights[known].sum()
    assert float(found) == pytest.approx(expected)


def test_tasks_of_any_unit_come_to_weigh_alike() -> None:
    module = UncertaintyWeights(3)
    losses, ones = torch.tensor([0.01, 1.0, 50.0]), torch.ones(3)
    optimiser = torch.optim.Adam(module.parameters(), lr=0.1)
    for _ in range(300):
        optimiser.zero_grad()
        uncertainty_weighted(losses, ones, module(), ones.bool()).backward()
        optimiser.step()
    torch.testing.assert_close(module().exp(), losses, rtol=0.02, atol=0.0)


def test_nothing_known_is_nothing_to_learn() -> None:
    module = UncertaintyWeights(2)
    total = uncertainty_weighted(torch.zeros(2), torch.ones(2), module(), torch.zeros(2).bool())
    total.backward()
    assert float(total.detach()) == 0.0
    assert module.log_variances.grad is not None
    assert (module.log_variances.grad == 0).all()
