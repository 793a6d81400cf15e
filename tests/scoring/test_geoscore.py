from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quadrat.scoring import geoscore, geoscores
from quadrat.scoring.geoscore import resampled_geoscores

FULL = {
    "map": 0.5,
    "f1_10": 0.4,
    "list_ratio_10": 2.0,
    "watchlist_map": 0.3,
    "holdout_map": 0.2,
    "map_density_ratio": 1.25,
    "pred_density_r": -0.4,
}


def test_the_form_published_first() -> None:
    expected = 0.2 * 0.5 + 0.2 * 0.4 + 0.15 * (1 - math.log(2)) + 0.1 * 0.3 + 0.1 * 0.2
    expected += 0.2 * 1.25 + 0.05 * 0.6
    assert geoscore(FULL, "first").value == pytest.approx(expected)


def test_the_later_form() -> None:
    expected = 0.2 * 0.5 + 0.2 * 0.4 + 0.15 * 0.5 + 0.1 * 0.3 + 0.1 * 0.2 + 0.2 * 0.8 + 0.05 * 0.6
    found = geoscore(FULL)
    assert found.value == pytest.approx(expected)
    assert found.parts["list_ratio_10"] == 0.5
    assert found.parts["pred_density_r"] == pytest.approx(0.6)


def test_the_measured_score_of_the_reference_model() -> None:
    measured = {
        "map": 0.481,
        "f1_10": 0.470,
        "list_ratio_10": 3.36,
        "map_density_ratio": 0.366,
        "pred_density_r": 0.825,
    }
    assert geoscore(measured).value == pytest.approx(0.396, abs=5e-4)


def test_the_weight_of_missing_parts_is_shared_out() -> None:
    scores = {"map": 0.5, "f1_10": 0.3, "watchlist_map": math.nan}
    assert geoscore(scores).value == pytest.approx(0.4)
    assert set(geoscore(scores).parts) == {"map", "f1_10"}
    assert math.isnan(geoscore({}).value)


def test_a_useless_predictor_gains_nothing_in_the_variant() -> None:
    useless = {
        "map": 0.0,
        "f1_10": 0.0,
        "list_ratio_10": 0.0,
        "map_density_ratio": 1.0,
        "pred_density_r": 0.0,
    }
    found = geoscores(useless)
    assert found["geoscore"] > 0.25
    assert found["geoscore_map"] == 0.0


@given(st.fixed_dictionaries({name: st.floats(0, 1) for name in FULL}), st.floats(0.01, 100))
@settings(deadline=None)
def test_the_later_form_lies_between_zero_and_one(scores: dict, ratio: float) -> None:
    scores = {**scores, "list_ratio_10": ratio, "map_density_ratio": ratio}
    found = geoscores(scores)
    assert 0.0 <= found["geoscore_map"] <= found["geoscore"] <= 1.0 + 1e-12


def test_a_resample_that_lacks_a_part_has_no_composite() -> None:
    drawn = {name: np.array([value, value / 2, value]) for name, value in FULL.items()}
    drawn["watchlist_map"][2] = np.nan
    drawn["holdout_map"][:] = np.nan
    found = resampled_geoscores(drawn)
    for place in range(2):
        scores = {name: float(values[place]) for name, values in drawn.items()}
        each = {name: values[place] for name, values in found.items()}
        assert each == pytest.approx(geoscores(scores))
    assert np.isnan([values[2] for values in found.values()]).all()
    assert resampled_geoscores({}) == {}
