"""Pooled means, spreads and intervals against independent computations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from quadrat.ensemble.pooling import Said, pool

Z = norm.ppf(0.95)


def normal(mean: object, sigma: object) -> Said:
    mu, sd = np.atleast_2d(np.asarray(mean, float)), np.atleast_2d(np.asarray(sigma, float))
    return Said(mu, sd, mu - Z * sd, mu + Z * sd)


def two(seed: int = 0) -> list[Said]:
    rng = np.random.default_rng(seed)
    return [normal(rng.normal(size=(7, 2)), rng.uniform(0.5, 2, (7, 2))) for _ in range(2)]


def test_mean_and_spread_are_those_of_draws_from_the_mixture():
    members = [normal([[0.0]], [[1.0]]), normal([[4.0]], [[2.0]])]
    found = pool(members, np.array([[1.0], [3.0]]), "weighted")
    rng = np.random.default_rng(1)
    first = rng.random(400_000) < 0.25
    draws = np.where(first, rng.normal(0, 1, len(first)), rng.normal(4, 2, len(first)))
    assert found.mean[0, 0] == pytest.approx(3.0)
    assert found.sigma[0, 0] == pytest.approx(draws.std(), rel=0.01)
    assert found.lower[0, 0] == pytest.approx(np.quantile(draws, 0.05), abs=0.02)
    assert found.upper[0, 0] == pytest.approx(np.quantile(draws, 0.95), abs=0.02)


def test_equal_members_give_themselves_whatever_their_interval():
    one = Said(*(np.array([[value]]) for value in (3.0, 1.0, 2.5, 9.0)))
    found = pool([one, one, one], np.ones((3, 1)))
    for mine, theirs in zip(found, one, strict=True):
        np.testing.assert_allclose(mine, theirs)


def test_weights_of_zero_hide_a_member_that_knows_nothing():
    known, other = two()
    nothing = Said(*(np.full((7, 2), np.nan) for _ in range(4)))
    found = pool([known, nothing], np.array([[1.0, 1.0], [0.0, 0.0]]))
    for mine, theirs in zip(found, known, strict=True):
        np.testing.assert_allclose(mine, theirs)
    assert not np.isnan(pool([known, other], np.ones((2, 2))).sigma).any()


def test_a_point_among_the_members_leaves_no_spread():
    known, _ = two()
    point = Said(known.mean + 1, *(np.full((7, 2), np.nan) for _ in range(3)))
    found = pool([known, point], np.ones((2, 2)))
    np.testing.assert_allclose(found.mean, known.mean + 0.5)
    assert np.isnan(np.stack(found[1:])).all()


def test_the_median_is_not_moved_by_one_member():
    members = [normal([[m]], [[1.0]]) for m in (1.0, 2.0, 1000.0)]
    found = pool(members, np.ones((3, 1)), "median")
    assert found.mean[0, 0] == 2.0
    spread = 1.0 + np.mean((np.array([1.0, 2.0, 1000.0]) - 2.0) ** 2)
    assert found.sigma[0, 0] == pytest.approx(np.sqrt(spread))


def test_an_interval_without_width_is_a_step():
    floor = Said(*(np.array([[value]]) for value in (0.0, 0.1, 0.0, 0.0)))
    found = pool([floor, normal([[5.0]], [[1.0]])], np.ones((2, 1)))
    assert found.lower[0, 0] == pytest.approx(0.0, abs=1e-9)
    assert found.upper[0, 0] == pytest.approx(norm.ppf(0.9, 5.0, 1.0))


@given(
    st.lists(st.floats(-50, 50), min_size=2, max_size=5),
    st.lists(st.floats(0.1, 10), min_size=5, max_size=5),
    st.lists(st.floats(0.05, 1), min_size=5, max_size=5),
)
def test_the_pooled_answer_lies_between_the_members(means, sigmas, weights):
    count = len(means)
    members = [normal([[m]], [[s]]) for m, s in zip(means, sigmas, strict=False)]
    found = pool(members, np.array(weights[:count])[:, None], "weighted")
    assert min(means) - 1e-9 <= found.mean[0, 0] <= max(means) + 1e-9
    assert found.sigma[0, 0] >= min(sigmas[:count]) - 1e-9
    lowers = [one.lower[0, 0] for one in members]
    assert min(lowers) - 1e-9 <= found.lower[0, 0] <= max(lowers) + 1e-9
    assert found.lower[0, 0] <= found.upper[0, 0]
