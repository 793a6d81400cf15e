"""Answers of the occurrence family for people: the species of a place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from quadrat.errors import RunError, UsageError
from quadrat.predictors import Run, load_run
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
    species: pl.DataFrame = occurrence_run(run).predictor.species_list(
        lat, lon, chosen, top=top, threshold=threshold or 0.0
    )
    return species


def occurrence_run(run: Path | str) -> Run:
    """Opens a run of the occurrence family.

    Raises:
        RunError: There is no run, or it is of another family.
    """
    opened = load_run(run)
    family = opened.experiment().family
    if family != "occurrence":
        raise RunError(
            f"{run} is a run of the family {family}; species lists and maps are made from runs "
            "of the occurrence family."
        )
    return opened


def _week(week: int | None, date: str | None) -> int:
    if week is not None and date is not None:
        raise UsageError("give a week or a date, not both.")
    if date is not None:
        return week_of_date(date)
    if week is not None and not 0 <= week <= 48:
        raise UsageError(f"week = {week}: weeks are 1 to 48, four a month; 0 is the whole year.")
    return week or 0
