from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import empirical_covariance

from quadrat.errors import DataError
from quadrat.runtime.balance import Balance, Identity
from quadrat.targets import error_covariance


def test_many_errors_give_the_empirical_covariance_about_zero() -> None:
    rng = np.random.default_rng(0)
    errors = rng.normal(0.4, 1.0, size=(20_000, 3)) @ rng.normal(size=(3, 3)) * [1, 10, 100]
    errors[5, 1] = np.nan
    complete = errors[np.isfinite(errors).all(axis=1)]
    expected = empirical_covariance(complete, assume_centered=True)
    found = error_covariance(errors)
    np.testing.assert_allclose(np.diag(found), np.diag(expected))
    np.testing.assert_allclose(
        found, expected, rtol=0.01, atol=0.01 * np.sqrt(np.diag(expected)).max()
    )


def test_the_shrinkage_is_that_of_the_formula() -> None:
    errors = np.random.default_rng(1).normal(size=(12, 3)) * [1, 5, 20]
    n, unit = len(errors), errors / np.sqrt((errors**2).mean(axis=0))
    variance, squares = 0.0, 0.0
    for i in range(3):
        for j in range(3):
            if i != j:
                w = unit[:, i] * unit[:, j]
                variance += n / (n - 1) ** 3 * ((w - w.mean()) ** 2).sum()
                squares += w.mean() ** 2
    shrinkage = min(variance / squares, 1.0)
    found = error_covariance(errors)
    plain = errors.T @ errors / n
    assert found[0, 1] == pytest.approx((1 - shrinkage) * plain[0, 1])


def test_errors_that_add_up_still_make_a_projection() -> None:
    balance = Balance(("a", "b", "sum"), (Identity("sum", ("a", "b")),))
    parts = np.random.default_rng(2).normal(size=(400, 2))
    sigma = error_covariance(parts @ balance.summing.T)
    values = np.array([[1.0, 2.0, 4.0]])
    projected = balance.project(values, sigma)
    assert balance.violations(projected, 1e-9).rows.size == 0


@pytest.mark.parametrize("errors", [np.ones((2, 2)), np.array([[1.0, 0.0]] * 5)])
def test_too_little_to_go_by_is_refused(errors: np.ndarray) -> None:
    with pytest.raises(DataError, match="covariance needs"):
        error_covariance(errors)
