from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch

from quadrat.engine import Backend
from quadrat.occurrence import fitting
from quadrat.occurrence.judging.what_it_learnt import (
    expected_environment,
    learnt_labels,
    permutation_importance,
)
from quadrat.occurrence.samples.dataset import prepare


@pytest.fixture(scope="module")
def made(experiment):
    return experiment(
        network={"environment_input": ["temperature_c", "landcover_class"]},
        labels={"propagate": {"on": True, "min_observed": 6}},
    )


@pytest.fixture(scope="module")
def data(made):
    return prepare(made)


@pytest.fixture(scope="module")
def network(made, data):
    return fitting.fit_network(made, data, Backend.create("cpu", "fp32")).network


def test_labels_before_and_after_propagation(data):
    table = learnt_labels(data)
    assert table is not None
    samples = data.samples(data.partition.train)
    of_cell = samples.labels.row_of_positives() // 48
    counts = np.bincount(of_cell, minlength=len(samples.cells))
    np.testing.assert_allclose(table["recorded"].to_numpy(), counts / 48)
    assert (table["learnt"] >= table["recorded"]).all(), "propagation only adds"
    assert table["learnt"].sum() > table["recorded"].sum()


def test_nothing_to_tell_where_labels_are_learnt_as_recorded(experiment):
    assert learnt_labels(prepare(experiment())) is None


def test_the_expected_environment_is_in_the_units_of_the_table(network, data, planet):
    table = expected_environment(network, data.encoder, data)
    assert table is not None
    assert "landcover_class" not in table["column"].to_list()
    heat = table.filter(pl.col("column") == "temperature_c")
    truth = pl.read_parquet(planet.table, columns=["h3_index", "temperature_c"])
    known = dict(truth.iter_rows())
    expected = np.array([known[cell] for cell in heat["cell"].to_list()], dtype=np.float64)
    np.testing.assert_allclose(heat["known"].to_numpy(), expected, atol=1e-4)
    errors = heat["known"] - heat["expected"]
    spread = heat["known"].drop_nans().std()
    assert errors.drop_nans().std() < 0.6 * spread, "latitude tells temperature"


def test_no_environment_head_expects_nothing(experiment, data):
    blind = experiment(network={"environment_weight": 0.0})
    network, _ = fitting.build_network(blind, prepare(blind))
    assert expected_environment(network, data.encoder, data) is None
    samples = data.samples(data.partition.judged)
    assert permutation_importance(network, data.encoder, samples, seed=0) is None


def test_importance_is_of_the_columns_that_are_read(network, data):
    samples = data.samples(data.partition.judged)
    table = permutation_importance(network, data.encoder, samples, seed=1)
    assert table is not None
    assert set(table["column"].to_list()) == {"temperature_c", "landcover_class"}
    assert table["drop"].is_sorted(descending=True)
    assert np.isfinite(table["sd"].to_numpy()).all()
    again = permutation_importance(network, data.encoder, samples, seed=1)
    assert table.equals(again)


def test_an_input_that_the_network_ignores_has_no_importance(made, data):
    network, _ = fitting.build_network(made, data)
    with torch.no_grad():
        network.species_trunk[-2].weight.normal_()
        network.species.weight.normal_()
        read = network.environment_input.size
        network.input.weight[:, -read:] = 0
    samples = data.samples(data.partition.judged)
    table = permutation_importance(network, data.encoder, samples, seed=1)
    assert np.abs(table["drop"].to_numpy()).max() < 1e-9
    with torch.no_grad():
        network.input.weight[:, -read:].normal_()
    table = permutation_importance(network, data.encoder, samples, seed=1)
    assert np.abs(table["drop"].to_numpy()).max() > 1e-3
