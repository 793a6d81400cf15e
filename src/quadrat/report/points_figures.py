"""Figures of points: where the sites lie, and which fold holds each of them out."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from quadrat.geo import wrap_lon
from quadrat.report.canvas import Land, draw_ground
from quadrat.report.projections import Local, suitable
from quadrat.report.style import FAINT, PALETTE, WIDE, heading, new_figure, styled

Array = NDArray[np.float64]

_MARKS = ("o", "^", "s", "D")
"""Marks of the folds; each stands for as many folds as there are colours."""

_LEGEND_SIZE = 26.0
"""Area of a mark of the legend in square points."""

_MOST_LINES = 60
"""Edges of blocks along a side that are drawn; of more, lines would hide the dots."""


@styled()
def fold_map(
    east: Array,
    north: Array,
    fold: NDArray[np.int64],
    *,
    land: Land | None,
    side: float | None = None,
) -> Figure:
    """Every site as a dot in the colour of the fold that holds it out.

    Args:
        east: Longitudes in degrees, or projected coordinates ``(n,)``.
        north: Latitudes, or projected coordinates ``(n,)``.
        fold: Counted from zero ``(n,)``.
        land: From `quadrat.geo.land_polygons` for degrees; None for projected coordinates.
        side: Side of a block in projected coordinates, whose edges are drawn.
    """
    if land is None:
        figure = _figure(max(float(np.ptp(north)), 1e-9) / max(float(np.ptp(east)), 1e-9))
        axes = figure.add_subplot(aspect="equal")
        axes.set(xlabel="x (units of the table)", ylabel="y (units of the table)")
        _draw_blocks(axes, east, north, side)
        x, y = east, north
    else:
        projection = suitable(north, east)
        left, right, bottom, top = projection.extent
        figure = _figure((top - bottom) / (right - left))
        axes = figure.add_subplot(aspect="equal")
        draw_ground(axes, projection, land)
        axes.set(xlim=(left, right), ylim=(bottom, top))
        middle = projection.lon if isinstance(projection, Local) else 0.0
        x, y = projection.forward(middle + wrap_lon(east - middle), north)
    size = float(np.clip(20_000 / max(len(fold), 1), 5.0, 18.0))
    _dots(axes, x, y, fold, size)
    heading(axes, "The sites and their folds", f"n {len(fold):,}")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=8,
        columnspacing=1.2,
        handletextpad=0.2,
        markerscale=(_LEGEND_SIZE / size) ** 0.5,
    )
    return figure


def _figure(ratio: float) -> Figure:
    return new_figure(WIDE, min(max(WIDE * 0.8 * ratio, 2.4), 6.2) + 0.6)


def _draw_blocks(axes: Axes, east: Array, north: Array, side: float | None) -> None:
    axes.grid(visible=False)
    if side is None or max(np.ptp(east), np.ptp(north)) / side > _MOST_LINES:
        return
    for values, line in ((east, axes.axvline), (north, axes.axhline)):
        for edge in np.arange(values.min(), values.max() + side, side):
            line(float(edge), color=FAINT, linewidth=0.6, zorder=0)


def _dots(axes: Axes, x: Array, y: Array, fold: NDArray[np.int64], size: float) -> None:
    for number in range(int(fold.max()) + 1):
        own = fold == number
        axes.scatter(
            x[own],
            y[own],
            s=size,
            color=PALETTE[number % len(PALETTE)],
            marker=_MARKS[number // len(PALETTE) % len(_MARKS)],
            linewidths=0,
            label=f"fold {number + 1}",
            rasterized=True,
            zorder=4,
        )
