from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from quadrat.errors import DataError, UnknownNameError
from quadrat.targets import TRANSFORMS, TargetScaler

amounts = st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=1, max_size=8).map(np.array)


@pytest.mark.parametrize("name", TRANSFORMS.names())
@given(values=amounts)
@settings(deadline=None)
def test_a_transform_comes_back_and_torch_agrees(name: str, values: np.ndarray) -> None:
    transform = TRANSFORMS[name]
    values = values + (name == "log")
    there = transform.forward(values)
    np.testing.assert_allclose(transform.inverse(there), values, rtol=1e-9, atol=1e-9)
    tensor = torch.from_numpy(values)
    np.testing.assert_allclose(transform.forward_torch(tensor).numpy(), there, rtol=1e-12)
    back = transform.inverse_torch(torch.from_numpy(np.array(there)))
    np.testing.assert_allclose(back.numpy(), transform.inverse(there), rtol=1e-12)


@pytest.mark.parametrize("name", ["log1p", "sqrt"])
def test_the_way_back_is_cut_to_possible_amounts(name: str) -> None:
    far = np.array([-3.0, 1e30])
    back = TRANSFORMS[name].inverse(far)
    assert back[0] == 0.0
    assert np.isfinite(back[1].astype(np.float32))
    np.testing.assert_allclose(TRANSFORMS[name].inverse_torch(torch.from_numpy(far)), back)


def test_an_unknown_transform_offers_the_closest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'log1p'"):
        TargetScaler.fit(np.ones((2, 1)), "log1pp")


@pytest.mark.parametrize("transform", TRANSFORMS.names())
def test_the_scaler_standardises_known_values_only(transform: str) -> None:
    targets = np.random.default_rng(0).gamma(2.0, 20.0, size=(60, 3))
    targets[::7, 1] = np.nan
    scaler = TargetScaler.fit(targets, transform)
    scaled = scaler.transform(targets)
    expected = StandardScaler().fit_transform(TRANSFORMS[transform].forward(targets))
    np.testing.assert_allclose(scaled, expected, atol=1e-12)
    np.testing.assert_allclose(scaler.inverse(scaled), targets, rtol=1e-9)
    back = scaler.inverse_torch(torch.from_numpy(scaled))
    np.testing.assert_allclose(back.numpy(), scaler.inverse(scaled), rtol=1e-12)
    again = TargetScaler.from_json(json.loads(json.dumps(scaler.to_json())))
    assert again == scaler


def test_a_constant_target_is_not_blown_up() -> None:
    targets = np.tile([0.1, 1e6 + 0.1], (5, 1))
    scaler = TargetScaler.fit(targets)
    assert scaler.sd == (1.0, 1.0)
    np.testing.assert_allclose(scaler.transform(targets), 0.0, atol=1e-9)


def test_targets_that_cannot_be_learnt_are_named() -> None:
    targets = np.array([[1.0, np.nan], [2.0, np.nan]])
    with pytest.raises(DataError, match="no training row has a value of: clover"):
        TargetScaler.fit(targets, names=["green", "clover"])
    with pytest.raises(DataError, match=r"row 1: clover = -2"):
        TargetScaler.fit([[1.0, 2.0], [3.0, -2.0]], "log1p", names=["green", "clover"])
    with pytest.raises(DataError, match=r"row 0: target 1 = inf"):
        TargetScaler.fit([[1.0, np.inf]])


def test_a_logarithm_needs_positive_targets() -> None:
    with pytest.raises(DataError) as caught:
        TargetScaler.fit([[1.0], [0.0]], "log", ["green"])
    assert "must be positive numbers" in str(caught.value)
    assert "row 1: green = 0" in str(caught.value)
    assert "log1p" in str(caught.value)
