"""H3 cells as 64-bit numbers: from text, to centres, from points, and their sizes.

H3 is a hierarchy of hexagons (and twelve pentagons) over the globe; see I. Brodsky, "H3: Uber's
hexagonal hierarchical spatial index" (2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadrat.geo.sphere import wrap_lon

if TYPE_CHECKING:
    import polars as pl

CellIds = NDArray[np.uint64]

GRID_KM = {0: 2450, 1: 930, 2: 350, 3: 150, 4: 50, 5: 25, 6: 10}
"""The usual name of a resolution's grid: about the distance of neighbouring centres in km."""

EDGE_KM = (
    1281.256, 483.0568, 182.513, 68.97922, 26.07176, 9.854091, 3.724533, 1.406476,
    0.531414, 0.200786, 0.0758638, 0.0286639, 0.0108302, 0.00409201, 0.00154610, 0.000584169,
)  # fmt: skip
"""The mean length of a cell's edge in km, by resolution 0-15."""


def parse_cells(
    cells: Sequence[str | None] | pl.Series | CellIds,
) -> tuple[CellIds, NDArray[np.bool_]]:
    """Reads cell indices.

    Args:
        cells: Hexadecimal texts such as ``"820007fffffffff"``, or the same as integers.

    Returns:
        The indices as numbers ``(N,)``, 0 where they are not valid, and which are valid.
    """
    import polars as pl
    import polars_h3

    series = cells if isinstance(cells, pl.Series) else pl.Series(values=cells)
    frame = pl.DataFrame({"cell": series})
    if not series.dtype.is_integer():
        frame = frame.select(polars_h3.str_to_int(pl.col("cell").cast(pl.String)).alias("cell"))
    frame = frame.select(pl.col("cell").cast(pl.UInt64, strict=False))
    valid = frame.select(
        polars_h3.is_valid_cell(pl.col("cell").fill_null(0)).fill_null(value=False)
    ).to_series()
    numbers = frame["cell"].fill_null(0).to_numpy().copy()
    known = valid.to_numpy().copy()
    numbers[~known] = 0
    return numbers, known


def format_cells(cells: CellIds) -> list[str]:
    """Cell indices as hexadecimal texts."""
    return [f"{cell:x}" for cell in cells.tolist()]


def cell_centres(cells: CellIds) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Latitudes and longitudes ``(N,)`` in degrees of the centres of valid cells."""
    import polars as pl
    import polars_h3

    centres = pl.DataFrame({"cell": cells}).select(
        polars_h3.cell_to_lat("cell").alias("lat"), polars_h3.cell_to_lng("cell").alias("lon")
    )
    return centres["lat"].to_numpy().copy(), centres["lon"].to_numpy().copy()


def cells_at(lat: ArrayLike, lon: ArrayLike, resolution: int) -> CellIds:
    """The cells in which points lie.

    Args:
        lat: Latitudes in degrees ``(N,)``, within [-90, 90].
        lon: Longitudes in degrees ``(N,)``.
        resolution: 0-15.
    """
    import polars as pl
    import polars_h3

    points = pl.DataFrame({"lat": np.asarray(lat, np.float64), "lon": wrap_lon(lon)})
    cells = points.select(polars_h3.latlng_to_cell("lat", "lon", resolution).alias("cell"))
    return cells["cell"].to_numpy().copy()


def resolutions(cells: CellIds) -> NDArray[np.int64]:
    """The resolution of each cell: bits 52-55 of its index."""
    return ((cells >> np.uint64(52)) & np.uint64(15)).astype(np.int64)


def cell_count(resolution: int) -> int:
    """How many cells cover the globe: ``2 + 120 · 7^resolution``."""
    return int(2 + 120 * 7**resolution)


def all_cells(resolution: int) -> CellIds:
    """All cells of the globe at a resolution, sorted by index."""
    import h3

    texts = [cell for base in h3.get_res0_cells() for cell in h3.cell_to_children(base, resolution)]
    return np.sort(np.array([int(cell, 16) for cell in texts], dtype=np.uint64))
