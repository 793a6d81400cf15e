from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.stats import lognorm, norm

from quadrat.targets import DISTRIBUTIONS, TargetScaler, make_distribution

RNG = np.random.default_rng(4)


def parameters(rows: int = 6, targets: int = 2) -> np.ndarray:
    return np.stack(
        [RNG.normal(0.5, 0.7, (rows, targets)), RNG.normal(-1.5, 0.5, (rows, targets))], axis=-1
    )


def scaler(transform: str) -> TargetScaler:
    return TargetScaler.fit(RNG.gamma(2.0, 20.0, size=(50, 2)), transform)


def test_a_point_is_mapped_back_as_it_is() -> None:
    given = RNG.normal(size=(4, 2, 1))
    scale = scaler("none")
    found = DISTRIBUTIONS["point"].predict(given, scale)
    np.testing.assert_array_equal(found.mean, scale.inverse(given[..., 0]))
    assert found.sigma is None
    assert found.lower is None
    assert found.upper is None


def test_without_a_transform_a_normal_stays_normal() -> None:
    given, scale = parameters(), scaler("none")
    found = DISTRIBUTIONS["gaussian"].predict(given, scale, level=0.9)
    exact = stats.norm(found.mean, found.sigma)
    np.testing.assert_allclose(found.lower, exact.ppf(0.05), rtol=1e-9)
    np.testing.assert_allclose(found.upper, exact.ppf(0.95), rtol=1e-9)
    np.testing.assert_allclose(found.sigma, np.exp(given[..., 1] / 2) * scale.sd)


def test_with_a_logarithm_the_moments_are_those_of_a_lognormal() -> None:
    # means of log(1 + x) near 4.6 and sigmas near 0.2: next to nothing lies below zero
    scale = TargetScaler("log1p", (4.6, 4.0), (0.5, 0.3))
    given = parameters()
    found = DISTRIBUTIONS["gaussian"].predict(given, scale)
    mu = given[..., 0] * scale.sd + scale.mean
    sd = np.exp(given[..., 1] / 2) * scale.sd
    exact = stats.lognorm(sd, scale=np.exp(mu))
    np.testing.assert_allclose(found.mean, exact.mean() - 1, rtol=1e-9)
    np.testing.assert_allclose(found.sigma, exact.std(), rtol=1e-9)


@pytest.mark.parametrize("transform", ["log1p", "sqrt"])
def test_moments_and_quantiles_agree_with_sampling(transform: str) -> None:
    given, scale = parameters(rows=3), scaler(transform)
    found = DISTRIBUTIONS["gaussian"].predict(given, scale, level=0.8)
    noise = RNG.normal(size=(200_000, 1, 1))
    draws = scale.inverse(given[..., 0] + np.exp(given[..., 1] / 2) * noise)
    np.testing.assert_allclose(found.mean, draws.mean(axis=0), rtol=0.02)
    np.testing.assert_allclose(found.sigma, draws.std(axis=0), rtol=0.03)
    inside = ((draws >= found.lower) & (draws <= found.upper)).mean(axis=0)
    np.testing.assert_allclose(inside, 0.8, atol=0.01)


def test_torch_and_numpy_read_the_same_parameters() -> None:
    gaussian, given = DISTRIBUTIONS["gaussian"], parameters()
    found = gaussian.predict(given, TargetScaler("none", (0.0, 0.0), (1.0, 1.0)))
    tensor = torch.from_numpy(given)
    np.testing.assert_allclose(gaussian.mean(tensor), found.mean)
    np.testing.assert_allclose(gaussian.sigma(tensor), found.sigma)


def test_wild_variances_stay_finite() -> None:
    given = np.array([[[0.0, 1e6]], [[0.0, -1e6]]])
    scale = TargetScaler("log1p", (3.0,), (2.0,))
    found = DISTRIBUTIONS["gaussian"].predict(given, scale)
    assert np.isfinite([found.mean, found.sigma, found.lower, found.upper]).all()


def test_a_log_normal_is_that_of_scipy() -> None:
    scaler = TargetScaler("log", (1.0, -0.5), (0.6, 2.0))
    rng = np.random.default_rng(0)
    given = rng.normal(scale=0.5, size=(20, 2, 2))
    found = DISTRIBUTIONS["lognormal"].predict(given, scaler, level=0.8)
    sd = np.array(scaler.sd)
    s = np.exp(0.5 * given[..., 1]) * sd
    expected = lognorm(s, scale=np.exp(given[..., 0] * sd + np.array(scaler.mean)))
    np.testing.assert_allclose(found.mean, expected.mean())
    np.testing.assert_allclose(found.sigma, expected.std(), rtol=1e-9)
    np.testing.assert_allclose(found.lower, expected.ppf(0.1))
    np.testing.assert_allclose(found.upper, expected.ppf(0.9))


def test_a_log_normal_stays_finite() -> None:
    scaler = TargetScaler("log", (1.0,), (3.0,))
    found = DISTRIBUTIONS["lognormal"].predict(np.array([[[50.0, 8.0]]]), scaler)
    assert all(np.isfinite(v).all() for v in (found.mean, found.sigma, found.lower, found.upper))


def test_quantiles_are_put_in_order_and_mapped_back() -> None:
    scaler = TargetScaler("sqrt", (2.0,), (1.5,))
    quantiles = make_distribution("quantile", (0.05, 0.25, 0.5, 0.95))
    given = np.array([[[-1.0, 0.3, 0.1, 1.0]]])  # two of them cross
    found = quantiles.predict(given, scaler)
    np.testing.assert_allclose(found.mean, scaler.inverse([[0.3]]))
    np.testing.assert_allclose(found.lower, scaler.inverse([[-1.0]]))
    np.testing.assert_allclose(found.upper, scaler.inverse([[1.0]]))
    assert found.sigma is None
    half = quantiles.predict(given, scaler, level=0.7)  # 0.15 lies between 0.05 and 0.25
    np.testing.assert_allclose(half.lower, scaler.inverse([[-0.45]]))


def test_every_distribution_begins_at_the_linear_map_and_its_error() -> None:
    mean, error = torch.randn(4, 2).double(), torch.tensor([0.5, 2.0]).double()
    levels = (0.05, 0.5, 0.95)
    expected = norm(mean.numpy()[..., None], np.sqrt(error.numpy())[:, None]).ppf(levels)
    found = make_distribution("quantile", levels).start(mean, error)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    normal = DISTRIBUTIONS["gaussian"].start(mean, error)
    torch.testing.assert_close(DISTRIBUTIONS["gaussian"].sigma(normal), error.sqrt().expand(4, 2))
    for name in DISTRIBUTIONS.names():
        made = DISTRIBUTIONS[name]
        start = made.start(mean, error)
        assert start.shape == (4, 2, len(made.parameters))
        torch.testing.assert_close(made.mean(start), mean)
