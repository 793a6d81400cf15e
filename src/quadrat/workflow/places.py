"""Answers of the occurrence family for people: the species of a place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from quadrat.errors import RunError, UsageError
from quadrat.predictors import Run, load_run
from quadrat.runtime.weeks import week_of_date

if TYPE_CHECKING:
    import polars as pl

Threshold = float | Literal["species"]
"""A probability, or each species' own."""

DEFAULT_TOP = 25
"""Species in a list where neither a number nor a threshold is asked for."""

DRAWN_SPECIES = 40
"""Species in the figure of a place's year."""


def species_list(
    run: Path | str,
    *,
    lat: float,
    lon: float,
    week: int | None = None,
    date: str | None = None,
    top: int | None = None,
    threshold: Threshold | None = None,
    birdnet: bool = False,
) -> pl.DataFrame:
    """The species of a place and week, the likeliest first.

    Args:
        run: The run folder.
        lat: Latitude in degrees, −90 to 90.
        lon: Longitude in degrees, −180 to 180.
        week: 1 to 48, four a month; 0 is the whole year.
        date: ISO date (``2026-05-17``) instead of the week; neither: the whole year.
        top: At most so many species.
        threshold: Only species of at least this probability; ``"species"``: each from its own
            threshold on, as the run has fitted it.
        birdnet: Where neither is given, all species from BirdNET's own threshold (0.03).

    Returns:
        Columns ``code``, ``scientific_name``, ``common_name``, ``probability``; ``distance_km`` to
        the nearest training cell with records, and ``far``: whether that is farther than 99 % of
        the judged cells, so that no score speaks for the place.

    Raises:
        UsageError: Week and date are both given, or a number is out of range.
        RunError: The run is of another family, has not finished or has no thresholds.
    """
    chosen = chosen_week(week, date)
    most, least = selection(top, threshold, birdnet=birdnet)
    predictor = occurrence_run(run).predictor
    species: pl.DataFrame = predictor.species_list(lat, lon, chosen, top=most, threshold=least)
    return species.with_columns(
        distance_km=float(predictor.distance_km(lat, lon)[0]),
        far=bool(predictor.is_far(lat, lon)[0]),
    )


def draw_year(
    run: Path | str,
    found: pl.DataFrame,
    *,
    lat: float,
    lon: float,
    out: Path | str,
    week: int = 0,
) -> Path:
    """Draws the year of listed species at a place: a bar a species, as thick as it is probable.

    Args:
        run: The run folder.
        found: From `species_list`; its first species are drawn.
        lat: Latitude in degrees.
        lon: Longitude in degrees.
        out: The picture: ``.png``, ``.svg`` or ``.pdf``.
        week: A week to mark; 0 for none.

    Returns:
        The picture.

    Raises:
        UsageError: There is no species to draw, or another ending.
        RunError: The run is of another family or has not finished.
    """
    from quadrat.report.occurrence_answers import coordinates
    from quadrat.report.occurrence_figures import phenology
    from quadrat.report.pictures import picture_kind, write_picture

    path, shown = Path(out), found.head(DRAWN_SPECIES)
    picture_kind(path)
    if not shown.height:
        raise UsageError("no species is probable enough to be drawn: ask with a lower threshold.")
    predictor = occurrence_run(run).predictor
    columns = [predictor.vocabulary.find(code) for code in shown["code"].to_list()]
    told = predictor.probabilities([lat] * 48, [lon] * 48, list(range(1, 49)), columns=columns)
    names = shown["common_name"].to_list()
    write_picture(phenology(names, told.T, place=coordinates(lat, lon), mark=week), path)
    return path


def occurrence_run(run: Path | str) -> Run:
    """Opens a run of the occurrence family.

    Raises:
        RunError: There is no run, or it is of another family.
    """
    opened = load_run(run)
    family = opened.answers
    if family != "occurrence":
        raise RunError(
            f"{run} is a run of the family {family}; species lists and maps are made from runs "
            "of the occurrence family."
        )
    if from_points(opened):
        raise RunError(
            f"{run} was trained on points: it answers from covariates, which places on a map do "
            "not tell. Use `quadrat predict` with a table that has the columns of "
            "points.covariates and points.categorical."
        )
    return opened


def from_points(run: Run) -> bool:
    """Whether a run was trained on points, so that it answers from covariates, not from places."""
    return getattr(run.experiment(), "points", None) is not None


def chosen_week(week: int | None, date: str | None) -> int:
    """The week of a week or date; neither is the whole year, 0.

    Raises:
        UsageError: Both are given, or there is no such week.
    """
    if week is not None and date is not None:
        raise UsageError("give a week or a date, not both.")
    if date is not None:
        return week_of_date(date)
    if week is not None and not 0 <= week <= 48:
        raise UsageError(f"week = {week}: weeks are 1 to 48, four a month; 0 is the whole year.")
    return week or 0


def selection(
    top: int | None, threshold: Threshold | None, *, birdnet: bool = False
) -> tuple[int | None, Threshold]:
    """How many species at most, and how probable at least.

    Where neither is asked for, people get the likeliest, and BirdNET those from its own threshold.

    Raises:
        UsageError: A number is out of range.
    """
    if top is not None and top < 1:
        raise UsageError(f"top = {top}: ask for at least one species.")
    check_threshold(threshold)
    if top is not None or threshold is not None:
        return top, threshold or 0.0
    if birdnet:
        from quadrat.occurrence.birdnet import BIRDNET_THRESHOLD

        return None, BIRDNET_THRESHOLD
    return DEFAULT_TOP, 0.0


def check_threshold(threshold: Threshold | None) -> None:
    """Checks a threshold that a user gave.

    Raises:
        UsageError: It is no probability.
    """
    if threshold is None or threshold == "species" or 0 <= threshold <= 1:
        return
    raise UsageError(
        f"threshold = {threshold}: give a probability between 0 and 1, or 'species' for each "
        "species' own."
    )
