from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quadrat.errors import DataError
from quadrat.geo.sphere import EARTH_RADIUS_KM, great_circle_km
from quadrat.splits import spatial_blocks

latitudes, longitudes = st.floats(-90, 90), st.floats(-180, 180)


def even_points(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of equal area on the sphere (Fibonacci lattice)."""
    k = np.arange(count) + 0.5
    lat = np.degrees(np.arcsin(1 - 2 * k / count))
    return lat, np.mod(k * 360.0 * (np.sqrt(5) - 1) / 2, 360.0) - 180.0


@pytest.mark.parametrize("block_km", [500.0, 1000.0, 3000.0])
def test_blocks_have_about_equal_areas(block_km: float) -> None:
    lat, lon = even_points(200_000)
    counts = np.unique(spatial_blocks(lat, lon, block_km), return_counts=True)[1]
    areas = counts / len(lat) * 4 * np.pi * EARTH_RADIUS_KM**2
    assert areas.min() > 0.75 * block_km**2
    assert areas.max() < 1.3 * block_km**2


def test_points_of_a_block_are_near_each_other() -> None:
    lat, lon = even_points(4000)
    labels = spatial_blocks(lat, lon, 1000.0)
    for label in np.unique(labels):
        inside = labels == label
        apart = great_circle_km(
            lat[inside][:, None], lon[inside][:, None], lat[inside], lon[inside]
        )
        assert apart.max() < 1900.0


@given(latitudes, longitudes, st.sampled_from([-360.0, 360.0]), st.floats(10, 5000))
@settings(deadline=None)
def test_the_dateline_is_no_edge_of_the_world(
    lat: float, lon: float, turn: float, block_km: float
) -> None:
    around = lon + turn if abs(lon + turn) <= 360 else lon - turn
    if np.mod(lon + 180, 360) != np.mod(around + 180, 360):
        return  # the turn itself was rounded
    one, other = spatial_blocks([lat, lat], [lon, around], block_km)
    assert one == other
    east, west = spatial_blocks([lat, lat], [180.0, -180.0], block_km)
    assert east == west


@given(longitudes, longitudes, st.floats(10, 5000))
@settings(deadline=None)
def test_a_pole_is_one_place(lon: float, other: float, block_km: float) -> None:
    labels = spatial_blocks([90, 90, -90, -90], [lon, other, lon, other], block_km)
    assert labels[0] == labels[1]
    assert labels[2] == labels[3]
    assert labels[0] != labels[2]


@pytest.mark.parametrize(
    ("lat", "lon", "block_km", "message"),
    [
        (91.0, 0.0, 100.0, r"row 0: lat = 91"),
        (0.0, 500.0, 100.0, r"lon = 500"),
        (np.nan, 0.0, 100.0, r"lat = nan"),
        (0.0, 0.0, 0.0, r"blocks of 0 km"),
        (0.0, 0.0, 30_000.0, r"blocks of 30000 km"),
    ],
)
def test_places_off_the_globe_are_refused(
    lat: float, lon: float, block_km: float, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        spatial_blocks([lat], [lon], block_km)
