"""The outlines of H3 cells as polygons of longitude and latitude, cut where a flat map is cut.

A cell across the dateline becomes two polygons that meet at 180 degrees, and a cell around a pole
reaches up to it, as RFC 7946 (GeoJSON, section 3.1.9) asks. Edges are straight in degrees.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quadrat.geo.cells import CellIds

Ring = NDArray[np.float64]


def cell_outlines(cells: CellIds) -> list[list[Ring]]:
    """The polygons of valid cells.

    Returns:
        For each cell its parts, mostly one. A part is a ring ``(N, 2)`` of longitude and latitude
        in degrees, counterclockwise, open (the last point is not the first), within [-180, 180].
    """
    if not len(cells):
        return []
    points, counts = _boundaries(cells)
    rings = np.split(points, np.cumsum(counts)[:-1])
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    spread = np.maximum.reduceat(points[:, 0], first) - np.minimum.reduceat(points[:, 0], first)
    whole = spread < 180
    return [[ring] if one else _cut(ring) for ring, one in zip(rings, whole.tolist(), strict=True)]


def _boundaries(cells: CellIds) -> tuple[Ring, NDArray[np.int64]]:
    """Longitudes and latitudes of all corners, and how many each cell has."""
    import polars as pl
    import polars_h3

    found = pl.DataFrame({"cell": cells}).select(polars_h3.cell_to_boundary("cell").alias("ring"))
    counts = found["ring"].list.len().to_numpy().astype(np.int64)
    flat = found["ring"].explode().explode().to_numpy().reshape(-1, 2)
    return np.ascontiguousarray(flat[:, ::-1]), counts


def _cut(ring: Ring) -> list[Ring]:
    """The parts of a ring whose longitudes jump from one edge of the map to the other."""
    turns = np.diff(ring[:, 0], append=ring[0, 0])
    turns = (turns + 180) % 360 - 180
    lon = ring[0, 0] + np.concatenate([[0], np.cumsum(turns)[:-1]])
    smooth = np.column_stack([lon, ring[:, 1]])
    around = float(turns.sum())
    if abs(around) > 180:  # once around a pole: along the top of the map and back
        pole = 90.0 if ring[:, 1].mean() > 0 else -90.0
        end = smooth[0] + np.array([around, 0.0])
        smooth = np.vstack([smooth, end, [end[0], pole], [smooth[0, 0], pole]])
    parts = []
    for turn in (-360.0, 0.0, 360.0):
        part = _clip(_clip(smooth + np.array([turn, 0.0]), 180.0, -1), -180.0, 1)
        if len(part) >= 3 and abs(_area(part)) > 1e-12:
            parts.append(_counterclockwise(part))
    return parts


def _clip(ring: Ring, lon: float, side: int) -> Ring:
    """The part of a ring east (side 1) or west (−1) of a meridian: Sutherland and Hodgman (1974).

    Reference: "Reentrant polygon clipping", Communications of the ACM 17.
    """
    kept: list[Ring] = []
    for start, end in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        start_in, end_in = (side * (point[0] - lon) >= 0 for point in (start, end))
        if start_in:
            kept.append(start)
        if start_in != end_in:
            share = (lon - start[0]) / (end[0] - start[0])
            kept.append(np.array([lon, start[1] + share * (end[1] - start[1])]))
    return np.array(kept).reshape(-1, 2)


def _area(ring: Ring) -> float:
    """The signed area in square degrees: positive counterclockwise."""
    x, y = ring.T
    return 0.5 * float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


def _counterclockwise(ring: Ring) -> Ring:
    """A ring in the direction in which H3 gives its corners; a cut around a pole may turn it."""
    return ring if _area(ring) > 0 else ring[::-1]
