"""Response curves as small multiples: a panel a covariate, a colour and a stroke a species."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from quadrat.report.style import MUTED, WIDE, colours, new_figure, styled, to_png, to_svg
from quadrat.runs import atomic_path

MOST_SPECIES = 3
"""Species in one figure; of more, bands would hide one another. The table has all of them."""

_ACROSS, _HEIGHT = 3, 2.05
_STROKES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))
_MARKS = ("o", "s", "^")
_LONGEST = 14
"""Letters of a category's name that are written below its dots."""


def write_responses(
    table: pl.DataFrame, folder: Path, *, names: Mapping[str, str], answer: str
) -> list[Path]:
    """Writes ``response.png`` and ``response.svg``; see `response_curves`."""
    figure = response_curves(table, names=names, answer=answer)
    files = {"response.png": to_png(figure), "response.svg": to_svg(figure).encode("utf-8")}
    for name, content in files.items():
        with atomic_path(folder / name) as temporary:
            temporary.write_bytes(content)
    return [folder / name for name in files]


@styled()
def response_curves(table: pl.DataFrame, *, names: Mapping[str, str], answer: str) -> Figure:
    """The mean answer along every covariate, with the middle 80 % of the places.

    Args:
        table: Columns ``species``, ``covariate``, ``value`` or ``category``, ``mean``, ``low`` and
            ``high``.
        names: What the species are called.
        answer: What is answered: suitability or probability.
    """
    codes = table["species"].unique(maintain_order=True).to_list()
    covariates = table["covariate"].unique(maintain_order=True).to_list()
    shown = codes[:MOST_SPECIES]
    rows = math.ceil(len(covariates) / _ACROSS)
    figure = new_figure(WIDE, 0.75 + _HEIGHT * rows)
    across = min(_ACROSS, len(covariates))
    panels = list(figure.subplots(rows, across, sharey=True, squeeze=False).flat)
    lines = []
    for axes, name in zip(panels, covariates, strict=False):
        lines.append(_panel(axes, table.filter(pl.col("covariate") == name), shown))
        axes.set_title(name, fontsize=9)
    for axes in panels[len(covariates) :]:
        axes.set_visible(False)
    drawn = table.filter(pl.col("species").is_in(shown))
    highest = drawn.select(pl.max_horizontal("mean", "high").max()).item()
    panels[0].set_ylim(0, 1.04 * max(float(highest), 1e-9))  # all panels share it
    if answer == "probability":
        panels[0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}"))
        answer = "probability (%)"
    figure.supylabel(answer, fontsize=9, color=MUTED)
    note = "line or mark: mean over places; band or bar: 80 % of them"
    if drawn.select((pl.col("mean") > pl.col("high")).any()).item():
        note += ", and the mean is above it where few places have nearly all"
    if len(codes) > len(shown):
        note += f"; {len(shown)} of {len(codes)} species of the table"
    figure.supxlabel(note, fontsize=8, color=MUTED)
    texts = [names.get(code) or code for code in shown]
    figure.legend(lines[0], texts, loc="outside upper left", ncols=len(shown), handlelength=2.4)
    return figure


def _panel(axes: Axes, table: pl.DataFrame, codes: list[str]) -> list[Line2D]:
    """One covariate; the line or the marks of each species."""
    lines: list[Line2D] = []
    of_categories = table["value"].null_count() == table.height
    for place, (code, colour) in enumerate(zip(codes, colours(len(codes)), strict=True)):
        own = table.filter(pl.col("species") == code)
        mean, low, high = (own[name].to_numpy() for name in ("mean", "low", "high"))
        if of_categories:
            at = np.arange(own.height) + (place - (len(codes) - 1) / 2) * 0.7 / len(codes)
            axes.vlines(at, low, high, color=colour, alpha=0.45)
            mark = _MARKS[place]
            lines += axes.plot(at, mean, mark, color=colour, markersize=4, linestyle="none")
        else:
            values = own["value"].to_numpy()
            axes.fill_between(values, low, high, color=colour, alpha=0.11, linewidth=0)
            for edge in (low, high):
                axes.plot(values, edge, color=colour, alpha=0.4, linewidth=0.7)
            lines += axes.plot(values, mean, color=colour, linestyle=_STROKES[place])
    if of_categories:
        _name_categories(axes, table["category"].unique(maintain_order=True).to_list())
    else:
        long = np.abs(table["value"].to_numpy()).max() >= 10_000
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4 if long else 6, steps=[1, 2, 2.5, 5, 10]))
    return lines


def _name_categories(axes: Axes, texts: list[str]) -> None:
    short = [text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…" for text in texts]
    axes.set_xticks(range(len(texts)), short)
    if sum(map(len, short)) > 24:
        axes.tick_params(axis="x", labelrotation=90, labelsize=7 if len(texts) <= 14 else 5.5)
    axes.grid(visible=False, axis="x")
