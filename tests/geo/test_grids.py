from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadrat.errors import UnknownNameError, UsageError
from quadrat.geo import REGIONS, CellGrid, RasterGrid, all_cells, cell_centres, parse_bounds


def test_a_grid_fills_its_box_from_the_northwest():
    grid = RasterGrid.of((0, 40, 40, 60), 10)
    assert grid.lat.tolist() == [55, 45]
    assert grid.lon.tolist() == [5, 15, 25, 35]
    assert grid.bounds == (0, 40, 40, 60)
    lat, lon = grid.places()
    assert (lat[1], lon[1]) == (55, 15)
    assert RasterGrid.of(step=1.0).shape == (180, 360)


@given(st.integers(1, 350), st.sampled_from([0.1, 0.25, 0.3, 0.7, 1.0]))
def test_a_whole_number_of_steps_is_that_number_of_squares(count: int, step: float):
    east = -100 + count * step
    grid = RasterGrid.of((-100, 0, east, step), step)
    assert grid.shape == (1, count)


@pytest.mark.parametrize(
    "bounds", [(-10, 35, 30, 60), (170, -50, 190, -30), (-180, 80, 180, 90), (-200, 0, -150, 20)]
)
@pytest.mark.parametrize("resolution", [1, 2, 3])
def test_cells_of_a_box_are_those_with_their_centre_in_it(bounds, resolution: int):
    cells = all_cells(resolution)
    lat, lon = cell_centres(cells)
    west, south, east, north = bounds
    turned = np.any([(lon + t >= west) & (lon + t <= east) for t in (-360, 0, 360)], axis=0)
    expected = cells[turned & (lat >= south) & (lat <= north)]
    assert np.array_equal(CellGrid.of(bounds, resolution).cells, expected)


def test_the_world_is_all_cells():
    assert np.array_equal(CellGrid.of(resolution=2).cells, all_cells(2))


def test_bounds_are_read_from_numbers_and_names():
    assert parse_bounds("-10, 35.5,30,60") == (-10, 35.5, 30, 60)
    uk = REGIONS["uk"]
    assert parse_bounds("uk") == (uk.lon_min, uk.lat_min, uk.lon_max, uk.lat_max)
    with pytest.raises(UnknownNameError, match="Did you mean 'benelux'"):
        parse_bounds("benelu")
    with pytest.raises(UsageError, match="longitude from"):
        parse_bounds("1,2,3")


@pytest.mark.parametrize("bounds", [(10, 0, 0, 10), (0, -91, 1, 0), (0, 0, 361, 1), (0, 5, 9, 5)])
def test_boxes_that_cannot_be(bounds):
    with pytest.raises(UsageError, match="hold no points"):
        RasterGrid.of(bounds, 1.0)


def test_too_much_and_too_little_is_refused():
    with pytest.raises(UsageError, match="a larger step"):
        RasterGrid.of(step=0.01)
    with pytest.raises(UsageError, match="a lower resolution"):
        CellGrid.of(resolution=9)
    with pytest.raises(UsageError, match="no H3 cell"):
        CellGrid.of((0, 0, 0.1, 0.1), 1)
    with pytest.raises(UsageError, match="no points"):
        RasterGrid.of((0, 0, 1, 1), 5)
