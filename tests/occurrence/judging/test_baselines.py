import numpy as np
import pytest
import torch

from quadrat.occurrence.judging.baselines import TrainingCounts
from quadrat.occurrence.labels.matrix import LabelMatrix
from quadrat.occurrence.samples.dataset import SampleSet


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    truth = rng.random((5 * 48, 4)) < [0.5, 0.2, 0.01, 0.0]
    labels = LabelMatrix.from_pairs(*truth.nonzero(), truth.shape)
    nowhere = np.zeros(5)
    cells = SampleSet(tuple("abcde"), nowhere, nowhere, np.empty((5, 0), np.float32), labels)
    return cells, truth.reshape(5, 48, 4)


def test_counts_by_week(samples):
    cells, truth = samples
    counts = TrainingCounts.of(cells)
    assert (counts.by_week == truth.sum(axis=0)).all() and counts.cells == 5
    assert (TrainingCounts.of(cells.with_years()).by_week == counts.by_week).all()


def test_baselines_answer_with_shares_of_samples(samples):
    cells, truth = samples

    class Places:
        week = torch.tensor([1, 30, 48])

    found = TrainingCounts.of(cells).baselines()
    common = (truth.sum(axis=(0, 1)) + 0.5) / (5 * 48 + 1)
    prevalence = found["prevalence"](Places).logits.sigmoid()
    np.testing.assert_allclose(prevalence, np.tile(common, (3, 1)), rtol=1e-5)
    seasonal = found["seasonal"](Places).logits.sigmoid()
    expected = (truth.sum(axis=0)[[0, 29, 47]] + 0.5) / 6
    np.testing.assert_allclose(seasonal, expected, rtol=1e-5)
