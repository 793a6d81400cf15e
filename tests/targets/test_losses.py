from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import lognorm
from sklearn.metrics import mean_pinball_loss, mean_tweedie_deviance
from torch.nn import functional

from quadrat.errors import UnknownNameError
from quadrat.targets import LOSSES, Shape, TargetLoss, TargetScaler

NAN = float("nan")


def batch(parameters: int, rows: int = 7, targets: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(rows + parameters)
    given_parameters = torch.randn(rows, targets, parameters, generator=generator)
    return given_parameters.requires_grad_(), torch.randn(rows, targets, generator=generator)


@pytest.mark.parametrize(
    ("kind", "reference"),
    [
        ("mse", lambda p, y: functional.mse_loss(p[..., 0], y)),
        ("mae", lambda p, y: functional.l1_loss(p[..., 0], y)),
        ("huber", lambda p, y: functional.smooth_l1_loss(p[..., 0], y, beta=0.7)),
        (
            "nll",
            lambda p, y: functional.gaussian_nll_loss(p[..., 0], y, p[..., 1].exp(), full=True),
        ),
    ],
)
def test_a_complete_batch_gives_the_mean_of_torch(kind: str, reference: object) -> None:
    parameters, targets = batch(LOSSES[kind].parameters)
    found = TargetLoss(kind, [1, 1, 1], Shape(beta=0.7))(parameters, targets)
    torch.testing.assert_close(found.total, reference(parameters, targets))
    torch.testing.assert_close(found.per_sample.mean(), found.total.detach())


def test_the_likelihood_is_that_of_a_normal_distribution() -> None:
    parameters, targets = batch(2)
    normal = torch.distributions.Normal(parameters[..., 0], (parameters[..., 1] / 2).exp())
    found = TargetLoss("nll", [1, 1, 1])(parameters, targets)
    torch.testing.assert_close(found.total, -normal.log_prob(targets).mean())


@pytest.mark.parametrize("kind", LOSSES.names())
def test_missing_values_do_not_shrink_the_gradient_of_the_others(kind: str) -> None:
    loss = TargetLoss(kind, [1, 1, 1])
    parameters, targets = batch(LOSSES[kind].parameters or 3)
    targets[:, 1:] = NAN
    loss(parameters, targets).total.backward()
    alone = parameters.detach()[:, :1].clone().requires_grad_()
    TargetLoss(kind, [1])(alone, targets[:, :1]).total.backward()
    torch.testing.assert_close(parameters.grad[:, :1], alone.grad)
    assert (parameters.grad[:, 1:] == 0).all()


@given(st.integers(0, 2**20))
@settings(deadline=None)
def test_weights_and_gaps_enter_as_in_the_formula(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, m = rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
    y[rng.random((5, 3)) < 0.3] = NAN
    w, v = rng.random(3) + 0.1, rng.random(5) + 0.1
    found = TargetLoss("mse", w.tolist())(
        torch.from_numpy(m)[..., None], torch.from_numpy(y), torch.from_numpy(v)
    )
    weight = ~np.isnan(y) * np.float32(w) * v[:, None]
    squares = np.nan_to_num(m - y) ** 2
    expected = (weight * squares).sum() / weight.sum() if weight.sum() else 0.0
    assert float(found.total) == pytest.approx(expected)
    row = weight.sum(axis=1)
    expected_rows = (weight * squares).sum(axis=1) / np.where(row > 0, row, 1)
    np.testing.assert_allclose(found.per_sample, expected_rows)


def test_a_batch_without_any_known_value_is_zero_and_trains_nothing() -> None:
    parameters, _ = batch(1)
    found = TargetLoss("mse", [1, 1, 1])(parameters, torch.full((7, 3), NAN))
    found.total.backward()
    assert float(found.total.detach()) == 0.0
    assert (parameters.grad == 0).all()


def test_per_sample_losses_name_what_is_not_finite() -> None:
    parameters, targets = batch(1)
    with torch.no_grad():
        parameters[4, 1, 0] = float("inf")
    found = TargetLoss("mse", [1, 1, 1])(parameters, targets)
    assert not torch.isfinite(found.total)
    assert torch.isfinite(found.per_sample).logical_not().nonzero().flatten().tolist() == [4]
    targets[4, 1] = NAN
    assert torch.isfinite(TargetLoss("mse", [1, 1, 1])(parameters, targets).total)


def test_half_precision_is_computed_in_single() -> None:
    parameters, targets = batch(1)
    found = TargetLoss("mse", [1, 1, 1])(parameters.detach().bfloat16(), targets)
    assert found.total.dtype == torch.float32


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0, -1.0], [NAN, 1.0]])
def test_weights_that_weigh_nothing_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="target weights"):
        TargetLoss("mse", weights)


