"""Answers of the occurrence family for people: the species of a place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from quadrat.errors import DataError, RunError, UsageError
from quadrat.predictors import Run, load_run
from quadrat.runtime.weeks import week_of_date

if TYPE_CHECKING:
    import polars as pl

Threshold = float | Literal["species"]
"""A probability, or each species' own."""

DRAWN_SPECIES = 40
"""Species in the figure of a place's year."""


class Nearest(NamedTuple):
    """How near a place is to what a run has learnt from.

    Attributes:
        distance_km: To the nearest training cell with records; NaN where the run does not say.
        far: Whether that is farther than for 99 % of the judged cells, so that no score speaks for
            the place.
    """

    distance_km: float
    far: bool


def species_list(
    run: Run | Path | str,
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
        run: The run folder, or the opened run.
        lat: Latitude in degrees, −90 to 90.
        lon: Longitude in degrees, −180 to 180.
        week: 1 to 48, four a month; 0 is the whole year.
        date: A date (``2026-05-17``) instead of the week; neither: the whole year.
        top: At most so many species; by default all.
        threshold: Only species of at least this probability; ``"species"``: each from its own
            threshold on, as the run has fitted it.
        birdnet: Where neither is given, all species from BirdNET's own threshold (0.03).

    Returns:
        Columns ``code``, ``scientific_name``, ``common_name``, ``probability``; ``distance_km`` and
        ``far`` of the place, as of `nearest_records`.

    Raises:
        UsageError: Week and date are both given, or a number is out of range.
        RunError: The run is of another family, has not finished or has no thresholds.
    """
    check_place(lat, lon)
    chosen = chosen_week(week, date)
    most, least = selection(top, threshold, birdnet=birdnet)
    opened = occurrence_run(run)
    species: pl.DataFrame = opened.predictor.species_list(
        lat, lon, chosen, top=most, threshold=least
    )
    near = nearest_records(opened, lat=lat, lon=lon)
    return species.with_columns(distance_km=near.distance_km, far=near.far)


def nearest_records(run: Run | Path | str, *, lat: float, lon: float) -> Nearest:
    """How far a place is from the training cells with records.

    Args:
        run: The run folder, or the opened run.
        lat: Latitude in degrees.
        lon: Longitude in degrees.

    Raises:
        UsageError: There is no such place.
        RunError: The run is of another family or has not finished.
    """
    check_place(lat, lon)
    predictor = occurrence_run(run).predictor
    return Nearest(float(predictor.distance_km(lat, lon)[0]), bool(predictor.is_far(lat, lon)[0]))


def draw_year(
    run: Run | Path | str,
    found: pl.DataFrame,
    *,
    lat: float,
    lon: float,
    out: Path | str,
    week: int = 0,
) -> Path:
    """Draws the year of listed species at a place: a bar a species, as thick as it is probable.

    Args:
        run: The run folder, or the opened run.
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


def occurrence_run(run: Run | Path | str) -> Run:
    """Opens a run of the occurrence family; one that is open stays so.

    Raises:
        RunError: There is no run, or it is of another family.
    """
    opened = run if isinstance(run, Run) else load_run(run)
    family = opened.answers
    if family != "occurrence":
        raise RunError(
            f"{opened.folder} is a run of the family {family}; species lists and maps are made "
            "from runs of the occurrence family."
        )
    if from_points(opened):
        raise RunError(
            f"{opened.folder} was trained on points: it answers from covariates, which places on a "
            "map do not tell. Use `quadrat predict` with a table that has the columns of "
            "points.covariates and points.categorical."
        )
    return opened


def from_points(run: Run) -> bool:
    """Whether a run was trained on points, so that it answers from covariates, not from places."""
    return getattr(run.experiment(), "points", None) is not None


def check_place(lat: float, lon: float) -> None:
    """Checks a place that a user gave.

    Raises:
        UsageError: There is no such latitude or longitude.
    """
    from quadrat.occurrence.records.places import MAX_LATITUDE, MAX_LONGITUDE

    if not abs(lat) <= MAX_LATITUDE:
        swapped = " Were lat and lon exchanged?" if MAX_LATITUDE < abs(lat) <= 180 else ""
        raise UsageError(f"lat = {lat:g}: latitudes are -90 to 90 degrees.{swapped}")
    if not abs(lon) <= MAX_LONGITUDE:
        raise UsageError(f"lon = {lon:g}: longitudes are -180 to 180 degrees, or 0 to 360.")


def chosen_week(week: int | None, date: str | None) -> int:
    """The week of a week or date; neither is the whole year, 0.

    Raises:
        UsageError: Both are given, or there is no such week or date.
    """
    if week is not None and date is not None:
        raise UsageError("give a week or a date, not both.")
    if date is not None:
        try:
            return week_of_date(date)
        except DataError as error:
            raise UsageError(f"date = {date}: this is no date; {error.fix}") from None
    if week is not None and not 0 <= week <= 48:
        known = " (-1 in the geomodel's predict.py)" if week == -1 else ""
        raise UsageError(
            f"week = {week}: weeks are 1 to 48, four a month; 0 is the whole year{known}."
        )
    return week or 0


def selection(
    top: int | None, threshold: Threshold | None, *, birdnet: bool = False
) -> tuple[int | None, Threshold]:
    """How many species at most, and how probable at least.

    Where neither is asked for, all species are listed, for BirdNET those from its own threshold.

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
    return None, 0.0


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
