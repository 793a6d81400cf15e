from dataclasses import replace

import numpy as np
import pytest
import torch

from quadrat.errors import DataError
from quadrat.geo import EDGE_KM, all_cells, great_circle_km
from quadrat.occurrence.samples.dataset import prepare
from quadrat.occurrence.samples.draws import (
    Draws,
    batch_generator,
    jitter_degrees,
    moved,
    sphere_places,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("lat", [0.0, 60.0, -80.0])
def test_samples_move_as_far_east_as_north(lat):
    position = torch.tensor([[lat, 10.0]]).repeat(20_000, 1)
    found = moved(position, torch.full((len(position),), 0.5), generator()).double()
    north = great_circle_km(lat, 10.0, found[:, 0], np.full(len(found), 10.0))
    east = great_circle_km(lat, 10.0, np.full(len(found), lat), found[:, 1])
    wanted = 0.5 * 111.195
    assert np.sqrt((north**2).mean()) == pytest.approx(wanted, rel=0.02)
    assert np.sqrt((east**2).mean()) == pytest.approx(wanted, rel=0.02)
    assert (found[:, 0] - lat).mean().abs() < 0.02 and (found[:, 1] - 10).mean().abs() < 0.1


def test_poles_stop_and_the_dateline_does_not():
    position = torch.tensor([[89.9, 0.0], [-90.0, 45.0], [0.0, 179.9], [0.0, -180.0]])
    found = moved(position.repeat(500, 1), torch.full((2000,), 2.0), generator())
    lat, lon = found.view(500, 4, 2).unbind(-1)
    assert lat.abs().max() == 90.0
    assert ((lon >= -180) & (lon <= 180)).all()
    assert found.isfinite().all()
    for place in (2, 3):
        assert (lon[:, place] > 0).any() and (lon[:, place] < 0).any()
        assert (lon[:, place].abs() > 160).all()


def test_random_places_cover_the_sphere_evenly():
    lat, lon = sphere_places(100_000, generator()).unbind(1)
    shares = np.histogram(np.sin(np.radians(lat.numpy())), bins=10, range=(-1, 1))[0] / len(lat)
    np.testing.assert_allclose(shares, 0.1, atol=0.005)
    shares = np.histogram(lon.numpy(), bins=10, range=(-180, 180))[0] / len(lon)
    np.testing.assert_allclose(shares, 0.1, atol=0.005)


def test_all_species_are_drawn_equally_often_and_once():
    draws = Draws(None, species=7, drawn_species=3, elsewhere="none")
    source = generator()
    found = torch.stack([draws.species_of(source) for _ in range(7000)])
    assert (found.diff(dim=1) > 0).all()
    np.testing.assert_allclose(found.flatten().bincount(), 3000, rtol=0.1)


def test_every_batch_of_every_process_has_its_own_numbers():
    keys = [(42, 0, 0, 0), (42, 0, 1, 0), (42, 1, 0, 0), (42, 0, 0, 1), (43, 0, 0, 0)]
    found = [torch.rand(1, generator=batch_generator(*key)).item() for key in keys]
    again = [torch.rand(1, generator=batch_generator(*key)).item() for key in keys]
    assert found == again and len(set(found)) == len(keys)


def test_the_jitter_is_that_of_each_cell(experiment):
    data = prepare(experiment())
    assert jitter_degrees(data.table, np.array([0]))[0] * 111.195 == pytest.approx(
        0.4 * EDGE_KM[1], rel=1e-3
    )
    mixed = replace(data.table, cells=np.r_[all_cells(0)[:1], all_cells(2)[:1]])
    found = jitter_degrees(mixed, np.array([1, 0]))
    assert found[1] / found[0] == pytest.approx(EDGE_KM[0] / EDGE_KM[2])


def test_cells_without_a_size_cannot_be_moved_in(experiment):
    made = experiment(augment={"jitter": True})
    table = replace(prepare(made).table, cells=None)
    with pytest.raises(DataError, match=r"augment.jitter.*given by latitude and longitude"):
        Draws.of(made, table, np.arange(3), species=5)


def test_nothing_is_drawn_where_nothing_is_asked_for(experiment):
    table = prepare(experiment()).table
    assert Draws.of(experiment(), table, np.arange(3), species=5) is None
    drawing = experiment(loss={"kind": "assume-negative", "neg_samples": 5})
    found = Draws.of(drawing, table, np.arange(3), species=5)
    assert (found.drawn_species, found.elsewhere) == (0, "sphere")
