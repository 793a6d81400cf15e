from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import scoringrules

from quadrat.errors import DataError, UnknownNameError, UsageError
from quadrat.scoring import Metrics, bootstrap_regression, regression_metrics, regression_scores

TARGETS = ("green", "clover", "gdm")
WEIGHTS = {"gdm": 0.6, "green": 0.2, "clover": 0.2}
VECTOR = np.array([0.2, 0.2, 0.6])
KEYS = {
    "primary",
    "higher_is_better",
    "scores",
    "raw",
    "intervals",
    "per_target",
    "folds",
    "fold_mean",
    "fold_sd",
    "baselines",
    "baseline_intervals",
    "tta",
    "protocol",
}


def data() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    truth = rng.gamma(2.0, [20.0, 5.0, 25.0], size=(80, 3))
    truth[::11, 1] = np.nan
    raw = np.nan_to_num(truth, nan=9.0) + rng.normal(0, 6, truth.shape)
    balanced = np.maximum(raw, 0.0)
    return {
        "truth": truth,
        "raw": raw,
        "balanced": balanced,
        "targets": TARGETS,
        "folds": np.arange(80) // 20,
        "groups": np.arange(80) // 4,
        "weights": WEIGHTS,
        "bootstrap": 200,
        "seed": 3,
        "protocol": {"kind": "group", "groups": 20},
    }


def test_scores_are_of_the_balanced_predictions_beside_raw_and_baselines() -> None:
    given = data()
    mean = np.tile(np.nanmean(given["truth"], axis=0), (80, 1))
    metrics = regression_metrics(**given, baselines={"mean": mean})
    truth, groups = given["truth"], given["groups"]
    assert metrics.scores == regression_scores(truth, given["balanced"], VECTOR)
    assert metrics.raw == regression_scores(truth, given["raw"], VECTOR)
    assert metrics.baselines == {"mean": regression_scores(truth, mean, VECTOR)}
    expected = bootstrap_regression(truth, given["balanced"], VECTOR, groups, resamples=200, seed=3)
    assert metrics.intervals == expected
    low, high = metrics.baseline_intervals["mean"]["weighted_r2"]
    assert low < metrics.baselines["mean"]["weighted_r2"] < high
    assert metrics.primary == "weighted_r2"
    assert metrics.higher_is_better


def test_folds_have_scores_mean_and_sd() -> None:
    given = data()
    metrics = regression_metrics(**given)
    assert len(metrics.folds) == 4
    first = regression_scores(given["truth"][:20], given["balanced"][:20], VECTOR)
    assert metrics.folds[0] == first
    values = [fold["rmse"] for fold in metrics.folds]
    assert metrics.fold_mean["rmse"] == pytest.approx(np.mean(values))
    assert metrics.fold_sd["rmse"] == pytest.approx(np.std(values, ddof=1))


def test_distributions_add_their_scores() -> None:
    given = data()
    sigma = np.full((80, 3), 6.0)
    lower, upper = given["raw"] - 1.645 * sigma, given["raw"] + 1.645 * sigma
    metrics = regression_metrics(**given, sigma=sigma, lower=lower, upper=upper)
    truth = given["truth"]
    known = ~np.isnan(truth)
    expected = scoringrules.crps_normal(truth[known], given["balanced"][known], 6.0).mean()
    assert metrics.scores["crps"] == pytest.approx(expected)
    covered = ((truth >= lower) & (truth <= upper))[known].mean()
    assert metrics.scores["coverage_90"] == pytest.approx(covered)
    assert 0.8 < covered < 1.0
    low, high = metrics.intervals["coverage_90"]
    assert low <= covered <= high
    assert {"crps", "coverage_90"} <= set(metrics.per_target["clover"]) & set(metrics.folds[2])


def test_the_file_has_the_agreed_keys_and_the_same_bytes() -> None:
    one, same = (regression_metrics(**data()).to_json() for _ in range(2))
    assert one == same
    found = json.loads(one)
    assert set(found) == KEYS
    assert set(found["per_target"]) == set(TARGETS)
    assert found["protocol"] == {"kind": "group", "groups": 20}


def test_undefined_scores_become_null_and_come_back() -> None:
    metrics = Metrics.create(
        "mae",
        {"mae": np.float32(1.5), "r2": math.nan},
        folds=[{"mae": 1.0}, {"mae": 2.0, "r2": math.inf}],
        intervals={"r2": (math.nan, 0.5)},
        protocol={"groups": None},
    )
    found = json.loads(metrics.to_json())
    assert found["scores"] == {"mae": 1.5, "r2": None}
    assert found["folds"][1]["r2"] is None
    assert found["intervals"]["r2"] == [None, 0.5]
    again = Metrics.from_dict(found)
    assert math.isnan(again.scores["r2"])
    assert math.isnan(again.intervals["r2"][0])
    assert again.protocol == {"groups": None}
    assert again.to_json() == metrics.to_json()
    assert not again.higher_is_better


def test_a_fold_with_a_constant_truth_is_left_out_of_the_fold_mean() -> None:
    given = data()
    given["truth"][:20] = 7.0
    metrics = regression_metrics(**given)
    assert math.isnan(metrics.folds[0]["r2"])
    others = [fold["r2"] for fold in metrics.folds[1:]]
    assert metrics.fold_mean["r2"] == pytest.approx(np.mean(others))


def test_no_bootstrap_no_intervals() -> None:
    metrics = regression_metrics(
        **{**data(), "bootstrap": 0}, baselines={"zero": np.zeros((80, 3))}
    )
    assert metrics.intervals == {}
    assert metrics.baseline_intervals == {}


def test_targets_without_weight_do_not_count() -> None:
    given = data()
    only = regression_metrics(**{**given, "weights": {"gdm": 1.0}})
    assert only.scores["weighted_r2"] == pytest.approx(only.per_target["gdm"]["r2"])
    even = regression_metrics(**{**given, "weights": None})
    assert even.scores["mean_weighted_r2"] == pytest.approx(even.scores["r2"])


def test_wrong_wishes_are_refused() -> None:
    with pytest.raises(UsageError, match="names what is no target: grass"):
        regression_metrics(**{**data(), "weights": {"grass": 1.0}})
    with pytest.raises(UsageError, match=r"'map' is not computed here. Choose from: mae"):
        regression_metrics(**{**data(), "primary": "map"})
    with pytest.raises(UnknownNameError, match="Did you mean 'rmse'"):
        regression_metrics(**{**data(), "primary": "rsme"})
    with pytest.raises(DataError, match="predictions are missing"):
        regression_metrics(**{**data(), "raw": np.full((80, 3), np.nan)})
