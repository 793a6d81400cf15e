from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

from quadrat.errors import DataError
from quadrat.photos.curriculum import fractal_stages, quantile_stages


def test_stages_hold_equally_many_from_small_to_large():
    values = np.random.default_rng(0).permutation(30).astype(float)
    stages = quantile_stages(values, 3, what="x")
    assert np.bincount(stages).tolist() == [10, 10, 10]
    for lower, upper in ((0, 1), (1, 2)):
        assert values[stages == lower].max() < values[stages == upper].min()


def test_unknown_values_come_last():
    stages = quantile_stages(np.array([3.0, np.nan, 1.0, 2.0]), 3, what="x")
    assert stages.tolist() == [2, 2, 0, 1]


def test_equal_values_stay_together_and_an_empty_stage_is_an_error():
    values = np.array([0.0] * 6 + [1.0, 2.0, 3.0, 4.0])
    assert quantile_stages(values, 2, what="x").tolist() == [0] * 6 + [1] * 4
    with pytest.raises(DataError) as caught:
        quantile_stages(values, 4, what="Dry_Clover_g")
    assert "by Dry_Clover_g has no samples" in str(caught.value)
    assert "stage 1: 6, stage 2: 0" in str(caught.value)
    assert "curriculum.stages lower" in str(caught.value)


def test_fractal_stages_are_quantiles_of_the_mean_rank():
    rng = np.random.default_rng(1)
    dimension, target = rng.uniform(1.2, 1.9, 60), np.round(rng.exponential(20.0, 60))
    stages = fractal_stages(dimension, target, 4, name="t")
    difficulty = rankdata(dimension) + rankdata(target)
    means = [difficulty[stages == stage].mean() for stage in range(4)]
    assert means == sorted(means)
    for lower in range(3):
        assert difficulty[stages == lower].max() <= difficulty[stages == lower + 1].min()
    # the scales of dimension and target do not matter
    again = fractal_stages(np.exp(dimension), 1000 * target, 4, name="t")
    assert np.array_equal(stages, again)
