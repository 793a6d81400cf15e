from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadrat.geo import all_cells, cell_centres, land_polygons
from quadrat.report import canvas, maps
from quadrat.report.projections import EqualEarth, Local, suitable
from quadrat.report.style import to_svg

latitudes = st.floats(-89.9, 89.9)
longitudes = st.floats(-180, 180)


@given(longitudes, latitudes)
def test_equal_earth_comes_back(lon: float, lat: float) -> None:
    world = EqualEarth()
    back_lon, back_lat = world.inverse(*world.forward(lon, lat))
    assert float(back_lat) == pytest.approx(lat, abs=1e-7)
    assert float(back_lon) == pytest.approx(lon, abs=1e-7)


@given(longitudes, st.floats(-89, 88), st.floats(0.1, 1.0))
def test_equal_earth_keeps_areas(lon: float, lat: float, width: float) -> None:
    """A small rectangle of the sphere has its area on the map: R² Δλ (sin φ₂ − sin φ₁)."""
    world, step = EqualEarth(), 1e-4
    lon = np.clip(lon, -179, 178)
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * step
    x, y = world.forward(lon + corners[:, 0], lat + corners[:, 1])
    flat = 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
    on_sphere = np.radians(step) * (np.sin(np.radians(lat + step)) - np.sin(np.radians(lat)))
    assert flat == pytest.approx(on_sphere, rel=1e-3)


def test_equal_earth_matches_published_size() -> None:
    left, right, bottom, top = EqualEarth().extent
    assert right == pytest.approx(2.7066, abs=1e-4)
    assert top == pytest.approx(1.3173627591574, abs=1e-9)
    assert (left, bottom) == (-right, -top)
    lon, lat = EqualEarth().inverse([right * 1.01, 0.0], [0.0, top * 1.02])
    assert np.isnan(lon).all()
    assert np.isnan(lat).all()


def test_a_region_across_the_dateline_is_one_region() -> None:
    local = suitable(np.array([-20.0, -15.0]), np.array([175.0, -175.0]))
    assert isinstance(local, Local)
    assert abs(local.lon) == pytest.approx(180)
    lon, _ = local.inverse(*local.forward(np.array([178.0, 184.0]), np.array([-18.0, -18.0])))
    assert lon.tolist() == pytest.approx([178, -176])


def test_the_world_is_shown_where_points_are_everywhere() -> None:
    lat, lon = cell_centres(all_cells(0))
    assert isinstance(suitable(lat, lon), EqualEarth)
    assert isinstance(suitable(np.empty(0), np.empty(0)), EqualEarth)
    assert isinstance(suitable(np.array([85.0]), np.array([0.0])), EqualEarth)


def test_paint_fills_a_whole_grid_without_gaps() -> None:
    lat, lon = cell_centres(all_cells(2))
    world = EqualEarth()
    picture = canvas.paint(lat, lon, lat, world, (100, 205))
    left, right, bottom, top = world.extent
    y = top - (np.arange(100) + 0.5) / 100 * (top - bottom)
    x = left + (np.arange(205) + 0.5) / 205 * (right - left)
    _, there = world.inverse(*np.meshgrid(x, y))
    assert np.array_equal(np.isfinite(picture), np.isfinite(there))
    known = np.isfinite(there)
    assert np.abs(picture[known] - there[known]).max() < 2.5


def test_paint_leaves_far_places_blank_and_shows_lonely_ones() -> None:
    picture = canvas.paint(
        np.array([0.0]), np.array([0.0]), np.array([7.0]), EqualEarth(), (60, 120)
    )
    assert 1 < np.isfinite(picture).sum() < 60
    assert picture[30, 60] == 7.0
    assert np.isnan(picture[5, 60])


def test_range_map_of_points_and_of_a_grid() -> None:
    lat, lon = np.arange(35.5, 60), np.arange(-9.5, 25)
    grid = np.exp(-(((lat[:, None] - 48) / 8) ** 2) - ((lon[None] - 5) / 9) ** 2)
    grid[0, 0] = np.nan
    land = land_polygons()
    figure = maps.range_map(lat, lon, grid, "<b>Robin</b> · week 20", land, note="Erithacus")
    drawn = to_svg(figure)
    assert "&lt;b&gt;Robin&lt;/b&gt; · week 20" in drawn
    assert "probability of occurrence (0–1)" in drawn
    flat_lat, flat_lon = np.meshgrid(lat, lon, indexing="ij")
    points = maps.range_map(flat_lat.ravel(), flat_lon.ravel(), grid.ravel(), "Robin", land)
    assert "Robin" in to_svg(points)


def test_a_coarse_grid_has_no_gaps_at_the_equator() -> None:
    lat, lon = np.arange(-89.0, 90, 2), np.arange(-179.0, 180, 2)
    radius = canvas.half_diagonal_km(lat, lon)
    flat_lat, flat_lon = (axis.ravel() for axis in np.meshgrid(lat, lon, indexing="ij"))
    picture = canvas.paint(flat_lat, flat_lon, flat_lat, EqualEarth(), (150, 300), radius)
    assert np.isfinite(picture[70:80, 10:290]).all()


def test_richness_map_names_its_unit_and_survives_nothing() -> None:
    land = land_polygons()
    figure = maps.richness_map([50.0, 51.0], [4.0, 5.0], [3.0, np.nan], land)
    assert "species (count)" in to_svg(figure)
    to_svg(maps.richness_map([], [], [], land))
