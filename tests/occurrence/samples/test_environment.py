import json

import numpy as np

from quadrat.occurrence.samples.environment import EnvironmentEncoder

NAMES = ("elevation_m", "water_fraction", "landcover_class", "snow_days", "depth_m")
NAN = np.nan
TRAINING = np.array(
    [
        [100.0, 0.1, 3.0, 7.0, NAN],
        [300.0, NAN, 1.0, 7.0, NAN],
        [NAN, 0.9, NAN, 7.0, NAN],
    ]
)


def test_numbers_are_standardised_shares_stay_and_classes_become_indicators():
    encoded = EnvironmentEncoder.fitted(NAMES, TRAINING).encoded(TRAINING)
    expected = [
        [-1, 0.1, 0, 1, 0, NAN],
        [1, NAN, 1, 0, 0, NAN],
        [NAN, 0.9, NAN, NAN, 0, NAN],
    ]
    np.testing.assert_allclose(encoded, np.array(expected, np.float32), atol=1e-6)
    assert encoded.dtype == np.float32


def test_other_cells_take_the_scale_of_training_cells():
    other = np.array([[500.0, 0.5, 2.0, 8.0, 4.0]])
    encoded = EnvironmentEncoder.fitted(NAMES, TRAINING).encoded(other)
    np.testing.assert_allclose(encoded, [[3, 0.5, NAN, NAN, 1, 4]], atol=1e-6)


def test_what_was_fitted_can_be_written():
    described = EnvironmentEncoder.fitted(NAMES, TRAINING).to_dict()
    assert described["elevation_m"] == {"kind": "number", "mean": 200.0, "sd": 100.0}
    assert described["landcover_class"] == {"kind": "class", "classes": [1.0, 3.0]}
    assert described["water_fraction"] == {"kind": "fraction"}
    assert described["depth_m"] == {"kind": "number", "mean": 0.0, "sd": 1.0}


def test_no_columns_at_all():
    assert EnvironmentEncoder.fitted((), np.empty((3, 0))).encoded(np.empty((3, 0))).shape == (3, 0)


def test_what_was_written_can_be_read():
    encoder = EnvironmentEncoder.fitted(NAMES, TRAINING)
    again = EnvironmentEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
    assert again == encoder
    np.testing.assert_array_equal(again.encoded(TRAINING), encoder.encoded(TRAINING))


def test_where_the_values_of_columns_are():
    encoder = EnvironmentEncoder.fitted(NAMES, TRAINING)
    assert encoder.positions(["landcover_class"]) == [2, 3]
    assert encoder.positions(["depth_m", "elevation_m"]) == [0, 5]
    assert encoder.positions(NAMES) == list(range(6)) and encoder.positions([]) == []
