from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from quadrat.errors import DataError
from quadrat.scoring import mean_weighted_r2, regression_scores, target_scores, weighted_r2

WEIGHTS = np.array([0.1, 0.1, 0.1, 0.2, 0.5])


def data(seed: int = 0, rows: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.gamma(2.0, [10.0, 5.0, 3.0, 20.0, 30.0], size=(rows, 5))
    return truth, truth + rng.normal(0, 8.0, size=truth.shape)


@given(st.integers(0, 10_000))
@settings(deadline=None)
def test_the_global_score_is_sklearns_over_all_pairs(seed: int) -> None:
    truth, predicted = data(seed)
    weights = np.tile(WEIGHTS, (len(truth), 1))
    expected = r2_score(truth.ravel(), predicted.ravel(), sample_weight=weights.ravel())
    assert weighted_r2(truth, predicted, WEIGHTS) == pytest.approx(expected)


def test_the_global_score_is_its_formula_with_gaps() -> None:
    truth, predicted = data()
    truth[np.random.default_rng(1).random(truth.shape) < 0.2] = np.nan
    known = ~np.isnan(truth)
    w = (known * WEIGHTS)[known]
    y, p = truth[known], predicted[known]
    mean = (w * y).sum() / w.sum()
    expected = 1 - (w * (y - p) ** 2).sum() / (w * (y - mean) ** 2).sum()
    assert weighted_r2(truth, predicted, WEIGHTS) == pytest.approx(expected, rel=1e-12)


def test_all_flat_scores_agree_with_sklearn() -> None:
    truth, predicted = data()
    scores = regression_scores(truth, predicted, WEIGHTS)
    logarithms = np.log1p(truth), np.log1p(np.maximum(predicted, 0))
    for suffix, (y, p) in {"": (truth, predicted), "_log1p": logarithms}.items():
        each = r2_score(y, p, multioutput="raw_values")
        assert scores[f"r2{suffix}"] == pytest.approx(each.mean())
        assert scores[f"mean_weighted_r2{suffix}"] == pytest.approx(each @ WEIGHTS)
        assert scores[f"rmse{suffix}"] == pytest.approx(
            root_mean_squared_error(y.ravel(), p.ravel())
        )
        assert scores[f"mae{suffix}"] == pytest.approx(mean_absolute_error(y.ravel(), p.ravel()))
    assert len(scores) == 10


def test_weights_need_not_add_up_to_one() -> None:
    truth, predicted = data()
    for score in (weighted_r2, mean_weighted_r2):
        assert score(truth, predicted, WEIGHTS * 7) == pytest.approx(
            score(truth, predicted, WEIGHTS)
        )


def test_per_target_scores_agree_with_sklearn() -> None:
    truth, predicted = data()
    truth[:7, 2] = np.nan
    for column, scores in enumerate(target_scores(truth, predicted)):
        known = ~np.isnan(truth[:, column])
        y, p = truth[known, column], predicted[known, column]
        assert scores["r2"] == pytest.approx(r2_score(y, p))
        assert scores["rmse"] == pytest.approx(root_mean_squared_error(y, p))
        assert scores["mae"] == pytest.approx(mean_absolute_error(y, p))
        assert set(scores) == {"r2", "rmse", "mae", "r2_log1p", "rmse_log1p", "mae_log1p"}


@pytest.mark.parametrize("level", [0.0, 0.1, 1e9, -3.7])
def test_a_constant_truth_has_no_r2_and_does_not_spoil_the_others(level: float) -> None:
    truth, predicted = data()
    truth[:, 1] = level
    assert np.isnan(target_scores(truth, predicted)[1]["r2"])
    others = [0, 2, 3, 4]
    each = r2_score(truth[:, others], predicted[:, others], multioutput="raw_values")
    scores = regression_scores(truth, predicted, WEIGHTS)
    assert scores["r2"] == pytest.approx(each.mean())
    expected = each @ WEIGHTS[others] / WEIGHTS[others].sum()
    assert scores["mean_weighted_r2"] == pytest.approx(expected)
    all_constant = regression_scores(np.full((5, 2), level), np.zeros((5, 2)))
    assert np.isnan(all_constant["weighted_r2"])
    assert np.isnan(all_constant["r2"])
    assert all_constant["mae"] == pytest.approx(abs(level))


def test_a_small_spread_far_from_zero_is_no_constant() -> None:
    truth, predicted = data()
    far = truth + 1e6
    assert regression_scores(far, predicted + 1e6)["r2"] == pytest.approx(
        regression_scores(truth, predicted)["r2"], rel=1e-6
    )


def test_unknown_everywhere_is_undefined() -> None:
    scores = regression_scores(np.full((3, 2), np.nan), np.zeros((3, 2)))
    assert all(np.isnan(value) for value in scores.values())


def test_a_missing_prediction_is_refused_only_where_it_matters() -> None:
    truth, predicted = data()
    predicted[3, 1] = np.nan
    with pytest.raises(DataError, match=r"row 3, target 1: nan"):
        weighted_r2(truth, predicted, WEIGHTS)
    truth[3, 1] = np.nan
    assert np.isfinite(weighted_r2(truth, predicted, WEIGHTS))


@pytest.mark.parametrize("weights", [[1.0], [0.0] * 5, [1, 1, 1, 1, -1]])
def test_weights_that_weigh_nothing_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights must be"):
        weighted_r2(*data(), weights)
