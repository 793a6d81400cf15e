"""Verbs that ask a run: predict, submit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quadrat.cli._options import QuietOption, RunArgument, ThresholdOption, parsed_threshold
from quadrat.errors import counted


def register(app: typer.Typer) -> None:
    """Adds the verbs of this module."""
    app.command()(predict)
    app.command()(submit)


def predict(
    run: RunArgument,
    data: Annotated[Path, typer.Option(help="The table to answer for.")],
    out: Annotated[Path, typer.Option(help="The answers: .parquet or .csv.")],
    threshold: ThresholdOption = None,
    distance: Annotated[
        bool, typer.Option("--distance", help="Places: add the distance to the nearest records.")
    ] = False,
    per_hectare: Annotated[
        bool,
        typer.Option("--per-hectare", help="Photos: add kg per hectare, and write paddocks.csv."),
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Predict for a new table of photos, or of places and weeks."""
    from quadrat import workflow
    from quadrat.cli._console import progress

    with progress(quiet):
        frame = workflow.predict(
            run,
            data=data,
            out=out,
            threshold=parsed_threshold(threshold),
            distance=distance,
            per_hectare=per_hectare,
        )
    typer.echo(counted(frame.height, "row"), err=True)
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
