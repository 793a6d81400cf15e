import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadrat.geo import (
    EARTH_RADIUS_KM,
    chord,
    chord_km,
    great_circle_km,
    lat_lon,
    spacing_km,
    unit_vectors,
    wrap_lon,
)

lats = st.floats(-90, 90)
lons = st.floats(-720, 720)


@given(lats, lons, lats, lons)
def test_haversine_is_the_angle_between_unit_vectors(lat, lon, other_lat, other_lon):
    a, b = unit_vectors(lat, lon), unit_vectors(other_lat, other_lon)
    angle = np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)
    km = great_circle_km(lat, lon, other_lat, other_lon)
    assert km == pytest.approx(EARTH_RADIUS_KM * angle, abs=1e-3)


@given(lats, lons)
def test_vectors_and_angles_are_inverse(lat, lon):
    back_lat, back_lon = lat_lon(unit_vectors(lat, lon) * 3.7)
    assert back_lat == pytest.approx(lat, abs=1e-6)
    assert great_circle_km(lat, lon, back_lat, back_lon) < 1e-3


def test_the_dateline_is_no_border():
    assert great_circle_km(10, 179.9, 10, -179.9) == pytest.approx(
        great_circle_km(10, -0.1, 10, 0.1), rel=1e-9
    )


def test_a_quarter_of_the_globe():
    assert great_circle_km(0, 0, 90, 123) == pytest.approx(np.pi / 2 * EARTH_RADIUS_KM)
    assert great_circle_km(0, 0, 0, 180) == pytest.approx(np.pi * EARTH_RADIUS_KM)


@given(st.floats(0, 20000))
def test_chord_is_the_straight_distance(km):
    there = np.degrees(km / EARTH_RADIUS_KM)
    straight = np.linalg.norm(unit_vectors(0, 0) - unit_vectors(0, there))
    assert chord(km) == pytest.approx(straight, abs=1e-9)


@given(lons)
def test_wrapped_longitudes_are_the_same_place(lon):
    wrapped = wrap_lon(lon)
    assert -180 <= wrapped < 180
    assert (wrapped - lon) / 360 == pytest.approx(round((wrapped - lon) / 360), abs=1e-9)


def test_straight_distances_lead_back_to_the_sphere() -> None:
    km = np.array([0.0, 0.01, 500.0, 20_000.0])
    np.testing.assert_allclose(chord_km(chord(km)), km, rtol=1e-9, atol=1e-9)


def test_the_spacing_is_that_of_places_whatever_stands_twice() -> None:
    lat, lon = np.zeros(6), np.array([179.0, -179.0, -177.0, -177.0, -175.0, 30.0])
    degree = float(great_circle_km(0, 0, 0, 1))
    assert spacing_km(lat, lon) == pytest.approx(2 * degree)
    assert spacing_km(lat, lon, share=1.0) > 100 * degree
    assert spacing_km(lat[:1], lon[:1]) == spacing_km(lat[2:4], lon[2:4]) == 0.0
