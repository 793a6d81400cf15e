import h3
import numpy as np
import polars as pl
import pytest

from quadrat.geo import (
    EDGE_KM,
    GRID_KM,
    all_cells,
    cell_centres,
    cell_count,
    cells_at,
    format_cells,
    great_circle_km,
    parse_cells,
    resolutions,
)


def test_all_cells_of_a_resolution():
    cells = all_cells(1)
    assert len(np.unique(cells)) == cell_count(1) == h3.get_num_cells(1)
    assert (resolutions(cells) == 1).all()


def test_centres_agree_with_h3():
    cells = all_cells(2)[::97]
    lat, lon = cell_centres(cells)
    expected = np.array([h3.cell_to_latlng(text) for text in format_cells(cells)])
    np.testing.assert_allclose(np.c_[lat, lon], expected, atol=1e-9)


def test_a_centre_lies_in_its_own_cell():
    cells = all_cells(2)[::31]
    assert (cells_at(*cell_centres(cells), 2) == cells).all()


def test_points_round_the_globe_are_the_same_cell():
    assert (cells_at([10.0], [190.0], 4) == cells_at([10.0], [-170.0], 4)).all()


def test_texts_and_numbers_read_alike():
    cells = all_cells(1)[:5]
    texts = format_cells(cells)
    shouted = [text.upper() for text in texts]
    for form in (texts, shouted, cells, pl.Series(texts), cells.astype(np.int64)):
        numbers, valid = parse_cells(form)
        assert valid.all()
        assert (numbers == cells).all()


def test_what_is_no_cell_is_marked():
    good = format_cells(all_cells(1)[:1])[0]
    numbers, valid = parse_cells([good, "zz", "", None, "8", "ffffffffffffffff", "1" * 40])
    assert valid.tolist() == [True, False, False, False, False, False, False]
    assert (numbers[1:] == 0).all()


@pytest.mark.parametrize("resolution", range(16))
def test_edge_lengths_are_those_of_h3(resolution):
    assert EDGE_KM[resolution] == pytest.approx(
        h3.average_hexagon_edge_length(resolution), rel=2e-3
    )


@pytest.mark.parametrize("resolution", [1, 2, 3])
def test_the_grid_is_about_as_wide_as_its_name(resolution):
    cell = h3.latlng_to_cell(47.0, 11.0, resolution)
    lat, lon = h3.cell_to_latlng(cell)
    others = [h3.cell_to_latlng(c) for c in h3.grid_ring(cell, 1)]
    km = np.mean([great_circle_km(lat, lon, *other) for other in others])
    assert km == pytest.approx(GRID_KM[resolution], rel=0.25)
