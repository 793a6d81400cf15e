from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from quadrat.photos.field.paddocks import PaddockMean, SharedError, paddock_mean

MASSES = st.lists(st.floats(0.0, 200.0), min_size=2, max_size=30)


def halfwidth(found: PaddockMean) -> float:
    return 0.5 * (found.upper - found.lower)


@given(MASSES)
def test_without_a_shared_error_it_is_the_classical_t_interval(values):
    found = paddock_mean(values, None, level=0.9)
    expected = stats.sem(values) * stats.t.ppf(0.95, len(values) - 1)
    assert found.mean == pytest.approx(np.mean(values))
    assert halfwidth(found) == pytest.approx(expected, abs=1e-9)
    assert np.isnan(found.shared_sd)


def test_a_shared_error_does_not_shrink_with_photos():
    shared = SharedError(between=400.0, within=100.0, groups=10, photos=50)
    assert shared.variance == pytest.approx(60.0)
    values = np.random.default_rng(0).normal(50, 8, 400)
    found = paddock_mean(values, shared, level=0.9)
    assert found.standard_error == pytest.approx(np.sqrt(values.var(ddof=1) / 400 + 60.0))
    assert found.shared_sd == pytest.approx(np.sqrt(60.0))
    # Satterthwaite: the sum of squared mean squares with their weights over their freedoms
    terms = [(values.var(ddof=1) / 400) ** 2 / 399, (0.2 * 400) ** 2 / 10, (0.2 * 100) ** 2 / 40]
    assert found.freedom == pytest.approx(found.standard_error**4 / sum(terms))
    assert halfwidth(found) == pytest.approx(
        stats.t.ppf(0.95, found.freedom) * found.standard_error
    )
    assert found.more_photos is None, "the shared error alone is wider than half the interval"


def test_a_balanced_table_gives_the_mean_squares_of_the_analysis_of_variance():
    rng = np.random.default_rng(1)
    errors = rng.normal(0, 2, (6, 1)) + rng.normal(0, 1, (6, 5))
    shared = SharedError.of(errors.ravel(), np.repeat(np.arange(6), 5))
    assert shared is not None
    assert shared.within == pytest.approx(errors.var(axis=1, ddof=1).mean())
    assert shared.between == pytest.approx(5 * (errors.mean(axis=1) ** 2).mean())
    # about the mean instead of zero, scipy has the same two mean squares
    centred = errors - errors.mean()
    of_scipy = stats.f_oneway(*centred).statistic
    about_zero = SharedError.of(centred.ravel(), np.repeat(np.arange(6), 5))
    assert about_zero is not None
    assert about_zero.between * 6 / 5 / about_zero.within == pytest.approx(of_scipy)


def test_the_estimate_is_unbiased_over_unequal_groups_and_counts_a_bias():
    rng = np.random.default_rng(2)
    sizes = rng.integers(1, 12, 40)
    groups = np.repeat(np.arange(40), sizes)
    found = []
    for _ in range(400):
        errors = 1.5 + rng.normal(0, 2.0, 40)[groups] + rng.normal(0, 3.0, len(groups))
        shared = SharedError.of(errors, groups)
        assert shared is not None
        found.append((shared.between - shared.within) * shared.groups / shared.photos)
    assert np.mean(found) == pytest.approx(2.0**2 + 1.5**2, rel=0.06)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(25), 6)
    inside = 0
    for _ in range(300):
        errors = rng.normal(0, 3.0, 25)[groups] + rng.normal(0, 4.0, 150)
        shared = SharedError.of(errors, groups)
        own = rng.normal(0, 3.0)
        # truth = prediction + shared error + own error: the paddock's mean is E[prediction] + own
        predictions = rng.normal(60, 9.0, 8)
        found = paddock_mean(predictions, shared, level=0.9)
        inside += found.lower <= 60 + own <= found.upper
    assert 0.86 <= inside / 300 <= 0.94


@given(MASSES)
def test_so_many_more_photos_halve_the_interval_and_one_less_does_not(values):
    found = paddock_mean(values, None, level=0.9)
    if np.ptp(values) < 1e-6:
        return
    assert found.more_photos is not None
    count, spread = len(values), np.std(values, ddof=1)

    def reach(photos: int) -> float:
        return float(stats.t.ppf(0.95, photos - 1) * spread / np.sqrt(photos))

    half = 0.5 * reach(count)
    assert reach(count + found.more_photos) <= half * (1 + 1e-9)
    assert reach(count + found.more_photos - 1) > half * (1 - 1e-9)


def test_many_photos_need_three_times_as_many_more():
    values = np.random.default_rng(4).normal(50, 10, 500)
    more = paddock_mean(values, None, level=0.9).more_photos
    assert more == pytest.approx(1500, abs=5)


def test_one_photo_has_a_mean_and_no_interval():
    found = paddock_mean([40.0], None, level=0.9)
    assert (found.photos, found.mean, found.more_photos) == (1, 40.0, None)
    assert np.isnan([found.lower, found.upper, found.standard_error]).all()


@pytest.mark.parametrize(
    ("errors", "groups"),
    [([1.0, 2.0, 3.0], [0, 0, 0]), ([1.0, 2.0], [0, 1]), ([1.0, np.nan, 2.0], [0, 0, 1]), ([], [])],
)
def test_what_cannot_be_told_is_not(errors, groups):
    assert SharedError.of(errors, groups) is None


def test_a_shared_error_of_nothing_changes_nothing():
    shared = SharedError(between=10.0, within=30.0, groups=5, photos=20)
    values = [10.0, 20.0, 40.0]
    with_it, without = (paddock_mean(values, s, level=0.9) for s in (shared, None))
    assert (with_it.lower, with_it.upper) == (without.lower, without.upper)
    assert with_it.shared_sd == 0.0
