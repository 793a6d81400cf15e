"""The verb that makes one run of several: ensemble."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from quadrat.cli._options import QuietOption, SetOption


class CombineMethod(StrEnum):
    """How the members' answers become one."""

    mean = "mean"
    median = "median"
    weighted = "weighted"


def register(app: typer.Typer) -> None:
    """Adds the verb of this module."""
    app.command()(ensemble)


def ensemble(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN ...", help="Finished runs.")],
    method: Annotated[
        CombineMethod, typer.Option(help="weighted: weights are fitted out of fold.")
    ] = CombineMethod.mean,
    name: Annotated[str, typer.Option(help="First part of the new folder's name.")] = "ensemble",
    jit: Annotated[bool, typer.Option("--jit", help="Hold one member in memory at once.")] = False,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy the members into the new run folder.")
    ] = False,
    drop_broken: Annotated[
        bool, typer.Option("--drop-broken", help="Leave out members with R² below 0.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder in which the run folder is made.")] = Path(
        "runs"
    ),
    overrides: SetOption = None,
    quiet: QuietOption = False,
) -> None:
    """Combine runs into one that predicts; the last line on stdout is its folder."""
    from quadrat import workflow
    from quadrat.cli._console import print_scores, progress

    with progress(quiet):
        run = workflow.ensemble(
            runs,
            method=method.value,
            name=name,
            jit=jit,
            copy=copy,
            drop_broken=drop_broken,
            out=out,
            overrides=overrides or [],
        )
    print_scores(run.metrics())
    typer.echo(f"report: {run.path('report.html')}")
    typer.echo(str(run.folder))
