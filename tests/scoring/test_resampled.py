from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from quadrat.scoring import _resampled
from quadrat.scoring._resampled import grouped_ap_auc, weighted_ap_auc
from quadrat.scoring.bootstrap import Resampling, resample_counts


@given(st.integers(0, 10_000), st.booleans(), st.sampled_from([1, 10**6]))
@settings(deadline=None, max_examples=30)
def test_groups_count_as_often_as_they_are_drawn(seed: int, ties: bool, held: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=80).astype(np.float32)
    scores = scores.round() if ties else scores
    truth = rng.random(80) < rng.choice([0.05, 0.5])
    truth[0] = True
    group = rng.integers(0, 9, 80)
    draws = resample_counts(9, 7, seed)
    expected = weighted_ap_auc(scores, truth, draws[:, group])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_resampled, "_HELD", held)
        taken = draws.T.astype(np.float32)
        found = grouped_ap_auc(scores, np.flatnonzero(truth), group, taken)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_weights_are_copies_of_samples() -> None:
    rng = np.random.default_rng(0)
    scores, truth = rng.normal(size=60).round(1), rng.random(60) < 0.3
    weights = resample_counts(60, 5, 0)
    ap, auc = weighted_ap_auc(scores, truth, weights)
    for place, row in enumerate(weights):
        copied = np.repeat(np.arange(60), row.astype(int))
        expected = average_precision_score(truth[copied], scores[copied])
        assert ap[place] == pytest.approx(expected)
        assert auc[place] == pytest.approx(roc_auc_score(truth[copied], scores[copied]))


def test_a_species_never_seen_has_no_score() -> None:
    resampling = Resampling.of(np.arange(5), resamples=3)
    ap, auc = resampling.ap_auc(np.zeros(5, np.float32), np.zeros(0, np.int64))
    assert np.isnan(ap).all() and np.isnan(auc).all() and len(ap) == 3
