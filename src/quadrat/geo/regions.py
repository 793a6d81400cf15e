"""Named regions that are held out to see how a model carries over to places it has not learnt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadrat.errors import UnknownNameError
from quadrat.geo.sphere import wrap_lon


@dataclass(frozen=True)
class Region:
    """A box of longitudes and latitudes in degrees, its borders included.

    A box whose ``lon_min`` is greater than its ``lon_max`` goes across the dateline.
    """

    name: str
    lon_min: float
    lat_min: float
    lon_max: float
    lat_max: float

    def contains(self, lat: ArrayLike, lon: ArrayLike) -> NDArray[np.bool_]:
        """Which points lie in the region."""
        lat, lon = np.asarray(lat, np.float64), wrap_lon(lon)
        east, west = lon >= self.lon_min, lon <= self.lon_max
        across = self.lon_min > self.lon_max
        between = east | west if across else east & west
        return between & (lat >= self.lat_min) & (lat <= self.lat_max)


REGIONS = {
    region.name: region
    for region in (
        Region("us_northwest", -125.0, 42.0, -116.5, 49.0),
        Region("benelux", 2.5, 49.5, 7.2, 53.6),
        Region("uk", -8.2, 49.9, 1.8, 58.7),
        Region("california", -124.5, 32.5, -114.1, 42.0),
        Region("japan", 129.5, 30.0, 145.8, 45.5),
    )
}


def region(name: str) -> Region:
    """A region by name.

    Raises:
        UnknownNameError: There is no such region.
    """
    try:
        return REGIONS[name]
    except KeyError:
        raise UnknownNameError("region", name, REGIONS) from None
