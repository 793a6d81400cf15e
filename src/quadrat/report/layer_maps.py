"""Maps of one or several weeks: as one figure, or as an animation of the year."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, ListedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray
from PIL import Image

from quadrat.geo import RasterGrid, land_polygons
from quadrat.occurrence.maps import MapLayers
from quadrat.report.canvas import (
    COAST,
    LAND,
    SEA,
    STRIPE,
    coloured,
    draw_ground,
    half_diagonal_km,
    nearest_place,
)
from quadrat.report.projections import Projection, suitable
from quadrat.report.style import (
    INK,
    MUTED,
    OCCURRENCE,
    PAPER,
    RICHNESS,
    UNCERTAINTY,
    WIDE,
    heading,
    new_figure,
    styled,
)
from quadrat.runtime.weeks import week_label

Array = NDArray[np.float64]
Picture = NDArray[np.uint8]

PIXELS = 500_000
"""Size of all coloured pictures of a figure together."""

_COLOURS: dict[str, Colormap] = {
    "range": OCCURRENCE,
    "richness": RICHNESS,
    "uncertainty": UNCERTAINTY,
}

_STRIPES = 260
"""The longer side of a map, in widths of a stripe."""
_STRIPED = "striped: farther from all records than what was judged"

_SHARE = 0.86
"""Of the width that the maps take; the rest is the colour bar's."""
_HIGHEST, _NARROWEST = 5.5, 4.2
"""Inches of a map's height, and of a figure's width, whose titles need room."""

FRAME_MILLISECONDS = 180
"""The year goes by in nine seconds."""

_SCALE_COLOURS, _EDGE_COLOURS = 120, 10
"""How finely the colours of a GIF tell numbers, and the soft edges of lines, apart."""


@dataclass(frozen=True)
class _Sheet:
    """What all weeks of a map share.

    Args:
        layers: The map.
        projection: Onto which it is drawn.
        nearest: The place of every pixel.
        top: Where the darkest colour begins.
    """

    layers: MapLayers
    projection: Projection
    nearest: NDArray[np.int64]
    top: float

    @classmethod
    def of(cls, layers: MapLayers, pixels: int) -> _Sheet:
        lat, lon = layers.grid.places()
        projection = suitable(lat, lon)
        ratio = _ratio(projection)
        shape = (round((pixels * ratio) ** 0.5), round((pixels / ratio) ** 0.5))
        radius = None
        if isinstance(layers.grid, RasterGrid):
            radius = half_diagonal_km(layers.grid.lat, layers.grid.lon)
        known = layers.values[np.isfinite(layers.values)]
        top = layers.subject.highest
        if top is None:
            top = max(float(np.percentile(known, 99.5)), 1e-9) if known.size else 1.0
        return cls(layers, projection, nearest_place(lat, lon, projection, shape, radius), top)

    def draw(self, axes: Axes, layer: int, land: list[list[Array]]) -> AxesImage:
        """Ground and colours of one week."""
        left, right, bottom, top = self.projection.extent
        draw_ground(axes, self.projection, land)
        image = axes.imshow(
            self.picture(layer),
            extent=self.projection.extent,
            cmap=_COLOURS[self.layers.subject.kind],
            vmin=0.0,
            vmax=self.top,
            interpolation="nearest",
            zorder=2,
        )
        if self.stripes.any():
            axes.imshow(
                np.ma.masked_where(~self.stripes, self.stripes),
                extent=self.projection.extent,
                cmap=ListedColormap([STRIPE]),
                interpolation="nearest",
                zorder=2.5,
            )
        axes.set_xlim(left, right)
        axes.set_ylim(bottom, top)
        axes.set_aspect("equal")
        return image

    def picture(self, layer: int) -> np.ma.MaskedArray[tuple[int, ...], np.dtype[np.float64]]:
        """One week's numbers, a pixel each."""
        values = self.layers.values[layer].astype(np.float64)
        return np.ma.masked_invalid(coloured(values, self.nearest))

    @cached_property
    def note(self) -> str:
        """The second line of a map."""
        told = [self.layers.subject.note, _STRIPED if self.stripes.any() else ""]
        return "  ·  ".join(part for part in told if part)

    @cached_property
    def stripes(self) -> NDArray[np.bool_]:
        """Grey over a third of what is far from all records, be it coloured or not."""
        far = self.layers.far
        if far is None:
            return np.zeros(self.nearest.shape, dtype=bool)
        known = np.isfinite(self.layers.values).any(axis=0)
        width = max(1, round(max(self.nearest.shape) / _STRIPES))
        rows, columns = np.indices(self.nearest.shape)
        striped = (rows + columns) // width % 3 == 0
        beyond = far & known
        return np.asarray(striped & (self.nearest >= 0) & beyond[self.nearest])


