import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quadrat.errors import UnknownNameError
from quadrat.occurrence.losses import parts
from quadrat.occurrence.losses.curves import LOSSES, cross_entropy, cross_entropy_sums
from quadrat.occurrence.losses.species import SpeciesLoss
from quadrat.occurrence.schema import LossSection

from .dense import dense_loss, positives_of

ROWS, SPECIES = 6, 5
KINDS = ("bce", "asl", "focal", "assume-negative")
OTHERS = [
    {"kind": "asl", "asl_gamma_pos": 1.5, "asl_gamma_neg": 4.0, "asl_clip": 0.0},
    {"kind": "asl", "asl_gamma_neg": 0.0, "asl_clip": 0.2},
    {"kind": "asl", "asl_gamma_neg": 0.5, "asl_clip": 0.1},
    {"kind": "focal", "focal_gamma": 0.0, "focal_alpha": 0.2},
    {"kind": "focal", "focal_gamma": 0.7},
    {"kind": "assume-negative", "pos_lambda": 16.0},
]
sections = st.sampled_from([{"kind": kind} for kind in KINDS] + OTHERS)


def both(z, labels, section, weights=None, dtype=torch.float32):
    """Loss of each sample and gradient of the mean: sparse, and dense in float64."""
    given = z.to(dtype, copy=True).requires_grad_()
    loss = SpeciesLoss(section, z.shape[1], weights).full(given, positives_of(labels))
    loss.total.backward()
    exact = given.detach().double().requires_grad_()
    expected = dense_loss(exact, labels, section, weights).mean(dim=1)
    expected.mean().backward()
    return (loss, given.grad), (expected.detach(), exact.grad)


def assert_same(found, expected, rtol, atol):
    (loss, gradient), (each, slope) = found, expected
    torch.testing.assert_close(loss.each.double(), each, rtol=rtol, atol=atol)
    torch.testing.assert_close(loss.total.double(), each.mean(), rtol=rtol, atol=atol)
    torch.testing.assert_close(gradient.double(), slope, rtol=rtol, atol=atol)


@settings(deadline=None)
@given(
    sections,
    st.sampled_from([0.0, 0.05, 0.3]),
    st.booleans(),
    st.floats(0, 1),
    st.integers(0, 1000),
)
def test_every_loss_is_the_dense_one(keys, smoothing, weighed, share, seed):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(ROWS, SPECIES, generator=generator) * 4
    labels = torch.rand(ROWS, SPECIES, generator=generator) < share
    weights = torch.rand(SPECIES, generator=generator) if weighed else None
    section = LossSection(label_smoothing=smoothing, **keys)
    assert_same(*both(z, labels, section, weights), rtol=1e-4, atol=1e-6)
    assert_same(*both(z, labels, section, weights, torch.float64), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seen", [False, True])
def test_rows_of_nothing_and_of_everything(kind, seen):
    z = torch.linspace(-6, 6, ROWS * SPECIES).view(ROWS, SPECIES)
    labels = torch.full((ROWS, SPECIES), seen)
    assert_same(*both(z, labels, LossSection(kind=kind)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("keys", [{"kind": kind} for kind in KINDS] + OTHERS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_logits_beyond_the_range_of_probabilities(keys, smoothing):
    z = torch.tensor([[1e4, -1e4, 300.0, -300.0, 90.0, -90.0, 40.0, -40.0, 17.0, -17.0, 0.0]])
    section = LossSection(label_smoothing=smoothing, **keys)
    for seen in (False, True):
        found, expected = both(z, torch.full(z.shape, seen), section)
        assert found[1].isfinite().all()
        assert_same(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("at_once", [1, 7, 10_000])
def test_the_number_of_rows_at_once_changes_nothing(monkeypatch, at_once):
    monkeypatch.setitem(parts._AT_ONCE, "cpu", at_once)
    z = torch.randn(ROWS, SPECIES, generator=torch.Generator().manual_seed(1))
    assert_same(*both(z, z > 0.5, LossSection(kind="asl")), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("width", [1, 7, 8, 1001])
def test_sums_of_cross_entropy_are_those_of_its_curve(width):
    z = torch.randn(4, width, generator=torch.Generator().manual_seed(width)) * 3 - 2
    steep = z.clone()
    steep[1, 0], steep[2, 0], steep[3, 0] = 90.0, torch.inf, torch.nan
    for logits in (z.clamp(max=8), z - 30, steep):
        sums, slopes = cross_entropy_sums(logits)
        loss, expected = cross_entropy(logits.double())
        torch.testing.assert_close(
            sums.double(), loss.sum(1), rtol=3e-5, atol=6e-8 * width, equal_nan=True
        )
        torch.testing.assert_close(slopes.double(), expected, rtol=1e-6, atol=0, equal_nan=True)


def test_what_has_no_kernel_is_summed_in_single_precision_a_few_rows_at_a_time(monkeypatch):
    monkeypatch.setitem(parts._AT_ONCE, "cpu", 5000)
    z = torch.full((3, 5000), -6.0, dtype=torch.bfloat16)
    seen = []

    def sums(rows):
        seen.append((rows.dtype, len(rows)))
        return rows.exp().log1p().sum(dim=1), rows.sigmoid()

    each, slopes = parts.by_parts(z, sums)
    assert seen == [(torch.float32, 1)] * 3
    assert (each.dtype, slopes.dtype) == (torch.float32, torch.bfloat16)
    torch.testing.assert_close(each, torch.full((3,), 5000 * math.log1p(math.exp(-6))))


def test_half_precision_logits_are_summed_in_single_precision():
    z = torch.full((3, 5000), -6.0)
    labels = torch.zeros(3, 5000, dtype=torch.bool)
    labels[1, 17] = True
    found, expected = both(z, labels, LossSection(), dtype=torch.bfloat16)
    torch.testing.assert_close(found[0].each.double(), expected[0], rtol=1e-4, atol=0)
    assert found[1].dtype == torch.bfloat16
    torch.testing.assert_close(found[1].double(), expected[1], rtol=2**-7, atol=0)


def test_the_gradient_follows_what_the_loss_is_multiplied_with():
    z = torch.randn(ROWS, SPECIES, generator=torch.Generator().manual_seed(2)).requires_grad_()
    loss = SpeciesLoss(LossSection(), SPECIES)
    once = torch.autograd.grad(loss.full(z, positives_of(z > 0)).total, z)[0]
    thrice = torch.autograd.grad(3 * loss.full(z, positives_of(z > 0)).total, z)[0]
    torch.testing.assert_close(thrice, 3 * once)


def test_a_second_pass_over_the_same_graph_is_refused():
    z = torch.zeros(2, 3, requires_grad=True)
    total = SpeciesLoss(LossSection(), 3).full(z, positives_of(z > 0)).total
    total.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        total.backward()


def test_a_weight_of_zero_does_not_turn_what_was_seen_into_an_absence():
    z = torch.zeros(1, 2, requires_grad=True)
    labels = torch.tensor([[True, False]])
    SpeciesLoss(LossSection(), 2, torch.zeros(2)).full(z, positives_of(labels)).total.backward()
    assert z.grad.tolist() == [[0.0, 0.25]]


def test_unknown_loss():
    with pytest.raises(UnknownNameError, match="bce"):
        LOSSES["bcee"]
