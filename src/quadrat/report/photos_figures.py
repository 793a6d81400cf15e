"""Figures of the photos family: predictions, residuals, folds and the photos themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from quadrat.report.style import (
    ACCENT,
    FAINT,
    INK,
    MUTED,
    NEUTRAL,
    PALETTE,
    PANEL,
    WIDE,
    colours,
    heading,
    new_figure,
    span,
    styled,
)
from quadrat.report.words import number

Array = NDArray[np.float64]

MANY = 3000
"""Points from here on are drawn as a picture, so that files stay small."""


@dataclass(frozen=True)
class PhotoTile:
    """One photo of a contact sheet.

    Args:
        sample: Its id.
        truth: The true value of the shown target.
        predicted: The predicted value.
        image: The thumbnail ``(H, W, 3)`` in 8 bits, or None where there is no photo.
        why: Why there is no photo.
    """

    sample: str
    truth: float
    predicted: float
    image: NDArray[np.uint8] | None = None
    why: str = "photo not found"


def explained(truth: Array, predicted: Array) -> float:
    """``R² = 1 − Σ(y − ŷ)² / Σ(y − ȳ)²``; NaN where the truth does not vary."""
    total = float(((truth - truth.mean()) ** 2).sum()) if truth.size else 0.0
    return 1 - float(((truth - predicted) ** 2).sum()) / total if total > 0 else float("nan")


@styled()
def predicted_against_true(
    truth: Array,
    predicted: Array,
    *,
    target: str,
    unit: str = "",
    labels: Sequence[str] | None = None,
    lower: Array | None = None,
    upper: Array | None = None,
) -> Figure:
    """Each sample's prediction over its truth, with the line where both agree.

    Args:
        truth: ``(N,)``.
        predicted: ``(N,)``.
        target: The target's name.
        unit: Its unit, or nothing.
        labels: The fold (or group) of each sample; it colours the points where there are few.
        lower: Lower ends of the predictive intervals, ``(N,)``.
        upper: Upper ends.
    """
    figure = new_figure(*PANEL)
    axes = figure.add_subplot()
    low, high = span([truth, predicted])
    axes.plot([low, high], [low, high], color=NEUTRAL, linewidth=1, linestyle=(0, (4, 3)))
    names = sorted(set(labels)) if labels is not None else []
    palette = dict(zip(names, colours(len(names)), strict=True))
    of_point = [palette[name] for name in labels] if labels is not None else [ACCENT] * truth.size
    many, faint = truth.size > MANY, 0.28 if truth.size < 150 else 0.14
    if lower is not None and upper is not None:
        axes.vlines(
            truth, lower, upper, colors=of_point, linewidth=0.6, alpha=faint, rasterized=many
        )
    axes.scatter(truth, predicted, c=of_point, s=14, alpha=0.75, linewidths=0, rasterized=many)
    if 1 < len(names) <= len(PALETTE):
        for name in names:
            axes.plot([], [], "o", color=palette[name], markersize=4, label=name)
        axes.legend(loc="upper left", handletextpad=0.1, borderaxespad=0.1)
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_aspect("equal", adjustable="box", anchor="W")
    axes.set_xlabel(with_unit(f"true {target}", unit))
    axes.set_ylabel(with_unit(f"predicted {target}", unit), rotation_mode="anchor")
    heading(axes, target, _facts(truth, predicted, unit, lower, upper))
    return figure


def with_unit(label: str, unit: str) -> str:
    """A label with its unit in brackets, if it has one."""
    return f"{label} ({unit})" if unit else label


def _facts(
    truth: Array, predicted: Array, unit: str, lower: Array | None, upper: Array | None
) -> str:
    rmse = float(np.sqrt(np.mean((truth - predicted) ** 2))) if truth.size else float("nan")
    parts = [f"R² {explained(truth, predicted):.2f}", f"RMSE {number(rmse)} {unit}".rstrip()]
    if lower is not None and upper is not None:
        inside = np.mean((truth >= lower) & (truth <= upper))
        parts.append(f"{100 * inside:.0f} % in interval")
    return " · ".join([*parts, f"n {truth.size}"]).replace("-", "−")


@styled()
def residuals_by_group(
    residuals: Array, groups: Sequence[str], *, target: str, unit: str = ""
) -> Figure:
    """A strip of points a group with its middle half and median, sorted by the median.

    Args:
        residuals: Predicted minus true, ``(N,)``.
        groups: The group of each sample.
        target: The target's name.
        unit: Its unit.
    """
    of_group = np.asarray(groups)
    names = sorted(set(groups))
    medians = {name: float(np.median(residuals[of_group == name])) for name in names}
    names.sort(key=lambda name: (medians[name], name))
    figure = new_figure(WIDE, 1.0 + 0.21 * max(len(names), 4))
    axes = figure.add_subplot()
    axes.axvline(0, color=NEUTRAL, linewidth=1, linestyle=(0, (4, 3)))
    for row, name in enumerate(names):
        values = residuals[of_group == name]
        first, third = np.percentile(values, [25, 75])
        axes.hlines(row, first, third, color=ACCENT, linewidth=7, alpha=0.22)
        axes.plot(values, np.full(values.size, row), "o", color=ACCENT, markersize=2.6, alpha=0.6)
        axes.plot(medians[name], row, "|", color=INK, markersize=9, markeredgewidth=1.8)
    counts = {name: int((of_group == name).sum()) for name in names}
    axes.set_yticks(range(len(names)), [f"{name}  ({counts[name]})" for name in names])
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_ylim(-0.8, len(names) - 0.2)
    axes.set_xlabel(with_unit(f"predicted − true {target}", unit))
    heading(axes, f"{target}: who is over- and underestimated", "groups with their sample counts")
    return figure


@styled()
def shift_between_folds(
    truth: Mapping[str, Array], folds: Sequence[str], *, units: Mapping[str, str]
) -> Figure:
    """How the true values lie in each fold, a panel a target.

    Args:
        truth: Target → values ``(N,)``, NaN where unknown.
        folds: The name of each sample's fold.
        units: Target → unit.
    """
    of_fold = np.asarray(folds)
    names = sorted(set(folds))
    columns = min(len(truth), 5)
    lines = -(-len(truth) // columns)
    figure = new_figure(WIDE, lines * (1.15 + 0.24 * len(names)))
    panels = figure.subplots(lines, columns, squeeze=False, sharey=True).ravel()
    for axes, (target, values) in zip(panels, truth.items(), strict=False):
        for row, name in enumerate(names):
            known = values[(of_fold == name) & np.isfinite(values)]
            if known.size:
                _box(axes, known, row)
        overall = values[np.isfinite(values)]
        if overall.size:
            axes.axvline(float(np.median(overall)), color=NEUTRAL, linewidth=0.9, zorder=0)
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        axes.set_title(target, fontsize=8.5)
        axes.set_xlabel(with_unit("true", units.get(target, "")), fontsize=8)
    for axes in panels[len(truth) :]:
        axes.set_visible(False)
    return figure


def _box(axes: Axes, values: Array, row: int) -> None:
    low, first, median, third, high = np.percentile(values, [5, 25, 50, 75, 95])
    axes.hlines(row, low, high, color=ACCENT, linewidth=1.2, alpha=0.6)
    axes.hlines(row, first, third, color=ACCENT, linewidth=7, alpha=0.35)
    axes.plot(median, row, "o", color=ACCENT, markersize=4.5)


@styled()
def contact_sheet(tiles: Sequence[PhotoTile], *, title: str, target: str, unit: str = "") -> Figure:
    """Thumbnails with their ids, true and predicted values.

    Args:
        tiles: The photos, in the order of reading.
        title: What was chosen.
        target: The target that the values belong to.
        unit: Its unit.
    """
    columns = min(max(len(tiles), 1), 5)
    lines = -(-max(len(tiles), 1) // columns)
    figure = new_figure(WIDE, 0.5 + 1.6 * lines)
    figure.suptitle(f"{title} · {target}", x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, tile in zip(panels, tiles, strict=False):
        _tile(axes, tile, unit)
    for axes in panels[len(tiles) :]:
        axes.set_visible(False)
    return figure


def _tile(axes: Axes, tile: PhotoTile, unit: str) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    if tile.image is None:
        axes.set_facecolor(FAINT)
        axes.set_aspect(0.6)
        axes.text(0.5, 0.5, tile.why, ha="center", va="center", color=MUTED, fontsize=8)
    else:
        axes.imshow(tile.image)
    axes.set_title(_short(tile.sample), fontsize=7.5, pad=3)
    values = f"true {number(tile.truth)}, predicted {number(tile.predicted)}"
    axes.set_xlabel(f"{values} {unit}".rstrip(), fontsize=6.5, labelpad=3)


def _short(sample: str, length: int = 22) -> str:
    return sample if len(sample) <= length else "…" + sample[1 - length :]
