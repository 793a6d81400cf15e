"""Where and how far: the sphere, H3 cells, the land, named regions."""

from __future__ import annotations

from quadrat.geo.cells import (
    EDGE_KM,
    GRID_KM,
    CellIds,
    all_cells,
    cell_centres,
    cell_count,
    cells_at,
    format_cells,
    parse_cells,
    resolutions,
)
from quadrat.geo.grids import WORLD, Bounds, CellGrid, RasterGrid, parse_bounds
from quadrat.geo.land import is_land, land_polygons
from quadrat.geo.outlines import cell_outlines
from quadrat.geo.regions import REGIONS, Region, region
from quadrat.geo.sphere import (
    EARTH_RADIUS_KM,
    chord,
    chord_km,
    great_circle_km,
    lat_lon,
    spacing_km,
    unit_vectors,
    wrap_lon,
)

__all__ = [
    "EARTH_RADIUS_KM",
    "EDGE_KM",
    "GRID_KM",
    "REGIONS",
    "WORLD",
    "Bounds",
    "CellGrid",
    "CellIds",
    "RasterGrid",
    "Region",
    "all_cells",
    "cell_centres",
    "cell_count",
    "cell_outlines",
    "cells_at",
    "chord",
    "chord_km",
    "format_cells",
    "great_circle_km",
    "is_land",
    "land_polygons",
    "lat_lon",
    "parse_bounds",
    "parse_cells",
    "region",
    "resolutions",
    "spacing_km",
    "unit_vectors",
    "wrap_lon",
]