@styled()
def layer_figure(layers: MapLayers) -> Figure:
    """All weeks of a map in one figure, in the same colours.

    Args:
        layers: The map; a panel a week.
    """
    count = len(layers.weeks)
    columns = _columns(count)
    rows = -(-count // columns)
    sheet = _Sheet.of(layers, PIXELS // count)
    figure = new_figure(*_size(sheet.projection, rows, columns, titled=count > 1))
    grid = figure.subplots(rows, columns, squeeze=False)
    land = land_polygons()
    for place, axes in enumerate(grid.ravel()):
        if place >= count:
            axes.axis("off")
            continue
        image = sheet.draw(axes, place, land)
        if count > 1:
            label = week_label(layers.weeks[place])
            axes.set_title(label, fontsize=8.5 if columns < 4 else 7, fontweight="normal", pad=3)
    subject = layers.subject
    if count == 1:
        heading(grid[0, 0], f"{subject.title} · {week_label(layers.weeks[0])}", sheet.note)
    else:
        note = f"  ·  {sheet.note}" if sheet.note else ""
        figure.suptitle(
            f"{subject.title}{note}",
            x=0.012, ha="left", fontsize=10.5, fontweight="bold", color=INK,
        )  # fmt: skip
    _colour_bar(figure, image, list(grid.ravel()), subject.label, rows)
    return figure


@styled()
def layer_animation(layers: MapLayers) -> bytes:
    """The weeks of a map one after another, as a GIF that begins anew.

    All frames share one palette, so that a colour means the same in every week.

    Args:
        layers: The map; a frame a week.
    """
    sheet = _Sheet.of(layers, PIXELS // 2)
    figure = new_figure(*_size(sheet.projection, 1, 1, titled=False))
    axes = figure.add_subplot()
    image = sheet.draw(axes, 0, land_polygons())
    subject = layers.subject
    heading(axes, f"{subject.title} · {week_label(layers.weeks[0])}", sheet.note)
    _colour_bar(figure, image, [axes], subject.label, 1)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    figure.set_layout_engine("none")  # as it is now: nothing may move from frame to frame
    frames = []
    for layer, week in enumerate(layers.weeks):
        image.set_data(sheet.picture(layer))
        axes.set_title(f"{subject.title} · {week_label(week)}", loc="left", pad=_pad(sheet.note))
        canvas.draw()  # type: ignore[no-untyped-call]
        drawn = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        frames.append(drawn[:, :, :3].copy())
    return _gif(frames, _COLOURS[subject.kind])


def _gif(frames: list[Picture], colours: Colormap) -> bytes:
    palette = _palette(colours)
    plain = [_with_palette(frame, palette) for frame in frames]
    buffer = io.BytesIO()
    plain[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=plain[1:],
        duration=FRAME_MILLISECONDS,
        loop=0,
    )
    return buffer.getvalue()


def _with_palette(frame: Picture, palette: Picture) -> Image.Image:
    """A frame ``(H, W, 3)`` in the nearest colours of a palette ``(colours, 3)``."""
    from scipy.spatial import cKDTree

    used, where = np.unique(frame.reshape(-1, 3), axis=0, return_inverse=True)
    _, nearest = cKDTree(palette).query(used)
    image = Image.fromarray(nearest.astype(np.uint8)[where].reshape(frame.shape[:2]), "P")
    image.putpalette(palette.tobytes())
    return image


def _palette(colours: Colormap) -> Picture:
    """At most 256 colours: the scale over land, sea and paper, and edges of lines and letters."""
    scale = colours(np.linspace(0, 1, _SCALE_COLOURS))
    found = [
        scale[:, 3:] * scale[:, :3] + (1 - scale[:, 3:]) * np.array(to_rgb(ground))
        for ground in (PAPER, LAND, SEA)
    ]
    for ground, line in ((PAPER, INK), (PAPER, MUTED), (LAND, COAST), (SEA, COAST)):
        share = np.linspace(0, 1, _EDGE_COLOURS)[:, None]
        found.append(share * np.array(to_rgb(line)) + (1 - share) * np.array(to_rgb(ground)))
    found.append(np.array([to_rgb(STRIPE)]))
    return np.unique(np.round(255 * np.concatenate(found)).astype(np.uint8), axis=0)


def _pad(note: str) -> int:
    return 20 if note else 8


def _ratio(projection: Projection) -> float:
    left, right, bottom, top = projection.extent
    return (top - bottom) / (right - left)


def _columns(count: int) -> int:
    """1, 2, 3, 4 or 6 maps a row, so that twelve months and 48 weeks fill their rows."""
    return next((c for c, most in ((1, 1), (2, 4), (3, 12), (4, 24)) if count <= most), 6)


def _size(projection: Projection, rows: int, columns: int, *, titled: bool) -> tuple[float, float]:
    """Inches of a figure whose maps share the width and leave room for the colour bar."""
    ratio = _ratio(projection)
    one = WIDE * _SHARE / columns * ratio
    one = min(max(one, 2.6 if columns == 1 else 0.0), _HIGHEST)
    width = min(max(one / ratio * columns / _SHARE, _NARROWEST), WIDE)
    return width, rows * (one + (0.24 if titled else 0.0)) + 0.55


def _colour_bar(figure: Figure, image: AxesImage, axes: list[Axes], label: str, rows: int) -> None:
    bar = figure.colorbar(image, ax=axes, shrink=0.72 if rows < 3 else 0.4, aspect=28, pad=0.015)
    bar.set_label(label)
    bar.outline.set_visible(False)
