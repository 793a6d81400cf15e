import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quadrat.errors import UnknownNameError
from quadrat.occurrence.losses.species import LOSSES, environment_loss
from quadrat.occurrence.samples.batches import Positives
from quadrat.occurrence.schema import LossSection

ROWS, SPECIES = 6, 5
dense_labels = st.lists(
    st.lists(st.booleans(), min_size=SPECIES, max_size=SPECIES), min_size=ROWS, max_size=ROWS
)


def positives_of(labels):
    rows, columns = torch.tensor(labels).nonzero().unbind(1)
    return Positives(rows, columns, torch.tensor(labels).sum(1))


def dense_bce(logits, labels, smoothing):
    """From probabilities, in float64, element by element."""
    y = np.asarray(labels, float) * (1 - smoothing) + smoothing / 2
    p = 1 / (1 + np.exp(-logits.double().numpy()))
    return -(y * np.log(p) + (1 - y) * np.log1p(-p)).mean(axis=1)


@settings(deadline=None)
@given(dense_labels, st.sampled_from([0.0, 0.05, 0.3]), st.integers(0, 1000))
def test_sparse_bce_is_dense_bce(labels, smoothing, seed):
    logits = torch.randn(ROWS, SPECIES, generator=torch.Generator().manual_seed(seed)) * 4
    section = LossSection(label_smoothing=smoothing)
    loss = LOSSES["bce"](logits, positives_of(labels), section)
    np.testing.assert_allclose(loss, dense_bce(logits, labels, smoothing), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_gradient_of_sparse_bce_is_that_of_the_dense_one(smoothing):
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(ROWS, SPECIES, generator=generator, requires_grad=True)
    labels = torch.rand(ROWS, SPECIES, generator=generator) < 0.3
    section = LossSection(label_smoothing=smoothing)
    sparse = LOSSES["bce"](logits, positives_of(labels.tolist()), section).mean()
    dense = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, labels.float() * (1 - smoothing) + smoothing / 2
    )
    torch.testing.assert_close(sparse, dense)
    torch.testing.assert_close(
        torch.autograd.grad(sparse, logits)[0], torch.autograd.grad(dense, logits)[0]
    )


def test_logits_beyond_the_range_of_probabilities_stay_finite():
    logits = torch.tensor([[1000.0, -1000.0, 0.0, 40.0, -40.0]])
    loss = LOSSES["bce"](logits, positives_of([[False, True, False, False, True]]), LossSection())
    assert loss.item() == pytest.approx((1000 + 1000 + np.log(2) + 40 + 40) / 5)


def test_half_precision_logits_are_summed_in_single_precision():
    logits = torch.full((1, 5000), -6.0)
    nothing = positives_of([[False] * 5000])
    whole = LOSSES["bce"](logits, nothing, LossSection())
    half = LOSSES["bce"](logits.bfloat16(), nothing, LossSection())
    torch.testing.assert_close(half, whole)


def test_environment_loss_leaves_out_what_is_unknown():
    predicted = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    target = torch.tensor([[0.0, float("nan")], [1.0, 1.0], [float("nan")] * 2])
    assert environment_loss(predicted, target).tolist() == [1.0, (4 + 9) / 2, 0.0]


def test_what_is_unknown_sends_no_gradient():
    predicted = torch.ones(1, 2, requires_grad=True)
    environment_loss(predicted, torch.tensor([[float("nan"), 0.0]])).sum().backward()
    assert predicted.grad.tolist() == [[0.0, 2.0]]


def test_unknown_loss():
    with pytest.raises(UnknownNameError, match="bce"):
        LOSSES["bcee"]
