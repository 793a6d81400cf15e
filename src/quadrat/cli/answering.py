"""Verbs that ask a run: predict, submit, species."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quadrat.cli._options import JsonOption, QuietOption, RunArgument

LatOption = Annotated[float, typer.Option("--lat", help="Latitude in degrees.")]
LonOption = Annotated[float, typer.Option("--lon", help="Longitude in degrees.")]


def register(app: typer.Typer) -> None:
    """Adds the verbs of this module."""
    app.command()(predict)
    app.command()(submit)
    app.command()(species)


def predict(
    run: RunArgument,
    data: Annotated[Path, typer.Option(help="The table to answer for.")],
    out: Annotated[Path, typer.Option(help="The answers: .parquet or .csv.")],
    quiet: QuietOption = False,
) -> None:
    """Predict for a new table of photos, or of places and weeks."""
    from quadrat import workflow
    from quadrat.cli._console import progress

    with progress(quiet):
        frame = workflow.predict(run, data=data, out=out)
    typer.echo(f"{frame.height} rows", err=True)
    typer.echo(str(out))


def submit(
    source: Annotated[
        Path, typer.Argument(metavar="RUN|TABLE", help="A run folder, or its predictions.")
    ],
    test: Annotated[Path, typer.Option(help="The table whose rows ask for predictions.")],
    like: Annotated[
        Path | None, typer.Option(help="A sample submission: columns, ids, order.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The submission file.")] = None,
    quiet: QuietOption = False,
) -> None:
    """Make a submission file and check it."""
    from quadrat import workflow
    from quadrat.cli._console import progress

    with progress(quiet):
        path = workflow.submit(source, test=test, like=like, out=out)
    typer.echo(str(path))


def species(
    run: RunArgument,
    lat: LatOption,
    lon: LonOption,
    week: Annotated[int | None, typer.Option(help="1 to 48; 0: the whole year.")] = None,
    date: Annotated[str | None, typer.Option(help="A date instead: 2026-05-17.")] = None,
    top: Annotated[int | None, typer.Option(help="At most so many species.")] = None,
    threshold: Annotated[float | None, typer.Option(help="Lowest probability.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the species of a place and week, the likeliest first."""
    from quadrat import workflow
    from quadrat.cli._console import print_json, print_table

    found = workflow.species_list(
        run, lat=lat, lon=lon, week=week, date=date, top=top, threshold=threshold
    )
    rows = found.to_dicts()
    if as_json:
        print_json(rows)
    else:
        print_table([{**row, "probability": f"{row['probability']:.3f}"} for row in rows])
