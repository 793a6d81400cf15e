"""Maps as files: pictures, an animation, and layers for geographic information systems."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quadrat.errors import UsageError, closest
from quadrat.runs import atomic_path

if TYPE_CHECKING:
    from quadrat.occurrence.maps import MapLayers

MAP_FORMATS = ("png", "svg", "pdf", "gif", "tif", "gpkg", "geojson")
"""Pictures, an animation, a raster, and two formats of features."""

_ALSO = {"tiff": "tif", "geotiff": "tif", "json": "geojson", "geopackage": "gpkg"}


def map_format(path: Path, name: str | None = None) -> str:
    """The format of a map's file: as asked for, else by the file's ending.

    Raises:
        UsageError: There is no such format.
    """
    asked = (name or path.suffix).lower().lstrip(".")
    found = _ALSO.get(asked, asked)
    if found not in MAP_FORMATS:
        where = f"the format '{name}'" if name else f"{path.name}"
        raise UsageError(
            f"cannot make a map of {where}: the ending must be one of "
            f"{', '.join('.' + known for known in MAP_FORMATS)}.{closest(asked, MAP_FORMATS)}"
        )
    return found


def write_map(layers: MapLayers, path: Path | str, *, format: str | None = None) -> Path:
    """Writes a map.

    Args:
        layers: From `quadrat.occurrence.maps.map_layers`.
        path: The file.
        format: One of `MAP_FORMATS`; by the file's ending by default.

    Returns:
        The file.

    Raises:
        UsageError: There is no such format, or it cannot hold this map.
        MissingExtraError: The format needs a package that is not installed.
    """
    path = Path(path)
    kind = map_format(path, format)
    if kind == "tif":
        _write_raster(layers, path)
    elif kind in ("gpkg", "geojson"):
        _write_features(layers, path, kind)
    else:
        content = _picture(layers, kind)
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
    return path


def _picture(layers: MapLayers, kind: str) -> bytes:
    from quadrat.report.layer_maps import layer_animation, layer_figure
    from quadrat.report.pictures import picture_bytes

    if kind == "gif":
        return layer_animation(layers)
    return picture_bytes(layer_figure(layers), kind)


def _write_raster(layers: MapLayers, path: Path) -> None:
    from quadrat.geo import RasterGrid
    from quadrat.geo.geotiff import write_geotiff

    if not isinstance(layers.grid, RasterGrid):
        raise UsageError("a GeoTIFF holds a grid of degrees, not H3 cells: give a step.")
    bands = layers.values.reshape(len(layers.weeks), *layers.grid.shape)
    names = [f"{layers.subject.quantity} {name}" for name in layers.names]
    unit = layers.subject.unit
    write_geotiff(path, layers.grid, bands, names=names, unit=unit, tags=_about(layers))


def _write_features(layers: MapLayers, path: Path, kind: str) -> None:
    from quadrat.geo.features import write_geojson, write_geopackage

    columns: dict[str, NDArray[np.float32]] = {
        f"{layers.subject.quantity}_{name}": values
        for name, values in zip(layers.names, layers.values, strict=True)
    }
    if kind == "geojson":
        write_geojson(path, layers.grid, columns, about=_about(layers))
    else:
        layer = layers.subject.quantity
        if layers.subject.species is not None:
            layer = f"{layers.subject.species.code}_{layer}"
        write_geopackage(path, layers.grid, columns, layer=layer, about=_about(layers))


def _about(layers: MapLayers) -> dict[str, str]:
    """What a file holds, for people who find it alone."""
    subject = layers.subject
    about = {
        "title": subject.title,
        "quantity": subject.quantity,
        "unit": subject.unit,
        "weeks": ", ".join("year" if week == 0 else str(week) for week in layers.weeks),
    }
    if subject.species is not None:
        about["species_code"] = subject.species.code
        about["scientific_name"] = subject.species.scientific
        about["common_name"] = subject.species.common
    return about
