import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from quadrat.occurrence.judging import species_scores as module
from quadrat.occurrence.judging.species_scores import MeansOverSpecies, species_scores
from quadrat.occurrence.labels.matrix import LabelMatrix
from quadrat.scoring.bootstrap import Resampling


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("chunk", [10**9, 500])
def test_scores_are_those_of_scikit_learn(ties, chunk, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK_VALUES", chunk)
    rng = np.random.default_rng(0)
    truth = rng.random((150, 7)) < [0.5, 0.1, 0.05, 0.9, 0.3, 0.0, 1.0]
    hidden = rng.normal(size=(150, 4)).astype(np.float32)
    weight, bias = rng.normal(size=(7, 4)).astype(np.float32), rng.normal(size=7)
    if ties:
        hidden, weight, bias = hidden.round(), weight.round(), bias.round()
    logits = hidden @ weight.T + bias.astype(np.float32)
    table = torch.from_numpy(logits.astype(np.float32))
    ap, auc = species_scores(
        lambda columns: table[:, columns], LabelMatrix.from_pairs(*truth.nonzero(), truth.shape)
    )
    for column in range(5):
        expected = average_precision_score(truth[:, column], logits[:, column])
        assert ap[column] == pytest.approx(expected, rel=1e-6)
        expected = roc_auc_score(truth[:, column], logits[:, column])
        assert auc[column] == pytest.approx(expected, rel=1e-6)
    assert np.isnan([ap[5], auc[5], auc[6]]).all()
    assert ap[6] == 1


def test_means_over_species_are_those_of_copied_samples():
    rng = np.random.default_rng(1)
    truth = rng.random((120, 5)) < [0.5, 0.1, 0.02, 0.9, 0.0]
    logits = (rng.normal(size=truth.shape) + truth).astype(np.float32)
    group = np.arange(120) // 10
    means = MeansOverSpecies(Resampling.of(group, resamples=300))
    species_scores(_columns(logits), LabelMatrix.from_pairs(*truth.nonzero(), truth.shape), means)
    drawn = means.drawn()
    assert len(drawn["macro_ap"]) == module.RESAMPLES
    for place, taken in enumerate(means.resampling.draws[:20].astype(int)):
        rows = np.repeat(np.arange(120), taken[group])
        labels = LabelMatrix.from_pairs(*truth[rows].nonzero(), (len(rows), 5))
        _, auc = species_scores(_columns(logits[rows]), labels)
        assert drawn["macro_auc"][place] == pytest.approx(np.nanmean(auc), rel=1e-5)
        copied = [
            average_precision_score(y[rows], z[rows])
            for y, z in zip(truth.T, logits.T, strict=True)
            if y[rows].any()
        ]
        assert drawn["macro_ap"][place] == pytest.approx(np.mean(copied), rel=1e-5)


def _columns(logits):
    table = torch.from_numpy(logits)
    return lambda columns: table[:, columns]
