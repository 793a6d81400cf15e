"""The verb that lists the species of places."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quadrat.cli._options import JsonOption, RunArgument, ThresholdOption, parsed_threshold
from quadrat.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from quadrat.workflow.places import Nearest

FORMATS = ("table", "json", "birdnet")

SCREEN_SPECIES = 25
"""Species that a terminal shows where neither a number nor a threshold is asked for."""


def register(app: typer.Typer) -> None:
    """Adds the verb of this module."""
    app.command("species")(list_species)


def list_species(
    run: RunArgument,
    lat: Annotated[float | None, typer.Option(help="Latitude in degrees.")] = None,
    lon: Annotated[float | None, typer.Option(help="Longitude in degrees.")] = None,
    week: Annotated[int | None, typer.Option(help="1 to 48; 0: the whole year.")] = None,
    date: Annotated[
        str | None, typer.Option(help="A date instead: 2026-05-17 or 17.05.2026.")
    ] = None,
    year: Annotated[bool, typer.Option("--year", help="The whole year, as --week 0.")] = False,
    top: Annotated[
        int | None,
        typer.Option(help="At most so many species; by default all, of which a terminal shows 25."),
    ] = None,
    threshold: ThresholdOption = None,
    places: Annotated[
        Path | None, typer.Option(help="A table of lat, lon and week or date: a list for each.")
    ] = None,
    union: Annotated[
        bool, typer.Option("--union", help="With --places: one list of all places' species.")
    ] = False,
    format: Annotated[
        str | None, typer.Option(help="table, json, or birdnet: Scientific name_Common name.")
    ] = None,
    as_json: JsonOption = False,
    out: Annotated[
        Path | None,
        typer.Option(help="A file: .txt is BirdNET's list, .csv .parquet .json a table."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the species' year: .png, .svg or .pdf.")
    ] = None,
) -> None:
    """List the species of a place and week, the likeliest first; or of many places, for BirdNET."""
    from quadrat import workflow
    from quadrat.cli._console import progress

    week, least = _week_or_year(week, date, year), parsed_threshold(threshold)
    if places is not None:
        _refuse_with_places(lat=lat, lon=lon, plot=plot)
        if out is None or (format or "birdnet") != "birdnet" or as_json:
            raise UsageError("--places writes BirdNET's lists: give --out, and no other format.")
        with progress():
            paths = workflow.birdnet_lists(
                run, places=places, out=out, week=week, date=date, top=top, threshold=least,
                union=union,
            )  # fmt: skip
        for path in paths:
            typer.echo(str(path))
        return
    if lat is None or lon is None or union:
        raise UsageError("give --lat and --lon, or a table of --places (which --union is for).")
    kind = _format(format, as_json, out)
    _check_files(out, plot)
    opened = workflow.occurrence_run(run)
    found = workflow.species_list(
        opened, lat=lat, lon=lon, week=week, date=date, top=top, threshold=least,
        birdnet=kind == "birdnet",
    )  # fmt: skip
    try:
        _tell(found, kind, out, whole=top is not None or least is not None)
    finally:  # an empty list that is refused may be empty because the place is far
        _note_distance(workflow.nearest_records(opened, lat=lat, lon=lon))
    if plot is not None:
        from quadrat.workflow.places import chosen_week

        marked = chosen_week(week, date)
        drawn = workflow.draw_year(opened, found, lat=lat, lon=lon, out=plot, week=marked)
        typer.echo(str(drawn), err=True)


def _check_files(out: Path | None, plot: Path | None) -> None:
    """Says before a run is asked what could not be written."""
    from quadrat.report.pictures import picture_kind
    from quadrat.runs import require_writable

    if plot is not None:
        picture_kind(plot)
    for path in (out, plot):
        if path is not None:
            require_writable(path)


def _week_or_year(week: int | None, date: str | None, year: bool) -> int | None:
    if not year:
        return week
    if week or date is not None:
        raise UsageError("--year is the whole year: leave --week and --date out.")
    return 0


def _refuse_with_places(**given: object) -> None:
    named = [f"--{name}" for name, value in given.items() if value is not None]
    if named:
        raise UsageError(f"--places and {', '.join(named)} are both given: choose one.")


def _format(format: str | None, as_json: bool, out: Path | None) -> str:
    by_ending = {".txt": "birdnet", ".json": "json", ".csv": "table", ".parquet": "table"}
    if format is not None and format not in FORMATS:
        raise UsageError(f"there is no format '{format}'. Known: {', '.join(FORMATS)}.")
    if out is not None and out.suffix.lower() not in by_ending and format is None:
        raise UsageError(f"cannot tell the format of {out.name}: give .txt, .csv, .parquet, .json.")
    asked = format or ("json" if as_json else None)
    return asked or (by_ending[out.suffix.lower()] if out is not None else "table")


def _tell(found: pl.DataFrame, kind: str, out: Path | None, *, whole: bool) -> None:
    """Prints a list, or writes it and prints where."""
    from quadrat.cli._console import print_json
    from quadrat.occurrence.birdnet import birdnet_lines, write_birdnet_list
    from quadrat.runs import write_json
    from quadrat.tables import write_table

    names = list(found.select("scientific_name", "common_name").iter_rows())
    if out is not None:
        if kind == "birdnet":
            write_birdnet_list(names, out)
        elif kind == "json":
            write_json(out, found.to_dicts())
        else:
            write_table(found, out)
        typer.echo(str(out))
    elif kind == "birdnet":
        for line in birdnet_lines(names):
            typer.echo(line)
    elif kind == "json":
        print_json(found.to_dicts())
    else:
        _print_list(found, whole=whole or not sys.stdout.isatty())


def _print_list(found: pl.DataFrame, *, whole: bool) -> None:
    """A list for people; on a screen its beginning, unless they said how much they want."""
    from quadrat.cli._console import print_table

    shown = found.drop("distance_km", "far")
    if not whole:
        shown = shown.head(SCREEN_SPECIES)
    rows = shown.to_dicts()
    print_table([{**row, "probability": _rounded(row["probability"])} for row in rows])
    if more := found.height - shown.height:
        typer.echo(
            f"note: {more} more species; see them with --top N, --threshold P, --json or --out.",
            err=True,
        )


def _rounded(probability: float) -> str:
    """Three decimals; what is too small for them is not called nought."""
    return f"{probability:.3f}" if probability >= 0.001 else "<0.001"


def _note_distance(near: Nearest) -> None:
    """Says on stderr when a place is beyond what the run was judged on."""
    if near.far:
        typer.echo(
            f"note: the nearest training cell with records is {near.distance_km:.0f} km away, "
            "farther than for 99 % of the cells the run was judged on: no score speaks for this "
            "list.",
            err=True,
        )
