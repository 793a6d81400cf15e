import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import expit

from quadrat.occurrence.judging.calibration import (
    LEAST_SLOPE,
    Penalty,
    choose_penalty,
    fit_curves,
    log_loss,
)
from quadrat.occurrence.judging.logit_counts import CENTRES, STEPS, LogitCounts, count_logits
from quadrat.occurrence.labels.matrix import LabelMatrix


def drawn(slope, offset, *, samples=4000, folds=4, seed=0):
    """Samples of species whose true curves are known, as counts by fold."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-3, 2.5, (samples, len(slope))).astype(np.float32)
    truth = rng.random(z.shape) < expit(z * slope + offset)
    labels = LabelMatrix.from_pairs(*truth.nonzero(), truth.shape)
    table, fold = torch.from_numpy(z), np.arange(samples) % folds
    return z, truth, count_logits(lambda part: table[:, part], labels, fold)


def test_counts_are_those_of_a_histogram(monkeypatch):
    monkeypatch.setattr("quadrat.occurrence.judging.logit_counts._CHUNK_VALUES", 9000)
    z, truth, counts = drawn(np.ones(5), np.zeros(5))
    assert counts.samples.shape == (4, 5, STEPS)
    edges = np.append(CENTRES - 1 / 16, np.inf)
    for fold, species in ((0, 0), (3, 4)):
        here, seen = z[fold::4, species], truth[fold::4, species]
        expected = np.histogram(here.clip(-16), edges)[0]
        np.testing.assert_array_equal(counts.samples[fold, species], expected)
        expected = np.histogram(here[seen].clip(-16), edges)[0]
        np.testing.assert_array_equal(counts.seen[fold, species], expected)
    others = counts.without(2)
    np.testing.assert_array_equal(others.samples, counts.samples[[0, 1, 3]].sum(axis=0))


def test_true_curves_are_found_and_the_loss_is_least():
    slope, offset = np.array([1.0, 0.6, 1.5]), np.array([0.0, -0.8, 0.7])
    z, truth, counts = drawn(slope, offset, samples=40_000)
    a, b = fit_curves(counts.total(), Penalty(1e-6))
    np.testing.assert_allclose(a, slope, atol=0.06)
    np.testing.assert_allclose(b, offset, atol=0.12)
    for species in range(3):

        def loss(x, z=z[:, species], y=truth[:, species]):
            eta = x[0] * z + x[1]
            return float((np.logaddexp(0, eta) - y * eta).sum())

        exact = minimize(loss, [1.0, 0.0]).x
        np.testing.assert_allclose([a[species], b[species]], exact, atol=0.02)
        part = LogitCounts(counts.total().samples[[species]], counts.total().seen[[species]])
        assert log_loss(part, a[[species]], b[[species]]) == pytest.approx(loss(exact), rel=1e-3)


def test_few_positives_are_drawn_to_the_curve_of_all():
    offset = np.zeros(30)
    offset[0] = 2.0
    _, _, counts = drawn(np.ones(30), offset, samples=2000)
    free, drawn_near, everyone = (
        fit_curves(counts.total(), Penalty(level)) for level in (0.01, 300.0, math.inf)
    )
    assert np.ptp(everyone[0]) == np.ptp(everyone[1]) == 0
    gap = [abs(curve[1][0] - everyone[1][0]) for curve in (free, drawn_near)]
    assert gap[1] < 0.7 * gap[0]


def test_folds_choose_much_drawing_for_equal_species_and_little_for_unequal_ones():
    rng = np.random.default_rng(1)
    equal = choose_penalty(drawn(np.ones(60), np.zeros(60), samples=600)[2])
    unequal = choose_penalty(drawn(np.ones(60), rng.normal(0, 2, 60), samples=6000)[2])
    assert equal.level >= 300 and unequal.level <= 30


def test_a_species_that_is_ranked_upside_down_keeps_a_rising_curve():
    slope = np.array([1.0, 1.0, -0.8])
    _, _, counts = drawn(slope, np.array([0.0, 0.0, -3.0]), samples=20_000)
    a, b = fit_curves(counts.total(), Penalty(1.0))
    assert a[2] == pytest.approx(LEAST_SLOPE)
    shares = counts.total()
    expected = (shares.samples[2] * expit(a[2] * CENTRES + b[2])).sum()
    assert expected == pytest.approx(shares.seen[2].sum(), rel=0.02)


def test_nothing_seen_changes_nothing():
    empty = LogitCounts(*(np.zeros((3, STEPS), np.float32) for _ in range(2)))
    a, b = fit_curves(empty, Penalty(1.0))
    assert (a == 1).all() and (b == 0).all()


def test_counts_move_with_their_logits():
    _, _, counts = drawn(np.ones(4), np.zeros(4))
    moved = counts.total().mapped(np.full(4, 2.0), np.full(4, 1.0))
    assert moved.samples.sum() == counts.samples.sum()
    middle = (moved.samples * CENTRES).sum() / moved.samples.sum()
    before = (counts.total().samples * CENTRES).sum() / counts.samples.sum()
    assert middle == pytest.approx(2 * before + 1, abs=0.15)
