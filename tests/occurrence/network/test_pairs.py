import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quadrat.occurrence.network import pairs
from quadrat.occurrence.network.pairs import pair_products


def inputs(seed, count, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    shapes = ((5, 3), (4, 3), (4,))
    x, weight, bias = (
        torch.randn(shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes
    )
    rows = torch.randint(5, (count,), generator=generator)
    return x, weight, bias, rows, torch.randint(4, (count,), generator=generator)


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(0, 30))
def test_pairs_are_entries_of_the_product_and_so_are_their_gradients(seed, count):
    x, weight, bias, rows, columns = inputs(seed, count)
    factors = torch.randn(count, dtype=torch.float64)
    found = pair_products(x, weight, bias, rows, columns)
    expected = torch.nn.functional.linear(x, weight, bias)[rows, columns]
    torch.testing.assert_close(found, expected)
    gradients = [
        torch.autograd.grad((value * factors).sum(), (x, weight, bias))
        for value in (found, expected)
    ]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("at_once", [1, 10])
def test_the_number_at_once_changes_nothing(monkeypatch, at_once):
    x, weight, bias, rows, columns = inputs(1, 17)
    whole = pair_products(x, weight, bias, rows, columns)
    monkeypatch.setitem(pairs._AT_ONCE, "cpu", at_once)
    torch.testing.assert_close(pair_products(x, weight, bias, rows, columns), whole)


def test_half_precision_features():
    x, weight, bias, rows, columns = inputs(2, 9, torch.float32)
    half = x.detach().bfloat16().requires_grad_()
    found = pair_products(half, weight, bias, rows, columns)
    assert found.dtype == torch.float32
    expected = torch.nn.functional.linear(half.float(), weight, bias)[rows, columns]
    torch.testing.assert_close(found, expected)
    found.sum().backward()
    assert half.grad.dtype == torch.bfloat16 and weight.grad.dtype == torch.float32
