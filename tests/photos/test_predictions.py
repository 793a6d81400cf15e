"""Members answer together as the mixture of their distributions; tables keep every number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from quadrat.photos.predictions import Answer, Predictions, pool
from quadrat.targets import DISTRIBUTIONS, TargetScaler, make_distribution

FREE = np.array([-np.inf])


def gaussian(mean: float, sd: float, transform: str = "none") -> Answer:
    """One sample and target, normal with these moments on the scale of the transform."""
    scaler = TargetScaler(transform, (2.0,), (3.0,))
    parameters = np.array([[[(mean - 2.0) / 3.0, 2.0 * np.log(sd / 3.0)]]])
    return Answer(parameters, scaler, FREE, DISTRIBUTIONS["gaussian"])


def test_one_member_answers_as_it_is():
    answer = gaussian(5.0, 1.5)
    pooled, alone = pool([answer]), answer.prediction()
    np.testing.assert_array_equal(pooled.mean, alone.mean)
    np.testing.assert_array_equal(pooled.upper, alone.upper)
    np.testing.assert_allclose(pooled.upper, norm(5.0, 1.5).ppf(0.95))


def test_variance_between_members_counts_once():
    pooled = pool([gaussian(4.0, 1.0), gaussian(8.0, 2.0)])
    assert pooled.mean.item() == pytest.approx(6.0)
    assert pooled.sigma is not None
    assert pooled.sigma.item() == pytest.approx(np.sqrt((1.0 + 4.0) / 2 + 4.0))


@pytest.mark.parametrize("transform", ["none", "sqrt", "log1p"])
def test_intervals_are_quantiles_of_the_mixture(transform: str):
    members = [(2.0, 0.3), (3.0, 0.2), (2.2, 0.5)]
    pooled = pool([gaussian(m, s, transform) for m, s in members])
    rng = np.random.default_rng(0)
    back = {"none": lambda z: z, "sqrt": lambda z: np.maximum(z, 0) ** 2, "log1p": np.expm1}
    drawn = np.concatenate([back[transform](rng.normal(m, s, 400_000)) for m, s in members])
    low, high = np.quantile(drawn, [0.05, 0.95])
    assert pooled.lower is not None and pooled.upper is not None
    assert pooled.lower.item() == pytest.approx(low, rel=0.01)
    assert pooled.upper.item() == pytest.approx(high, rel=0.01)


def test_points_have_no_spread():
    scaler = TargetScaler("sqrt", (0.0,), (1.0,))
    answers = [Answer(np.array([[[m]]]), scaler, FREE, DISTRIBUTIONS["point"]) for m in (1.0, 3.0)]
    pooled = pool(answers)
    assert pooled.mean.item() == 5.0
    assert pooled.sigma is None and pooled.lower is None


def test_nothing_below_the_floor():
    answer = gaussian(-1.0, 1.0)._replace(floor=np.array([0.0]))
    found = answer.prediction()
    assert found.mean.item() == 0.0
    assert found.lower is not None and found.lower.item() == 0.0
    assert found.upper is not None and found.upper.item() > 0.5


def predictions() -> Predictions:
    values = np.array([[1.0, 2.0], [3.0, np.pi]])
    nothing = np.full((2, 2), np.nan)
    return Predictions(("p", "q"), ("x", "y"), values + 0.5, values, nothing, nothing, nothing)


def test_the_long_table_has_a_row_a_sample_and_target():
    frame = predictions().frame()
    told = ["raw", "balanced", "sigma", "lower", "upper", "distance", "unlike"]
    assert frame.columns == ["sample", "target", *told]
    assert frame.select("sample", "target", "balanced").rows() == [
        ("p", "x", 1.0), ("p", "y", 2.0), ("q", "x", 3.0), ("q", "y", np.pi)
    ]  # fmt: skip
    assert frame["sigma"].is_nan().all()


def test_the_wide_table_has_a_column_a_target():
    frame = predictions().frame(wide=True)
    assert frame.columns == ["sample", "x", "y", "distance", "unlike"]
    assert frame.select("sample", "x", "y").rows() == [("p", 1.0, 2.0), ("q", 3.0, np.pi)]


def test_tables_say_what_is_unlike_and_what_is_not_known():
    known = replace(predictions(), distance=np.array([0.5, 1.5]))
    assert known.frame()["distance"].to_list() == [0.5, 0.5, 1.5, 1.5]
    assert known.frame(wide=True)["unlike"].to_list() == [False, True]
    assert predictions().frame()["distance"].is_nan().all()
    assert predictions().frame()["unlike"].to_list() == [None] * 4


def test_quantiles_of_members_are_averaged():
    scaler = TargetScaler("none", (1.0,), (2.0,))
    quantiles = make_distribution("quantile", (0.05, 0.5, 0.95))
    answers = [
        Answer(np.array([[given]]), scaler, FREE, quantiles)
        for given in ([-1.0, 0.0, 2.0], [0.0, 1.0, 4.0])
    ]
    pooled = pool(answers)
    assert pooled.sigma is None
    assert pooled.lower is not None and pooled.upper is not None
    ends = [float(end.item()) for end in (pooled.lower, pooled.mean, pooled.upper)]
    assert ends == pytest.approx([0.0, 2.0, 7.0])


def test_log_normal_members_are_mixed_on_their_own_scales():
    scaler = TargetScaler("log", (1.0,), (0.5,))
    given = np.array([[[0.2, 0.3]]])
    one, both = (
        pool([Answer(given, scaler, FREE, DISTRIBUTIONS["lognormal"])] * n) for n in (1, 2)
    )
    for name in ("mean", "sigma", "lower", "upper"):
        np.testing.assert_allclose(getattr(one, name), getattr(both, name))
