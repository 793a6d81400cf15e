import math

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, precision_score, recall_score

from quadrat.occurrence.judging.list_scores import cut_lists, list_scores
from quadrat.occurrence.judging.logit_counts import EDGES, LogitCounts, count_logits
from quadrat.occurrence.judging.thresholds import Aim, choose_strength, fit_thresholds
from quadrat.occurrence.labels.matrix import LabelMatrix


def drawn(prevalence, *, samples=3000, folds=3, seed=0, spread=0.0):
    rng = np.random.default_rng(seed)
    truth = rng.random((samples, len(prevalence))) < prevalence
    level = rng.normal(0, spread, len(prevalence)) - 5
    z = (rng.normal(size=truth.shape) * 1.5 + level + 4 * truth).astype(np.float32)
    labels = LabelMatrix.from_pairs(*truth.nonzero(), truth.shape)
    table = torch.from_numpy(z)
    counts = count_logits(lambda part: table[:, part], labels, np.arange(samples) % folds)
    return z, truth, labels, counts


def test_f1_is_the_best_of_all_steps():
    z, truth, _, counts = drawn(np.array([0.3, 0.05, 0.01]))
    cut = fit_thresholds(counts.total(), Aim("f1"), 1e-9)
    for species in range(3):
        scores = [f1_score(truth[:, species], z[:, species] >= edge) for edge in EDGES]
        assert scores[cut[species]] == pytest.approx(max(scores))


@pytest.mark.parametrize("recall", [0.5, 0.9])
def test_recall_is_reached_as_high_as_may_be(recall):
    z, truth, _, counts = drawn(np.array([0.3, 0.05]))
    cut = fit_thresholds(counts.total(), Aim("recall", recall), 1e-9)
    for species in range(2):
        y = truth[:, species]
        assert recall_score(y, z[:, species] >= EDGES[cut[species]]) >= recall
        assert recall_score(y, z[:, species] >= EDGES[cut[species] + 1]) < recall


def test_much_drawing_cuts_all_species_alike():
    _, _, _, counts = drawn(np.array([0.3, 0.2, 0.0]))
    everywhere = fit_thresholds(counts.total(), Aim("f1"), math.inf)
    cut = fit_thresholds(counts.total(), Aim("f1"), 1e9)
    assert np.ptp(everywhere) == 0 and cut.tolist() == everywhere.tolist()
    nothing = LogitCounts(counts.total().samples, np.zeros_like(counts.total().seen))
    assert (fit_thresholds(nothing, Aim("f1"), 1.0) == len(EDGES) - 1).all()


def chosen(aim, prevalence, samples, spread):
    counts = drawn(prevalence, samples=samples, spread=spread)[3]
    return choose_strength([counts.without(f) for f in range(3)], list(counts), aim)


@pytest.mark.parametrize("aim", [Aim("f1"), Aim("recall", 0.8)])
def test_folds_draw_equal_species_together_and_leave_unequal_ones_apart(aim):
    equal = chosen(aim, np.full(80, 0.1), 600, 0.0)
    unequal = chosen(aim, np.full(80, 0.1), 6000, 2.0)
    assert equal >= 300 and unequal <= 30


def test_lists_are_scored_like_scikit_learn(monkeypatch):
    monkeypatch.setattr("quadrat.occurrence.judging.list_scores._CHUNK_VALUES", 4000)
    z, truth, labels, _ = drawn(np.array([0.3, 0.05, 0.01, 0.0]), samples=500)
    cuts = np.array([[-3.0, -4.0, -2.0, 0.0], [-2.0, -1.0, -3.0, -5.0]], np.float32)
    part = np.arange(500) % 2
    listed = z >= cuts[part]
    table = torch.from_numpy(z)
    by_sample, by_species = cut_lists(lambda c: table[:, c], labels, cuts, part)
    np.testing.assert_array_equal(by_sample.predicted, listed.sum(axis=1))
    np.testing.assert_array_equal(by_sample.hits, (listed & truth).sum(axis=1))
    np.testing.assert_array_equal(by_species.hits, (listed & truth).sum(axis=0))
    found = list_scores(by_sample, by_species)
    flat = truth.ravel(), listed.ravel()
    assert found["f1_threshold"] == pytest.approx(f1_score(*flat))
    assert found["precision_threshold"] == pytest.approx(precision_score(*flat))
    assert found["recall_threshold"] == pytest.approx(recall_score(*flat))
    assert found["mean_list_length_threshold"] == pytest.approx(listed.sum(axis=1).mean())
    each = [f1_score(truth[:, s], listed[:, s]) for s in range(3)]
    assert found["macro_f1_threshold"] == pytest.approx(np.mean(each))
