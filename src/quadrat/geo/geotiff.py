"""Grids of numbers as GeoTIFF, which every geographic information system opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quadrat._extras import require
from quadrat.geo.grids import RasterGrid
from quadrat.runs import atomic_path


def write_geotiff(
    path: Path,
    grid: RasterGrid,
    bands: NDArray[np.float32],
    *,
    names: Sequence[str],
    unit: str,
    tags: Mapping[str, str],
) -> None:
    """Writes layers over a grid of degrees: EPSG:4326, float32, NaN where nothing is known.

    The first row is the northernmost. A grid across the dateline keeps longitudes beyond 180, so
    that the picture is not torn.

    Args:
        path: The file.
        grid: Where the values are.
        bands: The layers ``(bands, H, W)``.
        names: What each band is.
        unit: The unit of all bands.
        tags: What the file is, as text.

    Raises:
        MissingExtraError: rasterio is not installed.
    """
    rasterio = require("rasterio", extra="geo", purpose="a GeoTIFF")
    west, _, _, north = grid.bounds
    profile = {
        "driver": "GTiff",
        "dtype": "float32",
        "count": len(bands),
        "height": grid.shape[0],
        "width": grid.shape[1],
        "crs": "EPSG:4326",
        "transform": rasterio.Affine(grid.step, 0.0, west, 0.0, -grid.step, north),
        "nodata": float("nan"),
        "compress": "deflate",
        "predictor": 3,  # of floating point numbers
    }
    with atomic_path(path) as temporary, rasterio.open(temporary, "w", **profile) as file:
        file.write(np.ascontiguousarray(bands, dtype=np.float32))
        file.descriptions = tuple(names)
        file.units = [unit] * len(bands)
        file.update_tags(**tags)
