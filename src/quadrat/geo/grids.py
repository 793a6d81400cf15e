"""Places all over a box of the globe: the middles of a grid of degrees, or H3 cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quadrat.errors import UsageError
from quadrat.geo.cells import EDGE_KM, CellIds, all_cells, cell_centres, cell_count
from quadrat.geo.regions import region

Floats = NDArray[np.float64]
Bounds = tuple[float, float, float, float]
"""Longitude from, latitude from, longitude to, latitude to, in degrees. A longitude beyond 180
goes across the dateline."""

WORLD: Bounds = (-180.0, -90.0, 180.0, 90.0)

MOST_PLACES = 5_000_000
"""More places than this are refused: a mistyped step would fill the memory."""

KM_PER_DEGREE = 111.2


@dataclass(frozen=True)
class RasterGrid:
    """The middles of squares of degrees.

    Args:
        lat: Latitudes of the rows, from north to south ``(H,)``.
        lon: Longitudes of the columns, from west to east ``(W,)``.
        step: Width and height of a square in degrees.
    """

    lat: Floats
    lon: Floats
    step: float

    @classmethod
    def of(cls, bounds: Bounds = WORLD, step: float = 1.0) -> RasterGrid:
        """The grid whose first square lies in the north-western corner of a box.

        Raises:
            UsageError: The box is none, holds no middle of a square, or far too many.
        """
        west, south, east, north = checked_bounds(bounds)
        if step <= 0 or not np.isfinite(step):
            raise UsageError(f"a grid with steps of {step} degrees holds no points.")
        rows, columns = (_middles(length, step) for length in (north - south, east - west))
        if rows * columns == 0:
            raise UsageError(f"the bounds {bounds} with steps of {step} degrees hold no points.")
        _refuse_too_many(rows * columns, "a larger step")
        down, right = (step * (np.arange(n, dtype=np.float64) + 0.5) for n in (rows, columns))
        return cls(np.asarray(north - down), np.asarray(west + right), step)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.lat), len(self.lon)

    @property
    def bounds(self) -> Bounds:
        """The outer edges of the squares."""
        half = self.step / 2
        west, east = float(self.lon[0]) - half, float(self.lon[-1]) + half
        return west, float(self.lat[-1]) - half, east, float(self.lat[0]) + half

    def places(self) -> tuple[Floats, Floats]:
        """Latitudes and longitudes of all middles, row by row ``(H · W,)``."""
        lat, lon = np.meshgrid(self.lat, self.lon, indexing="ij")
        return lat.ravel(), lon.ravel()


@dataclass(frozen=True)
class CellGrid:
    """H3 cells with their centres.

    Args:
        cells: The cells, sorted by index ``(N,)``.
        lat: Latitudes of the centres in degrees ``(N,)``.
        lon: Longitudes of the centres.
        resolution: 0-15.
    """

    cells: CellIds
    lat: Floats
    lon: Floats
    resolution: int

    @classmethod
    def of(cls, bounds: Bounds = WORLD, resolution: int = 2) -> CellGrid:
        """The cells whose centres lie in a box.

        Raises:
            UsageError: The box is none, or holds no cell or far too many.
        """
        box = checked_bounds(bounds)
        if not 0 <= resolution < len(EDGE_KM):
            raise UsageError(f"resolution = {resolution}: H3 cells have resolutions 0 to 15.")
        west, south, east, north = box
        share = (east - west) / 360 * np.ptp(np.sin(np.radians([south, north]))) / 2
        _refuse_too_many(cell_count(resolution) * share, "a lower resolution")
        cells = all_cells(0)
        for finer in range(resolution):
            # A child's centre may lie outside its parent, but never as far as two edges from it.
            cells = _children(cells[_near(cells, box, 3 * EDGE_KM[finer])], finer + 1)
        lat, lon = cell_centres(cells)
        inside = _inside(lat, lon, box)
        if not inside.any():
            raise UsageError(f"no H3 cell of resolution {resolution} has its centre in {bounds}.")
        chosen = np.flatnonzero(inside)
        chosen = chosen[np.argsort(cells[chosen])]
        return cls(cells[chosen], lat[chosen], lon[chosen], resolution)

    def places(self) -> tuple[Floats, Floats]:
        """Latitudes and longitudes of the centres ``(N,)``."""
        return self.lat, self.lon


def parse_bounds(text: str) -> Bounds:
    """Bounds as four numbers with commas between, or the name of a region.

    Raises:
        UsageError: There are not four numbers, or they are no box.
        UnknownNameError: There is no such region.
    """
    if not any(sign.isdigit() for sign in text):
        named = region(text.strip())
        return named.lon_min, named.lat_min, named.lon_max, named.lat_max
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"bounds '{text}': give longitude from, latitude from, longitude to, latitude to, as "
            "in -10,35,30,60, or a region such as uk."
        ) from None
    return checked_bounds((west, south, east, north))


def checked_bounds(bounds: Bounds) -> Bounds:
    """The bounds, if they are a box.

    Raises:
        UsageError: They are not.
    """
    west, south, east, north = bounds
    good = -90 <= south < north <= 90 and -360 <= west < east <= 360 and east - west <= 360
    if not good:
        raise UsageError(
            f"the bounds {bounds} hold no points: give longitude from, latitude from, longitude "
            "to, latitude to in degrees; across the dateline the second longitude is beyond 180."
        )
    return bounds


def _middles(length: float, step: float) -> int:
    """How many squares have their middle within a length; the slack is for rounding."""
    return max(int(np.ceil(length / step - 0.5 - 1e-9)), 0)


def _refuse_too_many(places: float, instead: str) -> None:
    if places > MOST_PLACES:
        raise UsageError(
            f"the map would have {places:,.0f} places; at most {MOST_PLACES:,} are made at a "
            f"time. Ask for {instead}, or for smaller bounds."
        )


def _children(cells: CellIds, resolution: int) -> CellIds:
    import polars as pl
    import polars_h3

    children = polars_h3.cell_to_children("cell", resolution).alias("cell")
    found = pl.DataFrame({"cell": cells}).select(children).explode("cell")
    return found["cell"].cast(pl.UInt64).to_numpy().copy()


def _near(cells: CellIds, box: Bounds, km: float) -> NDArray[np.bool_]:
    """Cells with their centre in a box or so near it that a descendant's may be."""
    west, south, east, north = box
    low, high = south - km / KM_PER_DEGREE, north + km / KM_PER_DEGREE
    farthest = max(abs(low), abs(high))
    wider = 360.0
    if farthest < 89:
        wider = km / KM_PER_DEGREE / float(np.cos(np.radians(farthest)))
    lat, lon = cell_centres(cells)
    return _inside(lat, lon, (west - wider, low, east + wider, high))


def _inside(lat: Floats, lon: Floats, box: Bounds) -> NDArray[np.bool_]:
    west, south, east, north = box
    eastward = (lon - west) % 360 <= east - west
    return (lat >= south) & (lat <= north) & (eastward | (east - west >= 360))
