import numpy as np
import pytest
from matplotlib.path import Path as Outline

from quadrat.geo import all_cells, cell_centres, is_land, land_polygons

ON_LAND = {
    "Berlin": (52.5, 13.4),
    "Alice Springs": (-23.7, 133.9),
    "Chukotka, beyond the dateline": (66.5, -173.5),
    "Chukotka, before the dateline": (67.0, 179.5),
    "on the dateline": (67.5, 180.0),
    "South Pole": (-90.0, 0.0),
    "Antarctica at the dateline": (-85.0, 180.0),
    "Manaus": (-3.1, -60.0),
}
AT_SEA = {
    "North Pole": (90.0, 12.0),
    "null island": (0.0, 0.0),
    "Pacific on the dateline": (10.0, 180.0),
    "Caspian Sea": (41.5, 51.0),
    "Southern Ocean": (-60.0, -179.9),
}


@pytest.mark.parametrize("place", ON_LAND)
def test_land_is_land(place):
    assert is_land(*ON_LAND[place])


@pytest.mark.parametrize("place", AT_SEA)
def test_sea_is_not_land(place):
    assert not is_land(*AT_SEA[place])


def test_longitude_may_turn_round_the_globe():
    lat, lon = np.array([52.5, -23.7]), np.array([13.4, 133.9])
    assert is_land(lat, lon + 360).all()
    assert is_land(lat, lon - 360).all()


def test_agrees_with_another_point_in_polygon():
    rng = np.random.default_rng(5)
    points = np.c_[rng.uniform(-180, 180, 4000), rng.uniform(-90, 90, 4000)]
    expected = np.zeros(len(points), bool)
    for polygon in land_polygons():
        for ring in polygon:
            expected ^= Outline(ring).contains_points(points)
    assert (is_land(points[:, 1], points[:, 0]) == expected).mean() > 0.9995


def test_the_share_of_land_is_that_of_the_globe():
    lat, lon = cell_centres(all_cells(2))
    assert is_land(lat, lon).mean() == pytest.approx(0.29, abs=0.015)


def test_shape_is_kept():
    assert is_land(np.zeros((3, 2)), np.zeros((3, 2))).shape == (3, 2)
    assert is_land(50.0, np.linspace(0, 40, 5)).shape == (5,)


def test_polygons_stay_on_the_map():
    points = np.concatenate([ring for polygon in land_polygons() for ring in polygon])
    assert np.abs(points[:, 0]).max() <= 180
    assert np.abs(points[:, 1]).max() <= 90
    outlines = [ring for polygon in land_polygons() for ring in polygon if ring[:, 1].min() > -90]
    steps = [np.abs(np.diff(ring[:, 0])).max() for ring in outlines]
    assert max(steps) < 180, "an edge runs round the globe"
