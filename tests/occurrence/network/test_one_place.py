from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from quadrat.occurrence.network.encodings import ENCODINGS
from quadrat.occurrence.network.model import NetworkSpec
from quadrat.occurrence.network.one_place import OnePlace

NOTHING = torch.empty(1, 0)
PLACES = [(48.2, 16.4, 1), (-33.9, 151.2, 30), (90.0, 12.0, 48), (0.0, -180.0, 7), (5.0, 359.0, 0)]


def network_of(spec):
    torch.manual_seed(1)
    network = spec.build(seed=5).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return network


@torch.no_grad()
def in_double(network, lat, lon, week, environment=None):
    exact = network.double()
    position = torch.tensor([[lat, lon]], dtype=torch.float64)
    features = exact.features(position, torch.tensor([week]), environment)
    logits = exact.logits(features)[0].numpy()
    network.float()
    return logits


@pytest.mark.parametrize("encoding", ENCODINGS.names())
def test_logits_are_those_of_the_network(encoding):
    # A bottleneck of 32 by 10,007 species is more than is multiplied at once.
    network = network_of(NetworkSpec(encoding, 8, 4, 0.25, species=10_007, environment=3))
    one = OnePlace(network)
    assert OnePlace.can_be(network)
    for lat, lon, week in PLACES:
        found = one.logits((lat, lon), week, NOTHING)
        expected = in_double(network, lat, lon, week)
        assert found.dtype == np.float32 and np.ptp(expected) > 1
        np.testing.assert_allclose(found, expected, atol=2e-5)


def test_a_place_of_an_encoding_is_a_batch_of_one():
    for name in ENCODINGS.names():
        encoding = ENCODINGS[name](8, 3)
        for lat, lon, _ in PLACES:
            expected = encoding(torch.tensor([[lat, lon]]))[0].numpy()
            found = encoding.of_place(lat, lon)
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, expected, atol=2e-5)


def test_known_environment_is_read():
    spec = NetworkSpec("spherical", 8, 4, 0.125, species=20, environment=3)
    network = network_of(NetworkSpec(**{**vars(spec), "environment_inputs": (0, 2)}))
    one = OnePlace(network)
    found = []
    for values in ([0.5, 1.0, -2.0], [0.5, 1.0, torch.nan], []):
        known = torch.tensor([values])
        found.append(one.logits((48.2, 16.4), 19, known))
        expected = in_double(network, 48.2, 16.4, 19, known.double())
        np.testing.assert_allclose(found[-1], expected, atol=2e-5)
    assert np.abs(found[0] - found[1]).max() > 0.01 and np.abs(found[1] - found[2]).max() > 0.01


def test_later_weights_and_other_threads_change_nothing():
    network = network_of(NetworkSpec("spherical", 8, 4, 0.125, species=50, environment=3))
    one = OnePlace(network)
    expected = [one.logits((lat, lon), week, NOTHING) for lat, lon, week in PLACES]
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda p: one.logits(p[:2], p[2], NOTHING), PLACES * 20))
    for found, wanted in zip(again, expected * 20, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_habitat_heads_are_asked_in_batches():
    spec = NetworkSpec("spherical", 8, 4, 0.125, species=5, environment=3, habitat_head=True)
    assert not OnePlace.can_be(spec.build())
