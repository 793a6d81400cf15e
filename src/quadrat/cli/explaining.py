"""The verb that explains predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quadrat.cli._options import QuietOption, RunArgument


def register(app: typer.Typer) -> None:
    """Adds the verb of this module."""
    app.command()(explain)


def explain(
    run: RunArgument,
    out: Annotated[Path, typer.Option(help="The folder for tables, figures and sheets.")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Photos: the table to explain, best with known targets. Points: records, places "
            "or a survey. Networks that read the environment: places instead of the run's cells."
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="Photos: auto, gradcam, rollout, occlusion or density; else auto."),
    ] = None,
    samples: Annotated[
        int | None, typer.Option(help="Photos: how many samples get a sheet; else the first 12.")
    ] = None,
    species: Annotated[
        str | None,
        typer.Option(metavar="NAME,NAME,…", help="Species: codes or names; else the first 12."),
    ] = None,
    week: Annotated[
        int | None,
        typer.Option(help="Networks: 1-48, 0 for the year; else the mean of four weeks."),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Explain predictions: maps over photos, response curves, and what inputs are worth."""
    from quadrat import workflow
    from quadrat.cli._console import progress

    names = [name.strip() for name in species.split(",") if name.strip()] if species else []
    with progress(quiet):
        paths = workflow.explain(
            run, out=out, data=data, method=method, samples=samples, species=names, week=week
        )
    for path in paths:
        typer.echo(str(path))
