"""Places with values as GeoJSON and GeoPackage: points, or the outlines of H3 cells."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quadrat._extras import require
from quadrat.geo.cells import format_cells
from quadrat.geo.grids import CellGrid, RasterGrid
from quadrat.geo.outlines import Ring, cell_outlines
from quadrat.geo.sphere import wrap_lon
from quadrat.runs import atomic_path

DECIMALS = 6
"""Of degrees in GeoJSON: a decimetre, as RFC 7946 (section 11.2) advises."""

_LITTLE_ENDIAN, _POINT, _POLYGON, _MULTIPOLYGON = 1, 1, 3, 6
"""Codes of well-known binary (OGC 06-103r4, section 8)."""


def write_geojson(
    path: Path,
    grid: CellGrid | RasterGrid,
    columns: Mapping[str, NDArray[np.float32]],
    *,
    about: Mapping[str, str],
) -> None:
    """Writes a feature a place; places without any value are left out.

    Args:
        path: The file.
        grid: Where the values are.
        columns: Name → values of all places ``(N,)``.
        about: What the file is; members of the collection.
    """
    kept = _known(columns)
    shapes = _geojson_shapes(grid, kept)
    properties = _properties(grid, columns, kept)
    rows = zip(*(values.tolist() for values in properties.values()), strict=True)
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        begin = {"type": "FeatureCollection", **about}
        file.write(json.dumps(begin, ensure_ascii=False)[:-1] + ', "features": [\n')
        for number, (shape, row) in enumerate(zip(shapes, rows, strict=True)):
            named = dict(zip(properties, map(_json_value, row), strict=True))
            feature = {"type": "Feature", "geometry": shape, "properties": named}
            comma = ",\n" if number else ""
            file.write(comma + json.dumps(feature, allow_nan=False))
        file.write("\n]}\n")


def write_geopackage(
    path: Path,
    grid: CellGrid | RasterGrid,
    columns: Mapping[str, NDArray[np.float32]],
    *,
    layer: str,
    about: Mapping[str, str],
) -> None:
    """Writes a layer with a feature a place; places without any value are left out.

    Args:
        path: The file.
        grid: Where the values are.
        columns: Name → values of all places ``(N,)``.
        layer: The layer's name.
        about: What the layer is, as text.

    Raises:
        MissingExtraError: pyogrio is not installed.
    """
    raw = require("pyogrio.raw", extra="geo", purpose="a GeoPackage")
    kept = _known(columns)
    cells = isinstance(grid, CellGrid)
    properties = _properties(grid, columns, kept)
    with atomic_path(path) as temporary:
        raw.write(
            str(temporary),
            geometry=np.array(_binary_shapes(grid, kept), dtype=object),
            field_data=list(properties.values()),
            fields=list(properties),
            layer=layer,
            driver="GPKG",
            geometry_type="MultiPolygon" if cells else "Point",
            crs="EPSG:4326",
            layer_metadata=dict(about),
        )


def _known(columns: Mapping[str, NDArray[np.float32]]) -> NDArray[np.int64]:
    return np.flatnonzero(np.isfinite(np.stack(list(columns.values()))).any(axis=0))


def _properties(
    grid: CellGrid | RasterGrid,
    columns: Mapping[str, NDArray[np.float32]],
    kept: NDArray[np.int64],
) -> dict[str, NDArray[Any]]:
    values = {name: column[kept] for name, column in columns.items()}
    if isinstance(grid, RasterGrid):
        return values
    return {"cell": np.array(format_cells(grid.cells[kept]), dtype=object), **values}


def _points(grid: RasterGrid, kept: NDArray[np.int64]) -> NDArray[np.float64]:
    lat, lon = grid.places()
    return np.column_stack([wrap_lon(lon), lat])[kept]


def _geojson_shapes(grid: CellGrid | RasterGrid, kept: NDArray[np.int64]) -> list[dict[str, Any]]:
    if isinstance(grid, RasterGrid):
        points = np.round(_points(grid, kept), DECIMALS).tolist()
        return [{"type": "Point", "coordinates": point} for point in points]
    shapes = []
    for parts in cell_outlines(grid.cells[kept]):
        rings = [[np.round(_closed(part), DECIMALS).tolist()] for part in parts]
        one = len(rings) == 1
        shapes.append(
            {
                "type": "Polygon" if one else "MultiPolygon",
                "coordinates": rings[0] if one else rings,
            }
        )
    return shapes


def _json_value(value: object) -> object:
    """Single precision has seven digits; the other nine of a double are noise."""
    if isinstance(value, float):
        return float(f"{value:.7g}") if np.isfinite(value) else None
    return value


def _binary_shapes(grid: CellGrid | RasterGrid, kept: NDArray[np.int64]) -> list[bytes]:
    if isinstance(grid, RasterGrid):
        points = _points(grid, kept).tolist()
        return [struct.pack("<BIdd", _LITTLE_ENDIAN, _POINT, *point) for point in points]
    return [_multipolygon(parts) for parts in cell_outlines(grid.cells[kept])]


def _multipolygon(parts: Sequence[Ring]) -> bytes:
    binary = struct.pack("<BII", _LITTLE_ENDIAN, _MULTIPOLYGON, len(parts))
    for part in parts:
        ring = _closed(part)
        binary += struct.pack("<BIII", _LITTLE_ENDIAN, _POLYGON, 1, len(ring))
        binary += ring.astype("<f8").tobytes()
    return binary


def _closed(ring: Ring) -> Ring:
    return np.vstack([ring, ring[:1]])
