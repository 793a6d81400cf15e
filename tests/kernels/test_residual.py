"""Sums and FiLM against PyTorch."""

from __future__ import annotations

import pytest
import torch

from quadrat.kernels.residual import added, modulated, modulated_back


def halves(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).bfloat16()


@pytest.mark.parametrize(("count", "width"), [(1, 3), (130, 64)])
def test_a_sum_is_rounded_once(count, width):
    """Multiples of 1/64 have sums that float32 knows exactly, in whatever order."""
    x, y = (((halves(count, width, seed=seed) * 64).round() / 64) for seed in (0, 1))
    bias = (halves(width, seed=2).float() * 64).round() / 64
    expected = (x.float() + y.float() + bias).bfloat16()
    assert torch.equal(added(x, y, bias), expected)


@pytest.mark.parametrize(("count", "width"), [(1, 3), (130, 64)])
def test_modulation_and_its_gradients_are_those_of_autograd(count, width):
    x, y, gradient = (halves(count, width, seed=seed) for seed in (0, 1, 2))
    generator = torch.Generator().manual_seed(3)
    bias, table = (torch.randn(*shape, generator=generator) for shape in ((width,), (5, 2 * width)))
    rows = torch.randint(5, (count,), generator=generator)
    leaves = [t.double().requires_grad_() for t in (x, bias, table)]
    wide, wide_bias, wide_table = leaves
    gamma, beta = wide_table[rows].chunk(2, dim=-1)
    expected = gamma * (wide + y.double() + wide_bias) + beta
    found = modulated(x, y, bias, table, rows)
    torch.testing.assert_close(found.double(), expected.detach(), rtol=5e-3, atol=1e-5)
    expected.backward(gradient.double())
    of_sum, of_bias, of_table = modulated_back(gradient, x, y, bias, table, rows)
    torch.testing.assert_close(of_sum.double(), wide.grad, rtol=5e-3, atol=1e-6)
    torch.testing.assert_close(of_bias.double(), wide_bias.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(of_table.double(), wide_table.grad, rtol=1e-4, atol=1e-4)


def test_rows_that_a_table_has_not_are_refused():
    x = torch.zeros(2, 4).bfloat16()
    with pytest.raises(IndexError, match="table of 3 are from 0 to 5"):
        modulated(x, x, torch.zeros(4), torch.ones(3, 8), torch.tensor([0, 5]))
