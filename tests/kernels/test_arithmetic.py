"""Scalar functions of kernels against SciPy in double precision."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import special

from quadrat.kernels import arithmetic
from quadrat.kernels.launching import bits


def mapped(function, numbers):
    return np.array([function(number) for number in numbers.astype(np.float32)], np.float64)


def test_exponentials():
    x = -np.concatenate([np.linspace(0, 80, 500), np.geomspace(1e-6, 80, 100)]).astype(np.float32)
    np.testing.assert_allclose(
        mapped(arithmetic.exponential, x), np.exp(x.astype(np.float64)), rtol=4e-6
    )
    assert arithmetic.exponential(np.float32(0)) == 1
    assert arithmetic.exponential(np.float32(-math.inf)) == 0


def test_logarithms_keep_their_digits_near_zero():
    x = np.concatenate([np.linspace(0, 1, 300), np.geomspace(1e-30, 1, 100)]).astype(np.float32)
    np.testing.assert_allclose(
        mapped(arithmetic.log_1p, x), np.log1p(x.astype(np.float64)), rtol=5e-7
    )


def test_the_normal_distribution():
    x = np.linspace(-9, 9, 721).astype(np.float32)
    below, bell = np.array([arithmetic.normal(number) for number in x], np.float64).T
    np.testing.assert_allclose(below, special.ndtr(x.astype(np.float64)), atol=2e-7)
    np.testing.assert_allclose(bell, np.exp(-(x.astype(np.float64) ** 2) / 2), rtol=2e-5)


def test_halves_are_those_of_torch():
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(2000, generator=generator) * 10.0 ** torch.arange(-20, 20).repeat(50)
    special_ones = torch.tensor([0.0, -0.0, math.inf, -math.inf, 1e-40, 3.4e38, 1.00390625])
    numbers = torch.cat([numbers, special_ones])
    expected = bits(numbers.bfloat16())
    found = [arithmetic.narrowed(number) for number in numbers.numpy()]
    np.testing.assert_array_equal(np.array(found, np.uint16), expected)
    back = np.array([arithmetic.widened(half) for half in expected], np.float32)
    np.testing.assert_array_equal(back, numbers.bfloat16().float().numpy())


@pytest.mark.parametrize("seed", [0, 1, 0xFFFFFFFF])
def test_words_are_scattered_evenly_and_differ_by_seed(seed):
    words = np.array(
        [arithmetic.scattered(np.uint32(n), np.uint32(seed)) for n in range(20_000)], np.uint32
    )
    ones = ((words[:, None] >> np.arange(32)) & 1).mean(axis=0)
    np.testing.assert_allclose(ones, 0.5, atol=0.02)
    top = words / 2**32
    assert abs(np.corrcoef(top[1:], top[:-1])[0, 1]) < 0.03
    other = [arithmetic.scattered(np.uint32(n), np.uint32(seed ^ 77)) for n in range(20_000)]
    assert abs(np.corrcoef(top, np.array(other) / 2**32)[0, 1]) < 0.03
