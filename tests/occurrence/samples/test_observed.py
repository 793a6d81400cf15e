import numpy as np
import pytest

from quadrat.errors import RunError
from quadrat.geo import cell_centres, cells_at, great_circle_km
from quadrat.occurrence.samples.observed import FILE, ObservedCells

RNG = np.random.default_rng(0)
LAT, LON = RNG.uniform(-80, 80, 60), RNG.uniform(-180, 180, 60)
RECORDS = np.arange(60) % 4
JUDGED = RNG.uniform(-80, 80, 200), RNG.uniform(-180, 180, 200)


@pytest.fixture
def observed():
    return ObservedCells.of((LAT, LON, RECORDS), JUDGED)


def test_distances_are_to_the_nearest_cell_with_records(observed):
    assert len(observed.lat) == 45 and (observed.records > 0).all()
    some = RECORDS > 0
    lat, lon = np.array([0.0, 10.0, 89.0]), np.array([0.0, 179.9, 50.0])
    each = great_circle_km(lat[:, None], lon[:, None], LAT[some], LON[some])
    np.testing.assert_allclose(observed.distance_km(lat, lon), each.min(axis=1), rtol=1e-9)
    assert observed.distance_km(LAT[1:2], LON[1:2] + 360)[0] == pytest.approx(0, abs=1e-3)


def test_far_is_farther_than_nearly_all_judged_cells(observed):
    away = observed.distance_km(*JUDGED)
    assert (away > observed.far_km).sum() == 2


def test_nothing_within_the_spacing_of_cells_is_far():
    """Where another year of the same cells is judged, each lies on a cell with records."""
    lat, lon = (axis.ravel() for axis in np.meshgrid([0.0, 1.0, 2.0], [5.0, 6.0, 7.0]))
    twice = np.tile(lat, 2), np.tile(lon, 2), np.ones(18, np.int64)
    observed = ObservedCells.of(twice, (lat, lon))
    assert observed.far_km == pytest.approx(111.19, rel=1e-3)
    assert ObservedCells.of((lat[:1], lon[:1], np.ones(1)), (lat[:1], lon[:1])).far_km == 0


@pytest.mark.parametrize("resolution", [1, 3])
def test_places_lie_in_the_cells_of_the_grid(resolution):
    own = np.unique(cells_at(LAT, LON, resolution))
    learnt, other = own[::2], own[1::2]
    centres = cell_centres(learnt)
    observed = ObservedCells.of((*centres, np.ones(len(learnt))), JUDGED)
    lat, lon = RNG.uniform(-85, 85, 3000), RNG.uniform(-180, 180, 3000)
    inside = np.isin(cells_at(lat, lon, resolution), learnt)
    np.testing.assert_array_equal(observed.holds(lat, lon), inside)
    assert observed.holds(*centres).all() and not observed.holds(*cell_centres(other)).any()
    assert observed.holds(centres[0], centres[1] + 360).all()


def test_places_lie_in_cells_of_no_known_grid():
    lat, lon = (axis.ravel() for axis in np.meshgrid([0.3, 1.3, 2.3], [5.1, 6.1, 7.1]))
    observed = ObservedCells.of((lat, lon, np.ones(9)), (lat, lon))
    assert observed.holds(lat, lon).all()
    near, far = observed.holds(lat + 0.3, lon - 0.3), observed.holds(lat + 5, lon)
    assert near.all() and not far.any()
    one = ObservedCells.of((lat[:1], lon[:1], np.ones(1)), (lat[:1], lon[:1]))
    assert one.holds(lat, lon).tolist() == [True] + [False] * 8


def test_it_survives_saving(observed, tmp_path):
    assert ObservedCells.load(tmp_path) is None
    observed.save(tmp_path)
    again = ObservedCells.load(tmp_path)
    assert again.far_km == observed.far_km
    np.testing.assert_array_equal(again.records, observed.records)
    (tmp_path / FILE).write_bytes(b"PK damaged")
    with pytest.raises(RunError, match="cannot be used"):
        ObservedCells.load(tmp_path)
