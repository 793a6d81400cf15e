from __future__ import annotations

import numpy as np
import pytest
import scoringrules
from hypothesis import given, settings
from hypothesis import strategies as st

from quadrat.scoring import crps_normal, crps_skill
from quadrat.scoring.skill import inside

numbers = st.floats(-50, 50)


@given(numbers, st.floats(1e-3, 50), numbers)
@settings(deadline=None)
def test_the_crps_is_that_of_scoringrules(mean: float, sigma: float, truth: float) -> None:
    expected = scoringrules.crps_normal(truth, mean, sigma)
    assert float(crps_normal(mean, sigma, truth)) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_a_certain_prediction_has_the_absolute_error() -> None:
    assert crps_normal([1.0, 2.0], [0.0, 0.0], [4.0, 2.0]).tolist() == [3.0, 0.0]
    assert float(crps_normal(1.0, 1e-200, 4.0)) == pytest.approx(3.0)


def test_unknown_truths_stay_unknown() -> None:
    assert np.isnan(crps_normal(0.0, 1.0, np.nan))
    covered = inside([0, 0, 0, 0], [1, 1, 1, 1], [1.0, 0.5, 1.1, np.nan])
    np.testing.assert_array_equal(covered, [1, 1, 0, np.nan])


def test_the_figures_of_the_standard_normal_climatology() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=400_000)
    own = crps_normal(0.0, 1.0, truth).mean()
    assert own == pytest.approx(1 / np.sqrt(np.pi), abs=2e-3)
    # sigma four times too small costs about a fifth (21 % in theory)
    assert crps_normal(0.0, 0.25, truth).mean() / own == pytest.approx(1.21, abs=0.01)
    assert crps_skill(own, own) == 0.0
    assert crps_skill(0.0, own) == 1.0
    assert np.isnan(crps_skill(0.1, 0.0))
