import numpy as np
import pytest
from scipy.special import expit

from quadrat.runtime.calibration import Calibration, sigmoid

CURVES = Calibration(
    np.array([1.0, 0.5], np.float32), np.array([0.0, -1.0], np.float32), np.array([0.1, 0.002])
)


def test_sigmoid_is_that_of_scipy_and_never_overflows():
    z = np.array([-800.0, -20.0, -0.5, 0.0, 3.0, 800.0])
    np.testing.assert_allclose(sigmoid(z), expit(z), rtol=1e-12)


def test_probabilities_follow_the_lines():
    z = np.random.default_rng(0).normal(size=(5, 2)) * 4
    np.testing.assert_allclose(
        CURVES.probabilities(z), expit(z * [1.0, 0.5] + [0.0, -1.0]), rtol=1e-5
    )
    same = Calibration.identity(2)
    np.testing.assert_allclose(same.probabilities(z), expit(z), rtol=1e-5)
    assert same.threshold is None


def test_a_file_holds_arrays_only(tmp_path):
    path = tmp_path / "c.npz"
    CURVES.write(path)
    again = Calibration.read(path)
    for name, values in vars(CURVES).items():
        np.testing.assert_array_equal(getattr(again, name), values)
    first = path.read_bytes()
    CURVES.write(path)
    assert path.read_bytes() == first
    np.savez(path, slope=np.ones(2))
    with pytest.raises(ValueError, match="do not belong"):
        Calibration.read(path)
    np.savez(path, slope=np.array([None, 1]), offset=np.ones(2))
    with pytest.raises(ValueError, match="allow_pickle"):
        Calibration.read(path)
