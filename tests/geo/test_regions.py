import numpy as np
import pytest

from quadrat.errors import UnknownNameError
from quadrat.geo import REGIONS, Region, region

PLACES = {
    "us_northwest": (45.5, -122.7),
    "benelux": (52.4, 4.9),
    "uk": (51.5, -0.1),
    "california": (37.8, -122.4),
    "japan": (35.7, 139.7),
}


def test_each_region_holds_its_city_and_no_other():
    lat, lon = np.array(list(PLACES.values())).T
    inside = np.array([region(name).contains(lat, lon) for name in PLACES])
    assert (inside == np.eye(len(PLACES), dtype=bool)).all()
    assert set(PLACES) == set(REGIONS)


def test_longitudes_may_be_counted_to_360():
    assert region("california").contains(37.8, 360 - 122.4)


def test_a_box_across_the_dateline():
    box = Region("fiji", 176.0, -20.0, -178.0, -15.0)
    assert box.contains([-18, -18, -18], [177, -179, 0]).tolist() == [True, True, False]


def test_unknown_region_offers_the_closest():
    with pytest.raises(UnknownNameError, match="california"):
        region("californa")
