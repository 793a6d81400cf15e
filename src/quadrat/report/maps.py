"""Maps: values of places coloured over land and sea, on equal areas or close up."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from quadrat.report.canvas import Land, draw_ground, half_diagonal_km, paint
from quadrat.report.projections import suitable
from quadrat.report.style import (
    OCCURRENCE,
    RICHNESS,
    WIDE,
    heading,
    new_figure,
    styled,
)

Array = NDArray[np.float64]

PIXELS = 500_000
"""Size of the coloured picture."""


@styled()
def range_map(
    lats: ArrayLike,
    lons: ArrayLike,
    probabilities: ArrayLike,
    title: str,
    land: Land,
    *,
    note: str = "",
    radius_km: float | None = None,
) -> Figure:
    """Where one species is to be expected.

    Args:
        lats: Latitudes in degrees: of the points ``(n,)``, or of the rows of a grid.
        lons: Longitudes in degrees: of the points ``(n,)``, or of the columns of a grid.
        probabilities: Of the points ``(n,)``, or of a grid ``(rows, columns)``; NaN is left out.
        title: The species' name, and the week.
        land: From `quadrat.geo.land_polygons`.
        note: A second line, quieter.
        radius_km: How far a point's colour reaches; from the points' spacing by default.
    """
    if np.ndim(probabilities) == 2 and radius_km is None:
        radius_km = half_diagonal_km(np.asarray(lats, np.float64), np.asarray(lons, np.float64))
    lat, lon, values = _points(lats, lons, probabilities)
    return _value_map(
        lat,
        lon,
        values,
        land,
        title=title,
        note=note,
        label="probability of occurrence (0–1)",
        colours=OCCURRENCE,
        limits=(0.0, 1.0),
        radius_km=radius_km,
    )


@styled()
def richness_map(
    lats: ArrayLike,
    lons: ArrayLike,
    richness: ArrayLike,
    land: Land,
    *,
    title: str = "Expected number of species",
    note: str = "",
    label: str = "species (count)",
    radius_km: float | None = None,
    top: float | None = None,
) -> Figure:
    """How many species each place holds.

    Args:
        lats: Latitudes in degrees, ``(n,)``.
        lons: Longitudes in degrees, ``(n,)``.
        richness: Numbers of species, ``(n,)``; NaN is left out.
        land: From `quadrat.geo.land_polygons`.
        title: What is shown.
        note: A second line, quieter.
        label: The colour bar's label, with the unit.
        radius_km: How far a place's colour reaches; from the places' spacing by default.
        top: Where the darkest colour begins; by default all but the highest half percent.
    """
    lat, lon, values = _points(lats, lons, richness)
    if top is None:
        top = float(np.percentile(values, 99.5)) if values.size else 1.0
    return _value_map(
        lat,
        lon,
        values,
        land,
        title=title,
        note=note,
        label=label,
        colours=RICHNESS,
        limits=(0.0, max(top, 1e-9)),
        radius_km=radius_km,
    )


def _points(lats: ArrayLike, lons: ArrayLike, values: ArrayLike) -> tuple[Array, Array, Array]:
    lat, lon = np.asarray(lats, np.float64), np.asarray(lons, np.float64)
    of_point = np.asarray(values, np.float64)
    if of_point.ndim == 2:
        lat, lon = np.meshgrid(lat, lon, indexing="ij")
    known = np.isfinite(of_point)
    return lat[known], lon[known], of_point[known]


def _value_map(
    lat: Array,
    lon: Array,
    values: Array,
    land: Land,
    *,
    title: str,
    note: str,
    label: str,
    colours: Colormap,
    limits: tuple[float, float],
    radius_km: float | None,
) -> Figure:
    projection = suitable(lat, lon)
    left, right, bottom, top = projection.extent
    ratio = (top - bottom) / (right - left)
    figure = new_figure(WIDE, min(max(WIDE * 0.86 * ratio, 2.6), 7.0) + 0.55)
    axes = figure.add_subplot()
    draw_ground(axes, projection, land)
    if values.size:
        shape = (round((PIXELS * ratio) ** 0.5), round((PIXELS / ratio) ** 0.5))
        picture = paint(lat, lon, values, projection, shape, radius_km)
        image = axes.imshow(
            np.ma.masked_invalid(picture),
            extent=projection.extent,
            cmap=colours,
            vmin=limits[0],
            vmax=limits[1],
            interpolation="nearest",
            zorder=2,
        )
        bar = figure.colorbar(image, ax=axes, shrink=0.72, aspect=28, pad=0.015)
        bar.set_label(label)
        bar.outline.set_visible(False)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    axes.set_aspect("equal")
    heading(axes, title, note)
    return figure
