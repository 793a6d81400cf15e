"""Projections are exact, idempotent and non-negative, and a wrong balance is refused in words."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, nnls

from quadrat.errors import DataError, ExperimentError
from quadrat.runtime import _nnls
from quadrat.runtime.balance import Balance, Identity

PASTURE = Balance(
    ("green", "dead", "clover", "gdm", "total", "height"),
    (Identity("total", ("gdm", "dead")), Identity("gdm", ("green", "clover"))),
)
BALANCED = slice(0, 5)

rows = st.lists(
    st.lists(st.floats(-200, 200, allow_subnormal=False), min_size=6, max_size=6),
    min_size=1,
    max_size=5,
)
diagonals = st.lists(st.floats(0.05, 20.0), min_size=6, max_size=6)


def covariance(seed: int, size: int = 6) -> np.ndarray:
    spread = np.random.default_rng(seed).normal(size=(size, 2 * size))
    return spread @ spread.T


def by_nnls(values: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """The same projection by scipy, row by row, on the whitened problem."""
    summing = PASTURE.summing[BALANCED, :3]
    root = np.linalg.cholesky(precision).T
    parts = [nnls(root @ summing, root @ row)[0] for row in values[:, BALANCED]]
    return np.array(parts) @ summing.T


def test_the_summing_matrix_expands_nested_totals() -> None:
    assert PASTURE.free == ("green", "dead", "clover", "height")
    expected = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1]]
    np.testing.assert_array_equal(PASTURE.summing[BALANCED, :3], expected)
    np.testing.assert_array_equal(PASTURE.matrix @ PASTURE.summing, 0.0)
    np.testing.assert_array_equal(PASTURE.taking_part, [True] * 5 + [False])


@given(rows, diagonals)
@settings(deadline=None)
def test_a_projection_obeys_is_not_negative_and_stays(values: list, weights: list) -> None:
    given_values = np.array(values)
    projected = PASTURE.project(given_values, np.array(weights))
    assert np.abs(projected @ PASTURE.matrix.T).max() < 1e-9
    assert not np.signbit(projected[:, BALANCED]).any()
    np.testing.assert_array_equal(projected[:, 5], given_values[:, 5])
    np.testing.assert_array_equal(PASTURE.project(projected, np.array(weights)), projected)


@given(rows, diagonals)
@settings(deadline=None)
def test_weights_give_the_least_squares_of_scipy(values: list, weights: list) -> None:
    given_values, diagonal = np.array(values), np.array(weights)
    expected = by_nnls(given_values, np.diag(diagonal[BALANCED]))
    projected = PASTURE.project(given_values, diagonal)[:, BALANCED]
    np.testing.assert_allclose(projected, expected, rtol=0, atol=1e-9)


@given(rows, st.integers(0, 10_000))
@settings(deadline=None)
def test_a_covariance_gives_the_least_squares_of_scipy(values: list, seed: int) -> None:
    given_values, sigma = np.array(values), covariance(seed)
    expected = by_nnls(given_values, np.linalg.inv(sigma[BALANCED, BALANCED]))
    projected = PASTURE.project(given_values, sigma)[:, BALANCED]
    np.testing.assert_allclose(projected, expected, rtol=0, atol=1e-9)


def test_no_feasible_point_is_closer() -> None:
    values = np.random.default_rng(3).normal(5.0, 15.0, size=(20, 6))
    precision = np.linalg.inv(covariance(7)[BALANCED, BALANCED])
    summing = PASTURE.summing[BALANCED, :3]
    projected = PASTURE.project(values, covariance(7))[:, BALANCED]
    for given_row, row in zip(values[:, BALANCED], projected, strict=True):

        def distance(parts: np.ndarray, given_row: np.ndarray = given_row) -> float:
            gap = given_row - summing @ parts
            return float(gap @ precision @ gap)

        found = minimize(distance, np.ones(3), method="SLSQP", bounds=[(0, None)] * 3, tol=1e-12)
        assert distance(row[:3]) <= found.fun + 1e-9
        np.testing.assert_allclose(row[:3], found.x, atol=1e-3)


def test_without_negatives_it_is_the_orthogonal_projection() -> None:
    values = np.array([[20.0, 10.0, 5.0, 27.0, 33.0, -4.0]])
    c = PASTURE.matrix[:, BALANCED]
    onto = np.eye(5) - c.T @ np.linalg.inv(c @ c.T) @ c
    expected = values[:, BALANCED] @ onto.T
    np.testing.assert_allclose(PASTURE.project(values)[:, BALANCED], expected, atol=1e-12)


def test_clipping_after_a_projection_breaks_the_sums_and_ours_does_not() -> None:
    values = np.array([[-20.0, 4.0, 1.0, -9.0, 30.0, 0.0]])
    projected = PASTURE.project(values)
    assert projected[0, 0] == 0.0
    assert PASTURE.violations(projected, 1e-9).rows.size == 0


@pytest.mark.parametrize("leaves", [9, 13])
def test_many_parts_agree_with_scipy(leaves: int) -> None:
    names = tuple(f"p{i}" for i in range(leaves))
    half = leaves // 2
    balance = Balance(
        (*names, "a", "b", "all"),
        (
            Identity("a", names[:half]),
            Identity("b", names[half:]),
            Identity("all", ("a", "b")),
        ),
    )
    values = np.random.default_rng(leaves).normal(1.0, 6.0, size=(25, leaves + 3))
    sigma = covariance(leaves, leaves + 3)
    root = np.linalg.cholesky(np.linalg.inv(sigma)).T
    parts = [nnls(root @ balance.summing, root @ row)[0] for row in values]
    expected = np.array(parts) @ balance.summing.T
    np.testing.assert_allclose(balance.project(values, sigma), expected, atol=1e-9)


def test_both_ways_of_solving_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(2.0, 20.0, size=(200, 6))
    tried = PASTURE.project(values, covariance(1))
    monkeypatch.setattr(_nnls, "ENUMERATED", 0)
    np.testing.assert_allclose(PASTURE.project(values, covariance(1)), tried, atol=1e-10)


def test_a_row_without_values_stays_and_one_with_gaps_is_refused() -> None:
    values = np.array([[np.nan] * 5 + [1.0], [3.0, 4.0, 5.0, 6.0, 7.0, 8.0]])
    projected = PASTURE.project(values)
    np.testing.assert_array_equal(projected[0], values[0])
    assert np.isfinite(projected[1]).all()
    values[1, [2, 4]] = np.nan, np.inf
    with pytest.raises(DataError, match=r"row 1: clover = nan, total = inf"):
        PASTURE.project(values)


def test_an_untouched_target_may_be_missing() -> None:
    values = np.array([[1.0, 2.0, 3.0, 4.0, 6.0, np.nan]])
    np.testing.assert_array_equal(PASTURE.project(values), values)


def test_no_rows_and_no_identities() -> None:
    assert PASTURE.project(np.zeros((0, 6))).shape == (0, 6)
    values = np.array([[-1.0, np.nan]])
    np.testing.assert_array_equal(Balance(("a", "b")).project(values), values)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.array([1, 1, 0, 1, 1, 1.0]), "positive"),
        (np.ones((6, 6)), "not positive definite"),
        (np.diag([1, 1, -1, 1, 1, 1.0]), "positive"),
        (np.eye(6) + np.eye(6, k=1), "not positive definite"),
    ],
)
def test_weights_that_are_none_are_refused(weights: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        PASTURE.project(np.ones((1, 6)), weights)


def test_violations_name_rows_and_amounts() -> None:
    values = np.array(
        [
            [1.0, 2.0, 3.0, 4.0, 6.0, 0.0],
            [1.0, 2.0, 3.0, 4.5, 6.0, 0.0],
            [1.0, np.nan, 3.0, 4.5, 6.0, 0.0],
        ]
    )
    found = PASTURE.violations(values, tolerance=0.1)
    np.testing.assert_array_equal(found.rows, [1, 2])
    np.testing.assert_allclose(found.amounts, [[-0.5, 0.5], [np.nan, 0.5]])


def test_a_balance_survives_json() -> None:
    assert Balance.from_json(json.loads(json.dumps(PASTURE.to_json()))) == PASTURE


@pytest.mark.parametrize(
    ("identities", "message"),
    [
        ([("total", ("green", "ded"))], "'ded' .* is not a target. Did you mean 'dead'"),
        ([("total", ("green",)), ("total", ("dead",))], "'total' is the total of several"),
        ([("total", ("gdm",)), ("gdm", ("total", "dead"))], "defined through each other"),
        ([("total", ("total", "dead"))], "its total among its parts"),
        ([("total", ())], "has no parts"),
        ([("total", ("dead", "dead"))], "'dead' counts twice"),
        ([("gdm", ("green",)), ("total", ("gdm", "green"))], "'green' counts 2 times"),
        ([("gdm", ("green", "dead")), ("total", ("green", "clover"))], "share 'green'"),
        ([("gdm", ("green", "dead")), ("total", ("green", "dead"))], "share 'dead', 'green'"),
    ],
)
def test_a_wrong_balance_is_refused(identities: list, message: str) -> None:
    with pytest.raises(ExperimentError, match=message):
        Balance(PASTURE.targets, tuple(Identity(*identity) for identity in identities))


def test_totals_that_contain_each_other_may_both_list_the_parts() -> None:
    flat = Balance(
        PASTURE.targets,
        (Identity("gdm", ("green", "clover")), Identity("total", ("green", "dead", "clover"))),
    )
    np.testing.assert_array_equal(flat.summing, PASTURE.summing)