def test_a_head_of_another_kind_is_refused() -> None:
    parameters, targets = batch(1)
    with pytest.raises(ValueError, match="needs parameters"):
        TargetLoss("nll", [1, 1, 1])(parameters, targets)
    with pytest.raises(UnknownNameError, match="Did you mean 'huber'"):
        TargetLoss("hubert", [1.0])


def amounts(rows: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Amounts with exact zeros, and positive predictions of them."""
    rng = np.random.default_rng(0)
    y = rng.gamma(1.0, 3.0, (rows, 1)) * (rng.random((rows, 1)) > 0.3)
    return y, rng.gamma(2.0, 2.0, (rows, 1))


@pytest.mark.parametrize("power", [1.1, 1.5, 1.9])
def test_tweedie_is_the_deviance_of_scikit_learn(power: float) -> None:
    y, mu = amounts()
    mean, sd = 2.0, 4.0
    scaled = [torch.from_numpy((v - mean) / sd) for v in (mu, y)]
    shape = Shape(power=power, zero=(-mean / sd,))
    found = TargetLoss("tweedie", [1], shape)(scaled[0][..., None], scaled[1])
    expected = mean_tweedie_deviance(y.ravel() / sd, mu.ravel() / sd, power=power)
    assert float(found.total) == pytest.approx(expected)


def test_quantiles_are_judged_as_in_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    y, q = rng.normal(size=(50, 2)), rng.normal(size=(50, 2, 3))
    levels = (0.1, 0.5, 0.8)
    found = TargetLoss("quantile", [1, 1], Shape(quantiles=levels))(*map(torch.from_numpy, (q, y)))
    each = [mean_pinball_loss(y, q[..., k], alpha=level) for k, level in enumerate(levels)]
    assert float(found.total) == pytest.approx(np.mean(each))


def test_crps_is_that_of_scoringrules() -> None:
    import scoringrules

    parameters, targets = batch(2, rows=60)
    given = parameters.detach().double()
    found = TargetLoss("crps", [1, 1, 1])(given, targets.double())
    sigma = (0.5 * given[..., 1]).exp().numpy()
    expected = scoringrules.crps_normal(targets.double().numpy(), given[..., 0].numpy(), sigma)
    assert float(found.total) == pytest.approx(expected.mean())


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_focal_weighs_small_errors_less(gamma: float) -> None:
    parameters, targets = batch(1, rows=60)
    error = (parameters[..., 0].detach() - targets).double().numpy()
    found = TargetLoss("focal", [1, 1, 1], Shape(beta=0.8, gamma=gamma))(parameters, targets)
    expected = np.minimum(np.abs(error) / 0.8, 1.0) ** gamma * error**2
    assert found.total.item() == pytest.approx(expected.mean(), rel=1e-5)
    exact = targets[..., None].clone().requires_grad_()
    TargetLoss("focal", [1, 1, 1], Shape(gamma=gamma))(exact, targets).total.backward()
    assert (exact.grad == 0).all()


def test_the_log_normal_likelihood_differs_by_a_constant_only() -> None:
    rng = np.random.default_rng(2)
    y = rng.lognormal(1.0, 0.7, (40, 1))
    scaler = TargetScaler.fit(y, "log")
    scaled = torch.from_numpy(scaler.transform(y))

    def both(mu: float, log_variance: float) -> tuple[float, float]:
        given = torch.tensor([mu, log_variance]).double().expand(40, 1, 2)
        ours = float(TargetLoss("nll", [1])(given, scaled).total)
        s = np.exp(0.5 * log_variance) * scaler.sd[0]
        centre = mu * scaler.sd[0] + scaler.mean[0]
        return ours, -lognorm.logpdf(y, s, scale=np.exp(centre)).mean()

    one, other = both(0.1, 0.4), both(-0.6, -0.9)
    assert one[0] - other[0] == pytest.approx(one[1] - other[1])


def test_losses_of_targets_add_up_to_the_total() -> None:
    parameters, targets = batch(1, rows=9)
    targets[:4, 0] = NAN
    targets[:, 2] = NAN
    found = TargetLoss("mse", [2.0, 1.0, 5.0])(parameters, targets)
    assert found.known.tolist() == [True, True, False]
    squares = (parameters[..., 0] - targets).square()
    torch.testing.assert_close(found.per_target[0], squares[4:, 0].mean())
    weights = torch.tensor([2.0 * 5, 1.0 * 9])
    expected = (weights * found.per_target[:2]).sum() / weights.sum()
    torch.testing.assert_close(found.total, expected)
