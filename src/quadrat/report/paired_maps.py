"""Two maps side by side in the same colours: what is known and what a model expects of it."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from quadrat.report.canvas import STRIPE, Land, coloured, draw_ground, nearest_place
from quadrat.report.projections import Projection, suitable
from quadrat.report.style import INK, RICHNESS, WIDE, new_figure, styled

Array = NDArray[np.float64]

PIXELS = 300_000
"""Size of both coloured pictures together."""

ENVIRONMENT: Colormap = matplotlib.colormaps["cividis"]
"""Low to high, evenly, also for the colour-blind; every value is shown, so none is see-through."""

UNKNOWN = ("#f4f4f2", STRIPE)
"""Stripes of places without a value."""

_STRIPE = 4
"""Pixels along a row."""

COUNTS: Colormap = RICHNESS


@styled()
def paired_maps(
    lat: Array,
    lon: Array,
    sides: tuple[tuple[str, Array], tuple[str, Array]],
    land: Land,
    *,
    title: str,
    label: str,
    colours: Colormap = ENVIRONMENT,
    radius_km: float | None = None,
    from_zero: bool = False,
) -> Figure:
    """Two maps of the same places.

    Args:
        lat: Latitudes of the places in degrees ``(n,)``.
        lon: Longitudes.
        sides: A heading and the values ``(n,)`` of each map; NaN is striped, and the heading says
            at how many places the value is known.
        land: From `quadrat.geo.land_polygons`.
        title: What is shown.
        label: The quantity with its unit, for the colour bar.
        colours: From low to high.
        radius_km: How far a place's colour reaches; from the places' spacing by default.
        from_zero: Begin the scale at 0.
    """
    projection = suitable(lat, lon)
    left, right, bottom, top = projection.extent
    ratio = (top - bottom) / (right - left)
    pixels = PIXELS / 2
    shape = (round((pixels * ratio) ** 0.5), round((pixels / ratio) ** 0.5))
    nearest = nearest_place(lat, lon, projection, shape, radius_km)
    scale = _scale([values for _, values in sides], from_zero)
    figure = new_figure(WIDE, min(max(WIDE * 0.42 * ratio, 1.7), 4.0) + 0.85)
    both = figure.subplots(1, 2)
    for axes, (heading, values) in zip(both, sides, strict=True):
        draw_ground(axes, projection, land)
        unknown = ~np.isfinite(values)
        if unknown.any():
            heading = f"{heading} at {int((~unknown).sum()):,} of {len(values):,} cells"
        image = axes.imshow(
            np.ma.masked_invalid(coloured(values, nearest)),
            extent=projection.extent,
            cmap=colours,
            norm=scale,
            interpolation="nearest",
            zorder=2,
        )
        _draw_unknown(axes, unknown, nearest, projection)
        axes.set_xlim(left, right)
        axes.set_ylim(bottom, top)
        axes.set_aspect("equal")
        axes.set_title(heading, fontsize=8.5, fontweight="normal", pad=3)
    figure.suptitle(title, x=0.012, ha="left", fontsize=10.5, fontweight="bold", color=INK)
    bar = figure.colorbar(
        image, ax=list(both), orientation="horizontal", shrink=0.5, aspect=34, pad=0.03
    )
    bar.set_label(label)
    bar.outline.set_visible(False)
    return figure


def _draw_unknown(
    axes: Axes, unknown: NDArray[np.bool_], nearest: NDArray[np.int64], projection: Projection
) -> None:
    """Places without a value, striped in grey: no colour of a scale can be taken for it."""
    if not unknown.any():
        return
    rows, columns = np.indices(nearest.shape)
    stripes = ((rows + columns) // _STRIPE % 2).astype(np.float64)
    painted = coloured(unknown.astype(np.float64), nearest)
    axes.imshow(
        np.ma.masked_where(~(painted > 0), stripes),
        extent=projection.extent,
        cmap=ListedColormap(UNKNOWN),
        interpolation="nearest",
        zorder=2,
    )


def _scale(values: list[Array], from_zero: bool) -> Normalize:
    """The range of nearly all values of both maps."""
    known = np.concatenate([side[np.isfinite(side)] for side in values])
    low, high = np.percentile(known, [0.5, 99.5]) if known.size else (0.0, 1.0)
    low = 0.0 if from_zero else float(low)
    return Normalize(low, max(float(high), low + 1e-9))
