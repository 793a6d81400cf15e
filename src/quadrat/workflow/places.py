"""Answers of the occurrence family for people: species lists of a place, maps of a species."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from quadrat.errors import RunError, UsageError
from quadrat.predictors import load_run
from quadrat.runtime.weeks import week_of_date

if TYPE_CHECKING:
    import polars as pl

DEFAULT_TOP = 25
"""Species in a list where neither a number nor a threshold is asked for."""


def species_list(
    run: Path | str,
    *,
    lat: float,
    lon: float,
    week: int | None = None,
    date: str | None = None,
    top: int | None = None,
    threshold: float | None = None,
) -> pl.DataFrame:
    """The species of a place and week, the likeliest first.

    Args:
        run: The run folder.
        lat: Latitude in degrees, −90 to 90.
        lon: Longitude in degrees, −180 to 180.
        week: 1 to 48, four a month; 0 is the whole year.
        date: ISO date (``2026-05-17``) instead of the week; neither: the whole year.
        top: At most so many species.
        threshold: Only species of at least this probability.

    Returns:
        Columns ``code``, ``scientific_name``, ``common_name``, ``probability``.

    Raises:
        UsageError: Week and date are both given, or a number is out of range.
        RunError: The run is of another family or has not finished.
    """
    if top is not None and top < 1:
        raise UsageError(f"top = {top}: ask for at least one species.")
    if threshold is not None and not 0 <= threshold <= 1:
        raise UsageError(f"threshold = {threshold}: give a probability between 0 and 1.")
    if top is None and threshold is None:
        top = DEFAULT_TOP
    chosen = _week(week, date)
    species: pl.DataFrame = _predictor(run).species_list(
        lat, lon, chosen, top=top, threshold=threshold or 0.0
    )
    return species


def map_range(
    run: Path | str, *, species: str, week: int = 0, out: Path | str | None = None
) -> Path:
    """Draws where a species is to be expected in a week.

    Args:
        run: The run folder.
        species: A code, a scientific name or a common name.
        week: 1 to 48; 0 is the whole year.
        out: The picture (``.png``, ``.svg`` or ``.pdf``); by default in the run's figures.

    Returns:
        The picture's file.

    Raises:
        UnknownNameError: The run does not know the species.
        RunError: The run is of another family or has not finished.
    """
    from quadrat.report import draw_range_map

    predictor = _predictor(run)
    grid = predictor.range_map(species, _week(week, None))
    name = f"range-{grid.species.code}-week-{grid.week}.png"
    return draw_range_map(grid, Path(out) if out is not None else Path(run) / "figures" / name)


def _predictor(run: Path | str) -> Any:
    opened = load_run(run)
    family = opened.experiment().family
    if family != "occurrence":
        raise RunError(
            f"{run} is a run of the family {family}; species lists and maps are made from runs "
            "of the occurrence family."
        )
    return opened.predictor


def _week(week: int | None, date: str | None) -> int:
    if week is not None and date is not None:
        raise UsageError("give a week or a date, not both.")
    if date is not None:
        return week_of_date(date)
    if week is not None and not 0 <= week <= 48:
        raise UsageError(f"week = {week}: weeks are 1 to 48, four a month; 0 is the whole year.")
    return week or 0
