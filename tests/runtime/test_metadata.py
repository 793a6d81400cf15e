"""Metadata: standardised, imputed with a mark, and never NaN."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.preprocessing import StandardScaler

from quadrat.errors import DataError
from quadrat.runtime.metadata import MetadataEncoder


def texts(*rows: list[str | None]) -> np.ndarray:
    table = np.empty((len(rows), len(rows[0])), dtype=object)
    for row, values in enumerate(rows):
        table[row] = values
    return table


@pytest.fixture
def encoder() -> MetadataEncoder:
    return MetadataEncoder.fit(
        np.array([[0.2, 5.0, np.nan], [0.6, np.nan, np.nan], [0.7, 5.0, np.nan]]),
        texts(["Tas", None], ["NSW", "Clover"], ["Tas", "Rye"]),
        numeric_names=["ndvi", "height", "never"],
        categorical_names=["state", "species"],
    )


def test_numbers_are_standardised_like_scikit_learn():
    values = np.random.default_rng(0).normal(3.0, 2.0, (50, 3))
    values[::7, 1] = np.nan
    none = np.empty((50, 0), dtype=object)
    encoder = MetadataEncoder.fit(values, none, numeric_names="abc", categorical_names=[])
    expected = StandardScaler().fit_transform(values)
    known = ~np.isnan(values)
    encoded = encoder.encode(values, none)
    np.testing.assert_allclose(encoded.numeric[known], expected[known], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(encoded.missing, (~known).astype(np.float32))


def test_unknown_numbers_take_the_training_mean_and_a_mark(encoder: MetadataEncoder):
    encoded = encoder.encode(np.full((2, 3), np.nan), texts([None, None], [None, None]))
    assert not encoded.numeric.any()
    assert encoded.missing.all()
    assert not encoded.categories.any()


def test_constant_and_never_known_columns_stay_finite(encoder: MetadataEncoder):
    encoded = encoder.encode([[0.5, 7.0, 1.5]], texts(["WA", "Rye"]))
    np.testing.assert_allclose(encoded.numeric[0], [0.0, 2.0, 1.5], atol=1e-6)
    constant = MetadataEncoder.fit(
        np.full((3, 1), 0.1), texts([None], [None], [None]),
        numeric_names=["x"], categorical_names=["y"],
    )  # fmt: skip
    assert constant.sds == (1.0,)


def test_categories_count_from_one_and_unknown_ones_are_zero(encoder: MetadataEncoder):
    encoded = encoder.encode(
        np.zeros((3, 3)), texts(["NSW", "Clover"], ["Tas", "Rye"], ["WA", None])
    )
    assert encoded.categories.tolist() == [[1, 1], [2, 2], [0, 0]]
    assert encoder.cardinalities == (3, 3)
    assert encoder.unknown(texts(["WA", "Rye"], ["QLD", None])) == {"state": ["QLD", "WA"]}


def test_infinite_numbers_are_refused(encoder: MetadataEncoder):
    with pytest.raises(DataError, match="'height' of sample 1"):
        encoder.encode([[0.0, np.inf, 0.0]], texts(["WA", "Rye"]))


def test_another_number_of_columns_is_refused(encoder: MetadataEncoder):
    with pytest.raises(ValueError, match=r"\(samples, 3\), not \(1, 2\)"):
        encoder.encode([[0.0, 0.0]], texts(["WA", "Rye"]))


def test_the_encoder_survives_json(encoder: MetadataEncoder):
    assert MetadataEncoder.from_json(json.loads(json.dumps(encoder.to_json()))) == encoder


@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 6), st.integers(0, 3)),
        elements=st.floats(-1e9, 1e9) | st.just(np.nan),
    )
)
def test_no_nan_ever_comes_out(values: np.ndarray):
    rows, columns = values.shape
    none = np.empty((rows, 0), dtype=object)
    names = [str(column) for column in range(columns)]
    encoder = MetadataEncoder.fit(values, none, numeric_names=names, categorical_names=[])
    encoded = encoder.encode(values, none)
    assert np.isfinite(encoded.numeric).all()
    np.testing.assert_array_equal(encoded.missing == 1.0, np.isnan(values))
