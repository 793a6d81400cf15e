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
    out: Annotated[Path, typer.Option(help="The folder for tables and sheets.")],
    data: Annotated[
        Path | None, typer.Option(help="Photos: the table to explain, best with known targets.")
    ] = None,
    method: Annotated[
        str, typer.Option(help="Photos: auto, gradcam, rollout, occlusion or density.")
    ] = "auto",
    samples: Annotated[int, typer.Option(help="Photos: how many samples get a sheet.")] = 12,
    quiet: QuietOption = False,
) -> None:
    """Explain predictions: maps over photos, and what metadata are worth."""
    from quadrat import workflow
    from quadrat.cli._console import progress

    with progress(quiet):
        paths = workflow.explain(run, out=out, data=data, method=method, samples=samples)
    for path in paths:
        typer.echo(str(path))
