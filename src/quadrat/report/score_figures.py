"""Figures for every family: scores beside their baselines, and curves of training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from quadrat.report.style import (
    ACCENT,
    INK,
    MUTED,
    NEUTRAL,
    PALETTE,
    PANEL,
    PAPER,
    WIDE,
    colours,
    heading,
    new_figure,
    span,
    styled,
    written_out,
)

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


@styled()
def scores_beside_baselines(
    names: Sequence[str],
    values: Sequence[float],
    intervals: Sequence[tuple[float, float] | None],
    *,
    score: str,
    higher_is_better: bool,
    own: int = 1,
) -> Figure:
    """A dot with a whisker a row: the model first, then what it has to beat.

    Args:
        names: A name a row, the model's first.
        values: The score of each row.
        intervals: Low and high of each row, or None where not known.
        score: What the axis is called.
        higher_is_better: The direction of the score.
        own: How many of the first rows are the model itself, told less from the second on.
    """
    figure = new_figure(WIDE, 0.95 + 0.34 * len(names))
    axes = figure.add_subplot()
    rows = np.arange(len(names))
    for row, value, interval in zip(rows, values, intervals, strict=True):
        colour = ACCENT if row < own else NEUTRAL
        if interval is not None:
            axes.hlines(row, *interval, color=colour, linewidth=2.4, alpha=0.55)
        fill = PAPER if 0 < row < own else colour
        axes.plot(
            value, row, "o", color=colour, markerfacecolor=fill, markersize=8 if row == 0 else 6.5
        )
        if math.isfinite(value):
            axes.annotate(
                f"{value:.3f}".replace("-", "−"),
                (1, row),
                xytext=(6, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                va="center",
                color=ACCENT if row == 0 else MUTED,
                fontweight="bold" if row == 0 else "normal",
            )
    axes.axvline(values[0], color=ACCENT, linewidth=0.8, linestyle=(0, (2, 3)), zorder=0)
    axes.set_yticks(rows, list(names))
    axes.get_yticklabels()[0].set_color(INK)
    axes.tick_params(axis="y", length=0, labelsize=9)
    axes.set_ylim(len(names) - 0.5, -0.6)
    axes.set_xlim(*span([values, *[i for i in intervals if i is not None]]))
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    better = "higher is better →" if higher_is_better else "← lower is better"
    axes.set_xlabel(f"{score}   ({better})")
    return figure


def curves(records: Sequence[Mapping[str, Any]], key: str) -> dict[str, Curve]:
    """The course of one number over training, for each fold.

    Args:
        records: Records of ``history.jsonl``; those without the number are passed over.
        key: The number's name.

    Returns:
        Fold → epochs (or steps, or the records' order, where no epoch is given) and values.
    """
    points: dict[str, list[tuple[float, float]]] = {}
    for record in records:
        value = record.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            continue
        fold = points.setdefault(str(record.get("fold", 0)), [])
        place = record.get("epoch", record.get("step"))
        fold.append((float(len(fold) + 1 if place is None else place), float(value)))
    return {
        fold: (np.array([x for x, _ in pairs]), np.array([y for _, y in pairs]))
        for fold, pairs in points.items()
    }


@styled()
def learning_curves(
    series: Mapping[str, Curve],
    *,
    title: str,
    label: str,
    horizontal: str = "epoch",
    best: str = "",
) -> Figure:
    """A line a fold over the epochs.

    Args:
        series: Fold's name → its curve, from `curves`.
        title: What is shown.
        label: The vertical axis, with its unit.
        horizontal: The horizontal axis.
        best: ``"max"`` or ``"min"`` marks the best epoch of every line; nothing by default.
    """
    figure = new_figure(PANEL[0], 2.7)
    axes = figure.add_subplot()
    for (name, (x, y)), colour in zip(series.items(), colours(len(series)), strict=True):
        alone = len(series) == 1 or len(series) > len(PALETTE)
        axes.plot(x, y, color=colour, alpha=0.9, label=None if alone else name)
        if best:
            at = int(np.argmax(y) if best == "max" else np.argmin(y))
            axes.plot(x[at], y[at], "o", color=colour, markersize=5)
    _suit_scale(axes, [y for _, y in series.values()])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.set_xlabel(horizontal)
    axes.set_ylabel(label, rotation_mode="anchor")
    heading(axes, title, f"dots: the best {horizontal}" if best else "")
    if 1 < len(series) <= len(PALETTE):
        axes.legend(loc="best", handlelength=1.2)
    return figure


def _suit_scale(axes: Axes, values: Sequence[NDArray[np.float64]]) -> None:
    """A logarithmic axis where a positive number falls to less than a thirtieth."""
    flat = np.concatenate(list(values))
    if flat.min() > 0 and flat.max() / flat.min() > 30:
        axes.set_yscale("log")
        written_out(axes.yaxis)
