"""Fitted weights against a general optimiser, and that no group tells its own weights."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from quadrat.ensemble.weighting import fit_weights, nested_weights

ALL = np.ones((3, 2), dtype=bool)


def problem(seed: int = 0, rows: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.normal(20, 5, (rows, 2))
    noise = np.array([1.0, 2.0, 6.0])[:, None, None]
    return truth + noise * rng.normal(size=(3, rows, 2)), truth


@pytest.mark.parametrize("seed", range(4))
def test_the_weights_have_the_least_squared_error_on_the_simplex(seed):
    means, truth = problem(seed)
    found = fit_weights(means, truth, ALL)
    np.testing.assert_allclose(found.sum(axis=0), 1.0)
    assert (found >= 0).all()
    for target in range(2):
        errors = (means[:, :, target] - truth[:, target]).T

        def loss(w, errors=errors):
            return np.square(errors @ w).mean()

        best = minimize(
            loss, np.full(3, 1 / 3), bounds=[(0, 1)] * 3, method="SLSQP", tol=1e-12,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        )  # fmt: skip
        assert loss(found[:, target]) <= best.fun * (1 + 1e-6)


def test_a_perfect_member_gets_everything():
    means, truth = problem()
    means[1] = truth
    np.testing.assert_allclose(fit_weights(means, truth, ALL)[1], 1.0, atol=1e-9)


def test_only_members_that_answer_are_weighed():
    means, truth = problem()
    means[0, :, 1] = np.nan
    allowed = np.array([[True, False], [True, True], [True, True]])
    truth[:5] = np.nan
    found = fit_weights(means, truth, allowed)
    assert found[0, 1] == 0.0
    np.testing.assert_allclose(found.sum(axis=0), 1.0)


def test_a_target_that_is_nowhere_known_gets_equal_weights():
    means, truth = problem()
    truth[:, 0] = np.nan
    np.testing.assert_allclose(fit_weights(means, truth, ALL)[:, 0], 1 / 3)


def test_a_fold_has_no_say_in_its_own_weights_in_any_repeat():
    """Rows 0–59 are held out twice, in folds 0–2 and, by another drawing, in folds 3–5."""
    means, truth = problem()
    groups = np.array([str(row // 4) for row in range(60)])
    folds = np.concatenate([np.arange(60) // 20, 3 + (np.arange(60) // 4) % 3])
    twice = np.concatenate([means, means], axis=1), np.concatenate([truth, truth])
    both = np.concatenate([groups, groups])
    before = nested_weights(*twice, ALL, folds, both)
    spoiled = twice[1].copy()
    spoiled[np.isin(both, both[folds == 1])] += 1000.0
    after = nested_weights(twice[0], spoiled, ALL, folds, both)
    np.testing.assert_array_equal(before[1], after[1])
    assert any((before[fold] != after[fold]).any() for fold in (0, 2))


def test_the_weights_of_a_fold_are_those_of_all_others():
    means, truth = problem()
    groups = np.array([str(row // 4) for row in range(60)])
    folds = np.where(groups == "0", 0, 1)
    expected = fit_weights(means[:, groups != "0"], truth[groups != "0"], ALL)
    found = nested_weights(means, truth, ALL, folds, groups)
    np.testing.assert_allclose(found[0], expected)
