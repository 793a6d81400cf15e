"""One look for every figure: palette, type, axes, and byte-stable SVG and PNG.

Figures are made with `matplotlib.figure.Figure` and never with pyplot, so no backend is chosen and
no window or global figure list exists. The settings hold only inside `styled`.
"""

from __future__ import annotations

import contextlib
import io
import re
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

PAPER = "#ffffff"
INK = "#1c2a26"
MUTED = "#5c6b66"
FAINT = "#dbe2de"
ACCENT = "#17785c"
NEUTRAL = "#87938e"
PALETTE = (ACCENT, "#dc9a12", "#519fe0", "#c1440e", "#6f52b5", "#d67ba8")
"""Six colours that stay apart for the three common kinds of colour blindness."""

RICHNESS = LinearSegmentedColormap.from_list(
    "richness", ["#f3edd300", "#d3dc95ff", "#86c27d", "#329a7c", "#146c74", "#123c59"]
)
"""Nothing to dark, evenly: numbers of species, where none is see-through."""

OCCURRENCE = LinearSegmentedColormap.from_list(
    "occurrence", ["#fbf1dc00", "#f9d48bff", "#ee9748", "#cf4a4d", "#8f2468", "#43155a"]
)
"""Nothing to dark, evenly: probabilities, where zero is see-through."""

UNCERTAINTY = LinearSegmentedColormap.from_list(
    "uncertainty", ["#f4f4f800", "#c9d3eaff", "#94a8dd", "#6f77c0", "#574696", "#33205e"]
)
"""Nothing to dark, evenly: how unsure a model is, where sure is see-through."""

PANEL = (3.2, 3.2)
WIDE = 7.6
"""Figure sizes in inches: a panel that stands beside others, and the width of a full line."""

_SETTINGS: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": NEUTRAL,
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 9.0,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
    "figure.dpi": 100,
    "axes.facecolor": PAPER,
    "figure.facecolor": PAPER,
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same letters on every machine
    "font.size": 9.0,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "legend.labelcolor": MUTED,
    "lines.linewidth": 1.6,
    "path.simplify": True,
    "savefig.bbox": None,
    "savefig.facecolor": PAPER,
    "svg.fonttype": "none",  # text stays text: searchable, and smaller than outlines
    "svg.hashsalt": "quadrat",
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in a name does not begin a formula
    "xtick.color": NEUTRAL,
    "xtick.labelcolor": MUTED,
    "xtick.labelsize": 8.0,
    "xtick.major.size": 3.0,
    "ytick.color": NEUTRAL,
    "ytick.labelcolor": MUTED,
    "ytick.labelsize": 8.0,
    "ytick.major.size": 3.0,
}

_LOCK = threading.RLock()  # matplotlib's settings are shared by all threads

_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """Matplotlib with this look, for the block (or, as a decorator, the function) only."""
    with _LOCK, matplotlib.rc_context(_SETTINGS):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure.

    Args:
        width: In inches.
        height: In inches.
    """
    return Figure(figsize=(width, height), layout="constrained")


def heading(axes: Axes, title: str, note: str = "") -> None:
    """Sets a bold title with a quieter line of facts below it."""
    axes.set_title(title, loc="left", pad=20 if note else 8)
    if note:
        axes.annotate(
            note,
            (0, 1),
            xytext=(0, 7),
            xycoords="axes fraction",
            textcoords="offset points",
            color=MUTED,
            fontsize=8,
        )


def colours(count: int) -> list[str]:
    """A colour for each of ``count`` things; one colour for all where the palette is too short."""
    return list(PALETTE[:count]) if count <= len(PALETTE) else [ACCENT] * count


def written_out(axis: Axis) -> None:
    """A logarithmic axis with numbers such as 0.01, 1 and 1,000, and no ticks between.

    Where the data span little, so that hardly a power of ten lies within, other round numbers are
    written too.
    """
    axis.set_major_formatter(FuncFormatter(_decimal))
    axis.set_minor_locator(NullLocator())
    low, high = sorted(axis.get_view_interval())
    if not 0 < low < high or high / low >= 100:
        return
    if high / low >= 8:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    else:
        axis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]))


def _decimal(value: float, _: object = None) -> str:
    return f"{value:,.6g}" if value >= 1 else f"{value:.6f}".rstrip("0")


def span(values: Sequence[ArrayLike], pad: float = 0.04) -> tuple[float, float]:
    """The range that holds all finite values, a little wider.

    Returns:
        Low and high; (0, 1) where there is nothing finite, and never of zero length.
    """
    flat: NDArray[np.float64] = np.concatenate(
        [np.ravel(np.asarray(v, dtype=np.float64)) for v in values] or [np.empty(0)]
    )
    flat = flat[np.isfinite(flat)]
    if flat.size == 0:
        return 0.0, 1.0
    low, high = float(flat.min()), float(flat.max())
    margin = (high - low) * pad or max(abs(high), 1.0) * pad
    return low - margin, high + margin


@styled()
def to_svg(figure: Figure) -> str:
    """The figure as an SVG document; the same figure gives the same bytes."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", dpi=180, metadata={"Date": None})
    return _METADATA.sub("", buffer.getvalue())


@styled()
def to_png(figure: Figure, dpi: int = 150) -> bytes:
    """The figure as a PNG file on white."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


@styled()
def to_pdf(figure: Figure) -> bytes:
    """The figure as a PDF file, without a date."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="pdf", dpi=200, metadata={"CreationDate": None})
    return buffer.getvalue()
