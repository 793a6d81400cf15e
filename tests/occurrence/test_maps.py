from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from quadrat.errors import UnknownNameError, UsageError
from quadrat.geo import CellGrid, RasterGrid, is_land
from quadrat.occurrence.maps import entropy_bits, map_layers, near_records, presence
from quadrat.occurrence.network.model import NetworkSpec
from quadrat.occurrence.predictor import OccurrencePredictor
from quadrat.occurrence.records.taxonomy import Species, Vocabulary

SPECIES = Vocabulary(tuple(Species(f"s{n}", f"Genus s{n}", f"Bird {n}") for n in range(5)))
GRID = RasterGrid.of((0, 40, 40, 60), 10)


@pytest.fixture(scope="module")
def predictor():
    torch.manual_seed(0)
    spec = NetworkSpec("spherical", 8, 8, 0.125, species=5, environment=0)
    network = spec.build(seed=5)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return OccurrencePredictor(network, spec, SPECIES, device="cpu")


def test_a_range_is_the_probability_of_one_species(predictor):
    found = map_layers(predictor, "range", GRID, [19, 0], species="bird 2")
    lat, lon = GRID.places()
    for layer, week in zip(found.values, (19, 0), strict=True):
        expected = predictor.probabilities(lat, lon, week)[:, 2]
        np.testing.assert_allclose(layer, expected, rtol=1e-5)
    assert found.names == ("week_19", "year")
    assert (found.subject.title, found.subject.quantity) == ("Bird 2", "probability")


def test_a_range_asks_for_one_column_and_each_place_once(predictor, monkeypatch):
    asked = []
    real = predictor.network.logits

    def counted(features, columns=None):
        logits = real(features, columns)
        asked.append(tuple(logits.shape))
        return logits

    monkeypatch.setattr(predictor.network, "logits", counted)
    map_layers(predictor, "range", GRID, [19], species="s2")
    assert asked == [(8, 1)]


def test_richness_and_its_spread_agree_with_drawn_lists(predictor):
    grid = CellGrid.of((0, 40, 20, 60), 1)
    lat, lon = grid.places()
    p = predictor.probabilities(lat, lon, 30).astype(np.float64)
    lists = np.random.default_rng(0).random((40_000, *p.shape)) < p
    counts = lists.sum(axis=2)
    mean = map_layers(predictor, "richness", grid, [30]).values[0]
    spread = map_layers(predictor, "uncertainty", grid, [30]).values[0]
    np.testing.assert_allclose(mean, counts.mean(axis=0), atol=0.03)
    np.testing.assert_allclose(spread, counts.std(axis=0), atol=0.03)


def test_the_richness_of_a_group(predictor):
    found = map_layers(predictor, "richness", GRID, [0], among=[1, 3], group="Aves")
    lat, lon = GRID.places()
    expected = predictor.probabilities(lat, lon, 0)[:, [1, 3]].sum(axis=1)
    np.testing.assert_allclose(found.values[0], expected, rtol=1e-5)
    assert found.subject.title == "Expected number of species of Aves"


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.97, 1.0])
def test_entropy(p: float):
    expected = -sum(q * math.log2(q) for q in (p, 1 - p) if q > 0)
    assert entropy_bits(np.array([p], np.float32))[0] == pytest.approx(expected, abs=1e-6)


def test_the_sea_is_left_out_and_not_asked(predictor):
    grid = RasterGrid.of(step=10)
    found = map_layers(predictor, "uncertainty", grid, [19], species="s1", land_only=True)
    land = is_land(*grid.places())
    assert np.array_equal(np.isfinite(found.values[0]), land)


def test_places_are_asked_for_in_parts(predictor, monkeypatch):
    whole = map_layers(predictor, "richness", RasterGrid.of(step=10), [3])
    monkeypatch.setattr("quadrat.occurrence.maps._ANSWERS", 500)
    parts = map_layers(predictor, "richness", RasterGrid.of(step=10), [3])
    np.testing.assert_allclose(parts.values, whole.values, rtol=1e-5)


def test_requests_that_make_no_sense(predictor):
    with pytest.raises(UnknownNameError, match="Bird 2"):
        map_layers(predictor, "range", GRID, [1], species="Birdd 2")
    with pytest.raises(UsageError, match="give its name"):
        map_layers(predictor, "range", GRID, [1])
    with pytest.raises(UsageError, match="counts species"):
        map_layers(predictor, "richness", GRID, [1], species="s1")
    with pytest.raises(UsageError, match="Did you mean 'richness'"):
        map_layers(predictor, "richnes", GRID, [1])


def test_a_range_is_cut_and_left_blank_far_from_records(predictor):
    found = map_layers(predictor, "range", GRID, [19], species="s2", land_only=True)
    least = float(np.nanmedian(found.values))
    cut = presence(found, least)
    known = ~np.isnan(found.values)
    np.testing.assert_array_equal(cut.values[known], found.values[known] >= least)
    assert 0 < cut.values[known].mean() < 1 and np.isnan(cut.values[~known]).all()
    assert cut.subject.quantity == "presence"
    far = np.arange(found.values.shape[1]) % 3 == 0
    near = near_records(cut, far)
    assert np.isnan(near.values[:, far]).all()
    np.testing.assert_array_equal(near.values[:, ~far], cut.values[:, ~far])
    with pytest.raises(UsageError, match="leave it out of other maps"):
        presence(map_layers(predictor, "richness", GRID, [19]), 0.1)
