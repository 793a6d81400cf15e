from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadrat.photos.sampling import weights_by_class, weights_by_target

POWERS = st.floats(0.0, 1.0)


def test_with_power_one_all_categories_have_the_same_share():
    values = ["a"] * 8 + ["b"] * 2 + ["c"]
    weights = weights_by_class(values, 1.0)
    shares = {name: weights[np.array(values) == name].sum() for name in "abc"}
    assert list(shares.values()) == pytest.approx([11 / 3] * 3)


def test_half_the_power_is_in_between():
    weights = weights_by_class(["a"] * 9 + ["b"], 0.5)
    assert weights[9] / weights[0] == pytest.approx(3.0)


@given(st.lists(st.sampled_from(["a", "b", None]), min_size=1, max_size=40), POWERS)
def test_weights_of_categories_have_mean_one_and_blanks_have_it(values, power):
    weights = weights_by_class(values, power)
    assert weights.mean() == pytest.approx(1.0)
    assert all(weights[place] == 1.0 for place, value in enumerate(values) if value is None)


def test_the_tail_of_a_target_comes_as_often_as_its_body():
    """Drawn by weight, a skewed target is nearly even over equal intervals."""
    target = np.random.default_rng(0).exponential(20.0, 4000)
    weights = weights_by_target(target, 1.0, bins=40)
    inside = target < 60.0  # beyond it, the last bins are too wide for a histogram
    drawn, _ = np.histogram(target[inside], bins=6, range=(0, 60), weights=weights[inside])
    plain, _ = np.histogram(target[inside], bins=6, range=(0, 60))
    assert drawn.max() / drawn.min() < 1.3
    assert plain.max() / plain.min() > 8


@given(
    st.lists(st.floats(-1e3, 1e3) | st.just(float("nan")), min_size=1, max_size=60),
    POWERS,
    st.integers(1, 12),
)
def test_weights_of_targets_are_positive_with_mean_one(values, power, bins):
    target = np.array(values)
    # differences far below single precision would have densities that are not finite
    target = np.round(target, 3)
    weights = weights_by_target(target, power, bins=bins)
    assert np.isfinite(weights).all()
    assert (weights > 0).all()
    assert weights.mean() == pytest.approx(1.0)
    assert (weights[np.isnan(target)] == 1.0).all()


def test_many_zeros_are_one_bin():
    target = np.array([0.0] * 70 + list(np.linspace(1.0, 100.0, 30)))
    weights = weights_by_target(target, 1.0)
    assert len(np.unique(weights[:70])) == 1
    assert weights[-1] > 10 * weights[0]


def test_equal_targets_are_alike():
    assert (weights_by_target(np.full(5, 3.0), 1.0) == 1.0).all()
