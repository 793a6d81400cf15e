"""The closed form agrees with scikit-learn, with gaps, hidden metadata and many columns."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Ridge as SklearnRidge

from quadrat.photos.network.ridge import PARTS, PENALTIES, Design, _parts, fit_ridge
from quadrat.splits import group_folds

ROWS, TARGETS = 40, 3


def make(width: int, metadata: int = 2, seed: int = 0) -> tuple[Design, NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    photos, columns = rng.normal(size=(ROWS, width)), rng.normal(size=(ROWS, metadata))
    y = photos[:, :TARGETS] + columns.sum(axis=1, keepdims=True) + rng.normal(size=(ROWS, TARGETS))
    return Design(photos, columns, np.zeros_like(columns) + 0.5, metadata), y


def stacked(
    design: Design, share: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Scaled columns of all rows, seen and hidden, their weights, and the scale of the columns."""
    width, columns = design.photos.shape[1], max(design.columns, 1)
    scale = np.r_[np.full(width, width**-0.5), np.full(design.metadata.shape[1], columns**-0.5)]
    seen = np.hstack([design.photos, design.metadata]) * scale
    hidden = np.hstack([design.photos, design.hidden]) * scale
    rows = len(seen)
    return np.vstack([seen, hidden]), np.r_[np.full(rows, 1 - share), np.full(rows, share)], scale


@pytest.mark.parametrize("width", [5, 100])
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_the_solution_is_that_of_scikit_learn(width: int, share: float):
    design, y = make(width)
    found = fit_ridge(design, y, hidden_share=share)
    x, weights, scale = stacked(design, share)
    oracle = SklearnRidge(alpha=found.penalty * ROWS)
    oracle.fit(x, np.vstack([y, y]), sample_weight=weights)
    ours = np.vstack([found.photo_weights, found.metadata_weights])
    np.testing.assert_allclose(ours, oracle.coef_.T * scale[:, None], atol=1e-8)
    np.testing.assert_allclose(found.bias, oracle.intercept_, atol=1e-8)


@pytest.mark.parametrize("width", [5, 100])
def test_rows_that_count_more_or_less_are_weighted(width: int):
    design, y = make(width)
    counts = np.random.default_rng(2).uniform(0.1, 2.0, ROWS)
    found = fit_ridge(design, y, hidden_share=0.3, counts=counts)
    x, weights, scale = stacked(design, 0.3)
    oracle = SklearnRidge(alpha=found.penalty * counts.sum())
    oracle.fit(x, np.vstack([y, y]), sample_weight=weights * np.tile(counts, 2))
    ours = np.vstack([found.photo_weights, found.metadata_weights])
    np.testing.assert_allclose(ours, oracle.coef_.T * scale[:, None], atol=1e-8)


def test_the_penalty_has_the_least_error_on_left_out_groups():
    design, y = make(100, metadata=0)
    groups = np.repeat(np.arange(10), [1, 2, 3, 4, 5, 5, 5, 5, 5, 5]).astype(str)
    found = fit_ridge(design, y, groups=groups, seed=3)
    x, _, _ = stacked(design, 0.0)
    x = x[:ROWS]
    errors = np.zeros((len(PENALTIES), TARGETS))
    for left_out in group_folds(groups, PARTS, seed=3):
        rest = np.setdiff1d(np.arange(ROWS), left_out)
        for row, penalty in enumerate(PENALTIES):
            model = SklearnRidge(alpha=penalty * len(rest)).fit(x[rest], y[rest])
            errors[row] += ((y[left_out] - model.predict(x[left_out])) ** 2).sum(axis=0)
    best = errors.sum(axis=1).argmin()
    assert found.penalty == PENALTIES[best]
    np.testing.assert_allclose(found.error, errors[best] / ROWS, rtol=1e-6)


def test_weights_decide_which_target_chooses_the_penalty():
    design, y = make(30, metadata=0)
    y[:, 0] = np.random.default_rng(1).normal(size=ROWS)  # pure noise wants the strongest
    noisy = fit_ridge(design, y, weights=[1.0, 0.0, 0.0])
    clear = fit_ridge(design, y, weights=[0.0, 1.0, 1.0])
    assert noisy.penalty > 10 * clear.penalty


def test_a_target_with_gaps_is_learnt_from_its_known_rows():
    design, y = make(8)
    gaps = y.copy()
    gaps[::3, 1] = np.nan
    found = fit_ridge(design, gaps, hidden_share=0.2)
    known = ~np.isnan(gaps[:, 1])
    x, weights, scale = stacked(design, 0.2)
    twice = np.r_[known, known]
    oracle = SklearnRidge(alpha=found.penalty * known.sum())
    oracle.fit(x[twice], np.r_[y[known, 1], y[known, 1]], sample_weight=weights[twice])
    ours = np.r_[found.photo_weights[:, 1], found.metadata_weights[:, 1]]
    np.testing.assert_allclose(ours, oracle.coef_ * scale, atol=1e-8)


def test_noise_alone_predicts_the_mean():
    rng = np.random.default_rng(0)
    empty = np.zeros((200, 0))
    design = Design(rng.normal(size=(200, 20)), empty, empty, 0)
    y = 7.0 + rng.normal(size=(200, 1))
    found = fit_ridge(design, y)
    assert np.ptp(design.photos @ found.photo_weights) < 0.2
    np.testing.assert_allclose(found.bias, y.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(found.error, y.var(axis=0), rtol=0.05)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_few_rows_are_enough(rows: int):
    empty = np.zeros((rows, 0))
    photos = np.random.default_rng(0).normal(size=(rows, 6))
    found = fit_ridge(Design(photos, empty, empty, 0), np.arange(rows, dtype=float)[:, None])
    assert np.isfinite(found.photo_weights).all()
    assert np.isfinite(found.bias).all()


@pytest.mark.parametrize("sizes", [[4] * 10, [2, 6] * 5, [1] * 40, [40]])
def test_groups_stay_whole_in_the_choice_of_the_penalty(sizes: list[int]):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    parts = _parts(ROWS, groups, seed=1)
    assert sorted(np.concatenate(parts)) == list(range(ROWS))
    assert len(parts) == PARTS
    if len(sizes) > 1:
        held = [set(groups[rows]) for rows in parts]
        assert sum(len(names) for names in held) == len(sizes)
