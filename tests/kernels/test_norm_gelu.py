"""The kernel against PyTorch's layers."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import gelu, layer_norm

from quadrat.kernels.norm_gelu import NormGelu

EPSILON = 1e-4


def numbers(width: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    bias, weight, shift = torch.randn(3, width, generator=generator) * 0.3
    return bias, 1 + weight, shift


def samples(count: int, width: int, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(count, width, generator=generator) * 2 + 1).bfloat16()


@pytest.mark.parametrize(("count", "width"), [(1, 1), (3, 7), (50, 64), (257, 384)])
def test_forwards_it_is_norm_and_gelu(count, width):
    bias, weight, shift = numbers(width)
    x = samples(count, width)
    found, _ = NormGelu(bias, weight, shift, EPSILON).forward(x)
    expected = gelu(layer_norm(x.float() + bias, (width,), weight, shift, EPSILON))
    torch.testing.assert_close(found.float(), expected, rtol=5e-3, atol=1e-5)


@pytest.mark.parametrize(("count", "width"), [(3, 7), (50, 64), (257, 384)])
@pytest.mark.parametrize("skips", [False, True])
def test_backwards_it_has_the_gradients_of_autograd(count, width, skips):
    bias, weight, shift = numbers(width)
    x, gradient, skipped = (samples(count, width, seed) for seed in (1, 2, 3))
    kernel = NormGelu(bias, weight, shift, EPSILON)
    _, moments = kernel.forward(x)
    of_x, sums = kernel.backward(gradient, x, moments, skipped if skips else None)
    leaves = [t.double().requires_grad_() for t in (x, weight, shift, bias)]
    wide, *parameters = leaves
    normed = layer_norm(wide + parameters[2], (width,), parameters[0], parameters[1], EPSILON)
    total = (gelu(normed) * gradient.double()).sum()
    if skips:
        total = total + (wide * skipped.double()).sum()
    total.backward()
    torch.testing.assert_close(of_x.double(), wide.grad, rtol=5e-3, atol=2e-5)
    expected = torch.stack([leaf.grad for leaf in parameters])
    if skips:  # what goes around the norm does not pass the bias
        assert torch.allclose(sums[2].double(), expected[2], atol=1e-3)
    torch.testing.assert_close(sums.double(), expected, rtol=1e-4, atol=1e-3)


def test_dropout_zeroes_a_share_and_scales_the_rest_and_back():
    width = 384
    bias, weight, shift = numbers(width)
    x, gradient = samples(500, width), torch.ones(500, width).bfloat16()
    plain = NormGelu(bias, weight, shift, EPSILON)
    dropping = NormGelu(bias, weight, shift, EPSILON, dropped=64, seed=9)
    whole, moments = plain.forward(x)
    dropped, same_moments = dropping.forward(x)
    assert torch.equal(moments, same_moments)
    zero = dropped == 0
    assert zero.float().mean() == pytest.approx(0.25, abs=5e-3)
    torch.testing.assert_close(dropped[~zero], (whole.float() / 0.75)[~zero].bfloat16())
    _, sums = dropping.backward(gradient, x, moments)
    _, all_sums = plain.backward(torch.where(zero, 0.0, 4 / 3).bfloat16(), x, moments)
    torch.testing.assert_close(sums, all_sums, rtol=5e-3, atol=0.5)
    assert torch.equal(dropping.forward(x)[0], dropped)
    other = NormGelu(bias, weight, shift, EPSILON, dropped=64, seed=10).forward(x)[0]
    agreement = ((other == 0) == zero).float().mean()
    assert agreement == pytest.approx(0.25**2 + 0.75**2, abs=0.01)


def test_the_number_of_threads_changes_nothing_in_a_row():
    bias, weight, shift = numbers(64)
    kernel, x = NormGelu(bias, weight, shift, EPSILON, dropped=26, seed=3), samples(101, 64)
    before = torch.get_num_threads()
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append(kernel.forward(x)[0])
    torch.set_num_threads(before)
    assert torch.equal(*found)


def test_what_is_not_a_number_stays_so():
    bias, weight, shift = numbers(16)
    x = samples(3, 16)
    x[1, 5] = math.nan
    found, _ = NormGelu(bias, weight, shift, EPSILON).forward(x)
    assert found[1].isnan().all()
    assert found[[0, 2]].isfinite().all()
