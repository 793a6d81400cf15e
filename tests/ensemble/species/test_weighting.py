"""Weights of a mixture, against a general optimiser."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from quadrat.ensemble.species import weighting
from quadrat.ensemble.species.weighting import fit_shares


@pytest.mark.parametrize("seed", range(4))
def test_the_weights_have_the_greatest_likelihood(seed: int):
    rng = np.random.default_rng(seed)
    truth = rng.random(3000) < 0.2
    skill = np.array([2.0, 1.0, 0.1])
    sure = skill[:, None] * (2.0 * truth - 1.0) + rng.normal(0, 2, (3, 3000))
    p = 1 / (1 + np.exp(-sure))
    told = np.where(truth, p, 1 - p)

    def loss(free: np.ndarray) -> float:
        shares = np.exp(free) / np.exp(free).sum()
        return float(-np.log(shares @ told).mean())

    best = minimize(loss, np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-9}).x
    expected = np.exp(best) / np.exp(best).sum()
    found = fit_shares(told)
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert found.sum() == pytest.approx(1.0)
    assert loss(np.log(np.maximum(found, 1e-300))) <= loss(best) + 1e-7


def test_a_member_that_is_always_worse_has_no_weight():
    told = np.stack([np.full(50, 0.9), np.full(50, 0.5)])
    np.testing.assert_allclose(fit_shares(told), [1.0, 0.0], atol=1e-4)


def test_weights_of_members_that_are_alike_are_the_best(monkeypatch: pytest.MonkeyPatch):
    """Where the likelihood is greatest, no member's share of it would grow with its weight."""
    monkeypatch.setattr(weighting, "_CHUNK", 7_000)
    rng = np.random.default_rng(0)
    truth = rng.random(20_000) < 0.02
    sure = rng.normal(-5, 2, 20_000) + 7.0 * truth
    noise = 0.3 * rng.normal(size=(4, 20_000)) * np.array([[1.0], [1.05], [2.0], [4.0]])
    p = 1 / (1 + np.exp(-sure - noise))
    told = np.where(truth, p, 1 - p).astype(np.float32)
    found = fit_shares(told)
    growth = (told / (found @ told)).mean(axis=1)
    assert growth.max() < 1.0 + 1e-5
    np.testing.assert_allclose(growth[found > 1e-3], 1.0, atol=1e-5)
    assert (found > 1e-3).sum() > 1


def test_a_member_may_be_sure_and_wrong():
    told = np.array([[0.0, 0.9, 0.9], [0.2, 0.3, 0.3], [0.0, 0.1, 0.1]], dtype=np.float32)
    found = fit_shares(told)
    assert found[1] > 0.1
    np.testing.assert_allclose((told / (found @ told)).mean(axis=1)[:2], 1.0, atol=1e-4)
    assert fit_shares(np.zeros((2, 3), np.float32)).sum() == 1.0
