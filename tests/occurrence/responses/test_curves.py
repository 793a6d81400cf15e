"""Curves and grids of functions that are known."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.inspection import partial_dependence

from quadrat.errors import DataError
from quadrat.occurrence.responses.axes import GRID, Axis
from quadrat.occurrence.responses.curves import response_table, some_places

RNG = np.random.default_rng(4)


def test_the_mean_is_the_partial_dependence_of_scikit_learn():
    inputs = RNG.normal(size=(120, 3))
    truth = np.sin(inputs[:, 0]) * inputs[:, 1] + inputs[:, 2]
    model = GradientBoostingRegressor(n_estimators=20, random_state=0).fit(inputs, truth)

    def ask(axis: Axis, value: float | str) -> np.ndarray:
        changed = inputs.copy()
        changed[:, int(axis.name)] = value
        return model.predict(changed)[:, None].astype(np.float32)

    axes = [Axis.of_numbers(str(column), inputs[:, column], "t") for column in range(3)]
    found = response_table(axes, ["a"], ask)
    assert found.columns == ["species", "covariate", "value", "category", "mean", "low", "high"]
    for axis in axes:
        own = found.filter(pl.col("covariate") == axis.name)
        options = {"method": "brute", "kind": "both"}
        expected = partial_dependence(
            model, inputs, [int(axis.name)], custom_values={int(axis.name): axis.values}, **options
        )
        np.testing.assert_allclose(own["mean"], expected["average"][0], atol=1e-6)
        low, high = np.quantile(expected["individual"][0], [0.1, 0.9], axis=0)
        np.testing.assert_allclose(own["low"], low, atol=1e-6)
        np.testing.assert_allclose(own["high"], high, atol=1e-6)


def test_species_follow_one_another_in_the_order_that_is_asked_for():
    axes = [Axis("x", (1.0, 2.0)), Axis("soil", ("clay",), ("clay",))]

    def ask(axis: Axis, value: float | str) -> np.ndarray:
        if value == "clay":
            return np.array([[0.5, 0.25]], dtype=np.float32)
        return np.array([[value, 10 * value]], dtype=np.float32)

    assert response_table(axes, ["b", "a"], ask).rows() == [
        ("b", "x", 1.0, None, 1.0, 1.0, 1.0),
        ("b", "x", 2.0, None, 2.0, 2.0, 2.0),
        ("b", "soil", None, "clay", 0.5, 0.5, 0.5),
        ("a", "x", 1.0, None, 10.0, 10.0, 10.0),
        ("a", "x", 2.0, None, 20.0, 20.0, 20.0),
        ("a", "soil", None, "clay", 0.25, 0.25, 0.25),
    ]


def test_grids_lie_between_percentiles_of_what_is_known():
    values = np.append(RNG.gamma(2, 3, 500), [np.nan, 1e6])
    axis = Axis.of_numbers("rain", values, "t")
    low, high = np.nanquantile(values, [0.01, 0.99])
    np.testing.assert_allclose(axis.values, np.linspace(low, high, GRID))
    assert axis.texts is None


def test_few_values_are_taken_as_they_are():
    counts = np.repeat([0.0, 1.0, 5.0], [300, 200, 100])
    assert Axis.of_numbers("nests", counts, "t").values == (0.0, 1.0, 5.0)
    burnt = np.repeat([0.0, 1.0], [500, 2])
    assert Axis.of_numbers("burnt", burnt, "t").values == (0.0, 1.0)
    assert Axis.of_numbers("nests", np.array([3.0, np.nan]), "t").values == (3.0,)


def test_categories_are_those_that_training_knew():
    soils = Axis.of_categories("soil", ["sand", None, "moon dust", "clay"], ("clay", "sand"), "t")
    assert soils.values == soils.texts == ("clay", "sand")
    covers = Axis.of_classes("cover", np.array([40.0, np.nan, 10.0, 99.0]), (10, 40), "t")
    assert covers.values == (10, 40)
    assert covers.texts == ("10", "40")


@pytest.mark.parametrize(
    "made",
    [
        lambda: Axis.of_numbers("soil", np.full(3, np.nan), "places.csv"),
        lambda: Axis.of_categories("soil", [None, "moon dust"], ("clay",), "places.csv"),
        lambda: Axis.of_classes("soil", np.array([99.0]), (10.0,), "places.csv"),
    ],
)
def test_a_column_without_a_known_value_is_an_error(made):
    with pytest.raises(DataError, match=r"places\.csv: column 'soil' has no value"):
        made()


def test_places_are_drawn_by_the_seed_and_kept_in_order():
    drawn = some_places(1000, 200, 1)
    assert len(set(drawn)) == 200
    assert (np.diff(drawn) > 0).all()
    np.testing.assert_array_equal(drawn, some_places(1000, 200, 1))
    assert not np.array_equal(drawn, some_places(1000, 200, 2))
    np.testing.assert_array_equal(some_places(3, 200, 1), [0, 1, 2])
