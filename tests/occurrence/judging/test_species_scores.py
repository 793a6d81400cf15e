import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from quadrat.occurrence.judging import species_scores as module
from quadrat.occurrence.judging.species_scores import species_scores
from quadrat.occurrence.labels.matrix import LabelMatrix


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
