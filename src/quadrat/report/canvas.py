"""What a map is drawn on: land, sea and a net of lines, and pixels that take a place's value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.patches import Polygon
from numpy.typing import NDArray

from quadrat.geo import EARTH_RADIUS_KM, chord, great_circle_km, unit_vectors, wrap_lon
from quadrat.report.projections import EqualEarth, Projection
from quadrat.report.style import MUTED

Array = NDArray[np.float64]
Land = Sequence[Sequence[NDArray[np.float64]]]
"""Polygons, each a list of rings of longitude and latitude, as `quadrat.geo.land_polygons`."""

SEA = "#eef4f6"
LAND = "#e3e2da"
COAST = "#9aa39f"
"""The ground of a map; it stays light where the page is dark, as colours are read against it."""

STRIPE = "#a3aaa7"
"""Over places that should not be read like the others: no colour of a scale can be taken for it."""


def paint(
    lat: Array,
    lon: Array,
    values: Array,
    projection: Projection,
    shape: tuple[int, int],
    radius_km: float | None = None,
) -> Array:
    """Gives every pixel of a map the value of the nearest place, if that is near enough.

    Args:
        lat: Latitudes of the places in degrees, ``(n,)``.
        lon: Longitudes.
        values: Their values.
        projection: The map.
        shape: Rows and columns of the picture.
        radius_km: How far a place reaches; from the places' spacing by default.

    Returns:
        ``shape``, the top row first; NaN where no place is near.
    """
    return coloured(values, nearest_place(lat, lon, projection, shape, radius_km))


def coloured(values: Array, nearest: NDArray[np.int64]) -> Array:
    """The values of the places that `nearest_place` found, NaN where there is none."""
    return np.where(nearest >= 0, values[nearest], np.nan)


def nearest_place(
    lat: Array,
    lon: Array,
    projection: Projection,
    shape: tuple[int, int],
    radius_km: float | None = None,
) -> NDArray[np.int64]:
    """The place whose colour every pixel takes.

    Cells of a grid fill the map without gaps, whatever their shape and wherever the map is cut;
    lonely places become dots of a visible size.

    Args:
        lat: Latitudes of the places in degrees, ``(n,)``.
        lon: Longitudes.
        projection: The map.
        shape: Rows and columns of the picture.
        radius_km: How far a place reaches; from the places' spacing by default.

    Returns:
        Positions of places, ``shape``, the top row first; −1 where no place is near.
    """
    from scipy.spatial import cKDTree

    left, right, bottom, top = projection.extent
    rows, columns = shape
    x = left + (np.arange(columns) + 0.5) / columns * (right - left)
    y = top - (np.arange(rows) + 0.5) / rows * (top - bottom)
    there_lon, there_lat = projection.inverse(*np.meshgrid(x, y))
    inside = np.isfinite(there_lon)
    tree = cKDTree(unit_vectors(lat, lon))
    if radius_km is None:
        radius_km = _reach(tree, unit_vectors(lat, lon))
    radius_km = max(radius_km, 2.5 * _pixel_km(projection, (right - left) / columns))
    distance, nearest = tree.query(
        unit_vectors(there_lat[inside], there_lon[inside]),
        distance_upper_bound=float(chord(radius_km)),
    )
    picture = np.full(shape, -1, dtype=np.int64)
    picture[inside] = np.where(np.isfinite(distance), nearest, -1)
    return picture


def _reach(tree: object, vectors: Array) -> float:
    """0.72 of the usual spacing: a hexagon's corner lies at 0.58 of it, a square's at 0.71."""
    if len(vectors) < 2:
        return 0.0
    distance, _ = tree.query(vectors, k=2)  # type: ignore[attr-defined]  # scipy is untyped
    return float(0.72 * EARTH_RADIUS_KM * np.median(distance[:, 1]))


def _pixel_km(projection: Projection, step: float) -> float:
    lon, lat = projection.inverse(np.array([0.0, step]), np.full(2, sum(projection.extent[2:]) / 2))
    return float(great_circle_km(lat[:1], lon[:1], lat[1:], lon[1:])[0])


def draw_ground(axes: Axes, projection: Projection, land: Land) -> None:
    """Sea, land, coast and a faint net of meridians and parallels; those of a region are named."""
    axes.axis("off")
    left, right, bottom, top = projection.extent
    if isinstance(projection, EqualEarth):
        edge = np.linspace(-90, 90, 91)
        sides = np.repeat([180.0, -180.0], 91)
        outline = np.column_stack(projection.forward(sides, np.concatenate([edge, edge[::-1]])))
        shifts: tuple[float, ...] = (0.0,)
    else:
        outline = np.array([[left, bottom], [right, bottom], [right, top], [left, top]])
        shifts = (-360.0, 0.0, 360.0)
    axes.add_patch(Polygon(outline, facecolor=SEA, edgecolor=COAST, linewidth=0.6, zorder=0))
    outlines, lakes = (
        [
            flat
            for polygon in land
            for ring in polygon[part]
            for flat in _flat_rings(projection, ring, shifts)
        ]
        for part in (slice(1), slice(1, None))
    )
    axes.add_collection(PolyCollection(outlines, facecolors=LAND, edgecolors="none", zorder=1))
    axes.add_collection(PolyCollection(lakes, facecolors=SEA, edgecolors="none", zorder=1))
    coast = [np.concatenate([ring, ring[:1]]) for ring in (*outlines, *lakes)]
    axes.add_collection(LineCollection(coast, colors=COAST, linewidths=0.5, zorder=3))
    meridians, parallels = _net(projection)
    net = LineCollection(
        [*meridians.values(), *parallels.values()], colors=COAST, linewidths=0.25, zorder=1.5
    )
    axes.add_collection(net)
    if not isinstance(projection, EqualEarth):
        _name(axes, meridians, "EW")
        _name(axes, parallels, "NS")


def _flat_rings(
    projection: Projection, ring: NDArray[np.float64], shifts: Sequence[float]
) -> list[Array]:
    """A ring on the map, once for every turn of the globe in which it is seen."""
    lon, lat = _dense(np.asarray(ring, np.float64))
    flat = [np.column_stack(projection.forward(lon + shift, lat)) for shift in shifts]
    return [points for points in flat if _overlaps(points, projection.extent)]


def _dense(ring: Array, longest: float = 3.0) -> tuple[Array, Array]:
    """Longitudes and latitudes of a closed ring with no edge longer than so many degrees."""
    lon, lat = [], []
    for start, end in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        steps = max(1, int(np.ceil(np.abs(end - start).max() / longest)))
        share = np.arange(steps) / steps
        lon.append(start[0] + share * (end[0] - start[0]))
        lat.append(start[1] + share * (end[1] - start[1]))
    return np.concatenate(lon), np.concatenate(lat)


def _overlaps(shape: Array, extent: tuple[float, float, float, float]) -> bool:
    left, right, bottom, top = extent
    (low_x, low_y), (high_x, high_y) = shape.min(axis=0), shape.max(axis=0)
    return bool(low_x < right and high_x > left and low_y < top and high_y > bottom)


def _net(projection: Projection) -> tuple[dict[float, Array], dict[float, Array]]:
    """Meridians and parallels by their degrees: every 30 of the world, about five of a region."""
    if isinstance(projection, EqualEarth):
        step, lons, lats = 30.0, (-180.0, 180.0), (-90.0, 90.0)
    else:
        left, right, bottom, top = projection.extent
        x, _ = projection.inverse(np.array([0.0]), np.array([bottom]))
        half = (right - left) / 2 / np.cos(np.radians((bottom + top) / 2))
        lons, lats = (float(x[0]) - half, float(x[0]) + half), (bottom, top)
        step = next(s for s in (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0) if half * 2 / s <= 7)
    along_lat, along_lon = np.linspace(*lats, 61), np.linspace(*lons, 121)
    meridians = {
        lon: np.column_stack(projection.forward(np.full(61, lon), along_lat))
        for lon in np.arange(np.ceil(lons[0] / step), np.floor(lons[1] / step) + 1) * step
    }
    parallels = {
        lat: np.column_stack(projection.forward(along_lon, np.full(121, lat)))
        for lat in np.arange(np.ceil(lats[0] / step), np.floor(lats[1] / step) + 1) * step
    }
    return meridians, parallels


def _name(axes: Axes, lines: Mapping[float, Array], sides: str) -> None:
    """Degrees beside the beginnings of lines: below meridians, to the left of parallels."""
    below = sides == "EW"
    for degrees, line in lines.items():
        value = float(wrap_lon(degrees)) if below else degrees
        side = "" if value in (0.0, -180.0) else sides[int(value < 0)]
        axes.annotate(
            f"{abs(value):g}°{side}",
            line[0],
            xytext=(0, -3) if below else (-3, 0),
            textcoords="offset points",
            ha="center" if below else "right",
            va="top" if below else "center",
            fontsize=6.5,
            color=MUTED,
        )


def half_diagonal_km(lats: Array, lons: Array) -> float | None:
    """How far the corner of a grid's square lies from its middle, where it is largest."""
    if len(lats) < 2 or len(lons) < 2:
        return None
    steps = np.radians([np.abs(np.diff(lats)).max(), np.abs(np.diff(lons)).max()])
    steps[1] *= float(np.cos(np.radians(lats)).max())
    return float(0.51 * EARTH_RADIUS_KM * np.hypot(*steps))
