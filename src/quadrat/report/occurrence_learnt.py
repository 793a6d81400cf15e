"""What an occurrence model learnt besides species: labels, environment, what it leans on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quadrat.report import html
from quadrat.report.contents import Contents
from quadrat.report.html import Html, Section
from quadrat.report.occurrence_answers import numbers
from quadrat.report.occurrence_figures import importance_bars
from quadrat.report.paired_maps import COUNTS, paired_maps
from quadrat.report.sections import Drawings

if TYPE_CHECKING:
    import polars as pl

SHOWN_COLUMNS = 4
"""Environment columns that are mapped."""

_UNITS = {"m": "m", "mm": "mm", "km": "km", "c": "°C", "fraction": "share, 0–1", "days": "days"}
"""What the ending of a column's name says about its unit."""


def what_it_learnt(
    contents: Contents, radius_km: float | None, drawings: Drawings
) -> Section | None:
    """The section, where the run has anything of it.

    Args:
        contents: The run.
        radius_km: How far a cell's colour reaches on a map.
        drawings: Receives the figures.
    """
    parts = [
        *_environment(contents.table("expected_environment.parquet"), radius_km, drawings),
        _importance(contents.table("importance.parquet"), drawings),
        _labels(contents.table("learnt_labels.parquet"), radius_km, drawings),
    ]
    if not any(parts):
        return None
    return Section("learnt", "What it learnt besides", html.joined(parts))


def _environment(
    table: pl.DataFrame | None, radius_km: float | None, drawings: Drawings
) -> list[Html]:
    """Known and expected environment, the best expected columns first."""
    from quadrat.geo import land_polygons

    if table is None:
        return []
    by_name = {str(name): part for (name,), part in table.group_by("column", maintain_order=True)}
    shares = {name: _explained(part) for name, part in by_name.items()}
    ranked = sorted(
        (name for name in shares if np.isfinite(shares[name])), key=lambda n: -shares[n]
    )
    drawn = []
    for name in ranked[:SHOWN_COLUMNS]:
        part, label = by_name[name], column_label(name)
        figure = paired_maps(
            numbers(part, "lat"),
            numbers(part, "lon"),
            (("known", numbers(part, "known")), ("expected", numbers(part, "expected"))),
            land_polygons(),
            title=f"{label.partition(' (')[0].capitalize()} of the judged cells",
            label=label,
            radius_km=radius_km,
        )
        caption = (
            f"What the environment head expects of a place that it has not learnt explains "
            f"{max(shares[name], 0):.0%} of the variance of what is known there." + _unknown(part)
        )
        drawn.append(drawings.svg(f"environment-{name}", figure, caption, kind="map"))
    return drawn


def _unknown(part: pl.DataFrame) -> str:
    """A sentence on the striped cells, where there are any."""
    known, every = int(np.isfinite(numbers(part, "known")).sum()), part.height
    if known == every:
        return ""
    return (
        f" Striped: not known, so it does not count; the value is known at {known:,} of {every:,} "
        "cells and expected at all of them."
    )


def _explained(part: pl.DataFrame) -> float:
    """The share of the known values' variance that is explained; NaN where nothing varies."""
    known, expected = numbers(part, "known"), numbers(part, "expected")
    both = np.isfinite(known) & np.isfinite(expected)
    if both.sum() < 3 or np.ptp(known[both]) == 0:
        return float("nan")
    errors, spread = known[both] - expected[both], known[both] - known[both].mean()
    return 1 - float(np.sum(errors**2) / np.sum(spread**2))


def column_label(name: str) -> str:
    """An environment column in words with its unit: ``mean temperature (°C)``."""
    words = name.split("_")
    unit = _UNITS.get(words[-1].lower()) if len(words) > 1 else None
    return f"{' '.join(words[:-1])} ({unit})" if unit else " ".join(words)


def _importance(table: pl.DataFrame | None, drawings: Drawings) -> Html | None:
    if table is None or not table.height:
        return None
    labels = [column_label(name).partition(" (")[0] for name in table["column"].to_list()]
    figure = importance_bars(labels, numbers(table, "drop"), numbers(table, "sd"))
    caption = (
        "How much the mean average precision falls when a column of the environment is that of "
        "another cell. Columns that say the same can stand in for one another, so both look less "
        "important than they are."
    )
    return drawings.svg("importance", figure, caption)


def _labels(table: pl.DataFrame | None, radius_km: float | None, drawings: Drawings) -> Html | None:
    """Species of the training cells before and after labels were propagated or capped."""
    from quadrat.geo import land_polygons

    if table is None or not table.height:
        return None
    recorded, learnt = numbers(table, "recorded"), numbers(table, "learnt")
    figure = paired_maps(
        numbers(table, "lat"),
        numbers(table, "lon"),
        (("as recorded", recorded), ("as learnt", learnt)),
        land_polygons(),
        title="Species of the training cells",
        label="species a week (count, mean over the year)",
        colours=COUNTS,
        radius_km=radius_km,
        from_zero=True,
    )
    caption = (
        f"Labels are changed before they are learnt (section labels of the experiment): a training "
        f"cell has {recorded.mean():.2f} species a week as recorded, and {learnt.mean():.2f} as "
        "learnt. Cells that are judged keep their records."
    )
    return drawings.svg("learnt-labels", figure, caption, kind="map")
