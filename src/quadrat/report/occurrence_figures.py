"""Figures of the occurrence family: calibration, the spread over species, and the year."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from numpy.typing import ArrayLike, NDArray

from quadrat.report.style import (
    ACCENT,
    INK,
    MUTED,
    NEUTRAL,
    PALETTE,
    PANEL,
    WIDE,
    heading,
    new_figure,
    styled,
    written_out,
)

Array = NDArray[np.float64]

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKS = 48

_PLAIN_BINS = 15
"""Steps of a reliability curve on plain axes, those of the expected calibration error."""


@styled()
def reliability(
    predicted: Array,
    observed: Array,
    counts: Array,
    *,
    before: tuple[Array, ...] | None = None,
) -> Figure:
    """What was said against what happened, on logarithmic axes, with how often it was said.

    Most species are absent from most places, so most probabilities are small: a plain axis would
    put nearly all of them into its first corner. See `plain_reliability` where they are not.

    Args:
        predicted: Mean predicted probability of each bin, ``(bins,)``.
        observed: Share of that bin's species that were there, ``(bins,)``.
        counts: Predictions in each bin, ``(bins,)``.
        before: The same three before calibration, where something was calibrated.
    """
    figure = new_figure(PANEL[0] + 0.3, PANEL[1] + 1.0)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    used = (counts > 0) & (predicted > 0)
    low = 10.0 ** np.floor(np.log10(min(predicted[used].min(), 0.1))) if used.any() else 0.01
    low = 100 * max(float(low), 1e-5)
    top.plot([low, 100], [low, 100], color=NEUTRAL, linewidth=1, linestyle=(0, (4, 3)))
    if before is not None:
        _curve(top, before, color=NEUTRAL, label="before calibration", markersize=3.5)
    _curve(top, (predicted, observed, counts), color=ACCENT, label="as answered", markersize=4.5)
    if before is not None:
        top.legend(loc="upper left")
    top.set(xscale="log", yscale="log", xlim=(low, 115), ylim=(low, 115))
    top.set_ylabel("observed frequency (%)", rotation_mode="anchor")
    heading(top, "Calibration", "dashed: as often seen as said")
    bars = 100 * predicted[used]
    bottom.bar(bars, counts[used], width=0.16 * bars, color=ACCENT, alpha=0.45)
    bottom.set(yscale="log", xlabel="predicted probability (%)")
    bottom.set_ylabel("count", rotation_mode="anchor")
    figure.align_ylabels([top, bottom])
    for axis in (top.xaxis, top.yaxis, bottom.yaxis):
        written_out(axis)
    return figure


@styled()
def plain_reliability(predicted: Array, observed: Array, counts: Array, edges: Array) -> Figure:
    """What was said against what happened, on plain axes, with how often it was said.

    Args:
        predicted: Mean predicted probability of each bin, ``(bins,)``.
        observed: Share of that bin's species that were there, ``(bins,)``.
        counts: Predictions in each bin, ``(bins,)``.
        edges: Of the bins, ``(bins + 1,)``; fine ones are joined to steps of equal width.
    """
    step = np.minimum((edges[:-1] * _PLAIN_BINS + 1e-9).astype(np.int64), _PLAIN_BINS - 1)
    count, of_said, of_seen = (
        np.bincount(step, np.nan_to_num(weights), _PLAIN_BINS)
        for weights in (counts, counts * predicted, counts * observed)
    )
    used = count > 0
    said, seen = 100 * of_said[used] / count[used], 100 * of_seen[used] / count[used]
    figure = new_figure(PANEL[0] + 0.3, PANEL[1] + 1.0)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    top.plot([0, 100], [0, 100], color=NEUTRAL, linewidth=1, linestyle=(0, (4, 3)))
    top.plot(said, seen, "o-", color=ACCENT, markersize=4.5)
    top.set(xlim=(0, 100), ylim=(0, 104))
    top.set_ylabel("observed frequency (%)", rotation_mode="anchor")
    heading(top, "Calibration", "dashed: as often seen as said")
    middles = 100 * (np.flatnonzero(used) + 0.5) / _PLAIN_BINS
    bottom.bar(middles, count[used], width=80 / _PLAIN_BINS, color=ACCENT, alpha=0.45)
    bottom.set(xlabel="predicted probability (%)")
    bottom.set_ylabel("count", rotation_mode="anchor")
    bottom.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=3))
    bottom.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    figure.align_ylabels([top, bottom])
    return figure


def _curve(axes: Axes, bins: tuple[Array, ...], **style: Any) -> None:
    predicted, observed, counts = bins
    shown = (counts > 0) & (predicted > 0) & (observed > 0)
    axes.plot(100 * predicted[shown], 100 * observed[shown], "o-", **style)


@styled()
def score_histogram(values: Array, *, label: str, what: str = "species") -> Figure:
    """How one score spreads over the species, with its median.

    Args:
        values: A score a species; NaN where a species could not be judged.
        label: The score's name.
        what: What is counted.
    """
    known = values[np.isfinite(values)]
    figure = new_figure(PANEL[0], 2.7)
    axes = figure.add_subplot()
    axes.hist(known, bins=25, range=(0, 1), color=ACCENT, alpha=0.55)
    if known.size:
        median = float(np.median(known))
        axes.axvline(median, color=INK, linewidth=1.2)
        heading(
            axes,
            f"{label[:1].upper()}{label[1:]} over {what}",
            f"median {median:.2f} · n {known.size}",
        )
    axes.set_xlim(0, 1)
    axes.set_xlabel(f"{label} (0–1)")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.set_ylabel(f"number of {what}", rotation_mode="anchor")
    return figure


@styled()
def score_against_records(
    records: Array, values: Array, *, label: str, where: str = "samples"
) -> Figure:
    """Is a species hard because it is rare? A dot a species.

    Args:
        records: Samples with the species, ``(species,)``.
        values: Its score; NaN where it could not be judged.
        label: The score's name.
        where: In what a species was seen.
    """
    known = np.isfinite(values) & (records > 0)
    figure = new_figure(PANEL[0], 2.7)
    axes = figure.add_subplot()
    axes.scatter(
        records[known], values[known], s=8, color=ACCENT, alpha=0.35, linewidths=0, rasterized=True
    )
    axes.set(xscale="log", ylim=(0, 1), xlabel=f"{where} with the species (count)")
    written_out(axes.xaxis)
    axes.set_ylabel(f"{label} (0–1)", rotation_mode="anchor")
    heading(axes, "Rare and common species", f"n {int(known.sum())}")
    return figure


@styled()
def phenology(
    names: Sequence[str], probabilities: ArrayLike, *, place: str, mark: int = 0
) -> Figure:
    """The year at one place: bars of the species' probabilities, and the length of the list.

    Args:
        names: The shown species, the first on top.
        probabilities: ``(species, 48)``, weeks 1 to 48.
        place: What the place is called.
        mark: A week to point out; 0 for none.
    """
    figure = new_figure(WIDE, 1.2 + 0.27 * len(names))
    axes = figure.add_subplot()
    edges = np.arange(0.5, WEEKS + 1)
    if mark:
        axes.axvspan(mark - 0.5, mark + 0.5, color=PALETTE[1], alpha=0.3, linewidth=0)
    for row, values in enumerate(np.asarray(probabilities, np.float64)):
        half = 0.44 * np.clip(np.append(values, values[-1]), 0, 1)
        axes.fill_between(edges, row - half, row + half, step="post", color=ACCENT, linewidth=0)
    axes.set_yticks(range(len(names)), list(names))
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0.5, WEEKS + 0.5)
    axes.set_xticks(np.arange(0.5, WEEKS, 4), [""] * 12)
    axes.set_xticks(np.arange(2.5, WEEKS, 4), MONTHS, minor=True)
    axes.tick_params(axis="both", which="both", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("week of the year (48 weeks, four a month)")
    heading(axes, f"The year at {place}", "thickness of a bar: probability from 0 to 1")
    return figure


@styled()
def list_length(expected: Array, *, place: str) -> Figure:
    """How many species a place holds over the year.

    Args:
        expected: Sum of all species' probabilities in weeks 1 to 48, ``(48,)``.
        place: What the place is called.
    """
    figure = new_figure(WIDE, 1.9)
    axes = figure.add_subplot()
    edges, level = np.arange(0.5, WEEKS + 1), np.append(expected, expected[-1])
    axes.fill_between(edges, level, step="post", color=PALETTE[0], alpha=0.3, linewidth=0)
    axes.step(edges, level, where="post", color=PALETTE[0])
    axes.set_xlim(0.5, WEEKS + 0.5)
    axes.set_ylim(0, max(float(expected.max()) * 1.08, 1e-3))
    axes.set_xticks(np.arange(0.5, WEEKS, 4), [""] * 12)
    axes.set_xticks(np.arange(2.5, WEEKS, 4), MONTHS, minor=True)
    axes.tick_params(axis="x", which="both", length=0)
    axes.tick_params(axis="x", which="minor", labelcolor=MUTED)
    axes.set_xlabel("week of the year (48 weeks, four a month)")
    axes.set_ylabel("expected species (count)", rotation_mode="anchor")
    heading(axes, f"Length of the list at {place}")
    return figure


@styled()
def importance_bars(
    names: Sequence[str],
    drops: Array,
    spreads: Array,
    *,
    score: str = "mean average precision",
    over: str = "repeats",
) -> Figure:
    """How much a score falls without each input, the greatest fall on top.

    Args:
        names: The inputs.
        drops: Mean fall of the score ``(n,)``.
        spreads: Its standard deviation ``(n,)``, NaN where not known.
        score: What falls.
        over: Over what the standard deviation is.
    """
    figure = new_figure(WIDE * 0.8, 1.0 + 0.27 * len(names))
    axes = figure.add_subplot()
    rows = np.arange(len(names))
    axes.barh(rows, drops, height=0.62, color=ACCENT, alpha=0.8)
    axes.errorbar(drops, rows, xerr=spreads, fmt="none", ecolor=INK, elinewidth=1, capsize=2)
    axes.axvline(0, color=NEUTRAL, linewidth=0.8)
    axes.set_yticks(rows, list(names))
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"fall of the {score} (0–1)")
    heading(axes, "What the model leans on", f"whiskers: standard deviation over {over}")
    return figure
