from __future__ import annotations

import time

import numpy as np
import pytest

from quadrat.scoring import (
    bootstrap_means,
    bootstrap_ratios,
    bootstrap_regression,
    regression_scores,
)
from quadrat.scoring.bootstrap import resample_counts

WEIGHTS = np.array([0.1, 0.2, 0.5])


def data(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(12), rng.integers(2, 9, 12))
    truth = rng.gamma(2.0, [10.0, 5.0, 30.0], size=(len(groups), 3))
    truth[rng.random(truth.shape) < 0.1] = np.nan
    predicted = (
        np.nan_to_num(truth) + rng.normal(0, 6, truth.shape) + rng.normal(size=12)[groups, None]
    )
    return truth, predicted, np.array([f"site {g}" for g in groups])


def test_resampled_sums_give_the_scores_of_resampled_rows() -> None:
    truth, predicted, groups = data()
    names, group = np.unique(groups, return_inverse=True)
    drawn: dict[str, list[float]] = {}
    for counts in resample_counts(len(names), 200, seed=5).astype(int):
        rows = np.concatenate(
            [np.tile(np.flatnonzero(group == g), c) for g, c in enumerate(counts)]
        )
        for name, value in regression_scores(truth[rows], predicted[rows], WEIGHTS).items():
            drawn.setdefault(name, []).append(value)
    found = bootstrap_regression(truth, predicted, WEIGHTS, groups, resamples=200, seed=5)
    for name, values in drawn.items():
        np.testing.assert_allclose(found[name], np.percentile(values, [2.5, 97.5]), rtol=1e-9)


def test_the_same_seed_gives_the_same_interval() -> None:
    truth, predicted, groups = data()
    one, same, other = (
        bootstrap_regression(truth, predicted, WEIGHTS, groups, seed=s) for s in (1, 1, 2)
    )
    assert one == same
    assert one != other


def test_the_interval_holds_the_score_and_narrows_with_groups() -> None:
    truth, predicted, groups = data()
    low, high = bootstrap_regression(truth, predicted, WEIGHTS, groups)["weighted_r2"]
    assert low < regression_scores(truth, predicted, WEIGHTS)["weighted_r2"] < high
    rows = np.arange(len(truth))
    alone = bootstrap_regression(truth, predicted, WEIGHTS, rows)["weighted_r2"]
    assert alone[1] - alone[0] != pytest.approx(high - low, rel=0.01)


def test_one_group_has_no_interval() -> None:
    truth, predicted, _ = data()
    found = bootstrap_regression(truth, predicted, WEIGHTS, np.zeros(len(truth)))
    assert np.isnan(found["weighted_r2"]).all()


def test_a_thousand_resamples_of_a_pasture_table_take_a_moment() -> None:
    rng = np.random.default_rng(0)
    truth = rng.gamma(2.0, 20.0, size=(350, 5))
    predicted, groups = truth + rng.normal(0, 9, truth.shape), rng.integers(0, 30, 350)
    start = time.process_time()
    bootstrap_regression(truth, predicted, None, groups, resamples=1000)
    assert time.process_time() - start < 0.5


def test_means_agree_with_drawing_rows() -> None:
    values = np.random.default_rng(2).gamma(2.0, size=300)
    values[::10] = np.nan
    low, high = bootstrap_means({"map": values}, np.arange(300), resamples=4000)["map"]
    known = values[~np.isnan(values)]
    half = 1.96 * known.std() / np.sqrt(len(known))
    assert low == pytest.approx(known.mean() - half, abs=0.15 * half)
    assert high == pytest.approx(known.mean() + half, abs=0.15 * half)


def test_means_over_several_targets_weigh_every_value() -> None:
    values = np.array([[1.0, np.nan], [3.0, 5.0]])
    low, high = bootstrap_means({"crps": values}, ["a", "b"], resamples=500)["crps"]
    assert (low, high) == (1.0, 4.0)


def test_ratios_are_of_sums() -> None:
    terms = (np.array([1.0, 3.0]), np.array([2.0, 4.0]))
    low, high = bootstrap_ratios({"recall_10": terms}, ["a", "b"], resamples=500)["recall_10"]
    assert (low, high) == (0.5, 0.75)
    undefined = bootstrap_ratios({"x": ([0.0, 0.0], [0.0, 0.0])}, ["a", "b"])["x"]
    assert np.isnan(undefined).all()
