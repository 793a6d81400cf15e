"""Log odds of means and medians of probabilities, against the same in double precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit, logit

from quadrat.ensemble.species.pooling import mean_logits, median_logits

LOGITS = arrays(np.float64, st.tuples(st.integers(1, 5), st.just(4)), elements=st.floats(-12, 12))


@given(LOGITS, st.integers(0, 2**16))
def test_the_mean_is_that_of_probabilities(told: np.ndarray, seed: int):
    shares = np.random.default_rng(seed).dirichlet(np.ones(len(told)))
    expected = logit((shares[:, None] * expit(told)).sum(axis=0))
    found = mean_logits(torch.from_numpy(told).float(), torch.from_numpy(shares).float())
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-4)


@given(LOGITS)
def test_the_median_is_that_of_probabilities(told: np.ndarray):
    expected = logit(np.median(expit(told), axis=0))
    found = median_logits(torch.from_numpy(told).float())
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-4)


def test_tiny_probabilities_do_not_vanish():
    told = torch.tensor([[-60.0, 60.0], [-62.0, 60.0]])
    found = mean_logits(told, torch.tensor([0.5, 0.5]))
    tiny = (np.exp(-60.0) + np.exp(-62.0)) / 2
    assert found[0].item() == pytest.approx(np.log(tiny), rel=1e-5)
    assert found[1].item() == pytest.approx(60.0, rel=1e-5)


def test_a_member_without_weight_has_no_say():
    told = torch.tensor([[3.0], [-1.0], [2.0]])
    found = mean_logits(told, torch.tensor([0.0, 1.0, 0.0]))
    assert found.item() == pytest.approx(-1.0)
