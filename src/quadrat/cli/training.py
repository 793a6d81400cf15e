"""Verbs that make and judge runs: check, train, evaluate, report, runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quadrat.cli._options import (
    ExperimentArgument,
    JsonOption,
    QuietOption,
    RunArgument,
    SetOption,
)


def register(app: typer.Typer) -> None:
    """Adds the verbs of this module."""
    app.command()(check)
    app.command()(train)
    app.command()(evaluate)
    app.command()(report)
    app.command("runs")(list_runs)


def check(
    experiment: ExperimentArgument,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Validate an experiment and its data: errors, leakage, shift between folds, estimates."""
    from dataclasses import asdict

    from quadrat import workflow
    from quadrat.cli._console import print_json, print_table, progress

    with progress(quiet):
        found = workflow.check(experiment, overrides=overrides or [])
    if as_json:
        print_json(asdict(found))
    else:
        for name, fact in found.facts.items():
            typer.echo(f"{name}: {fact}")
        for title, rows in found.tables.items():
            typer.echo(f"\n{title}")
            print_table(rows)
        for line in found.warnings:
            typer.echo(f"warning: {line}", err=True)
        for line in found.errors:
            typer.echo(f"error: {line}", err=True)
        typer.echo("\n" + ("ready to train" if found.ok else "not ready: mend the errors first"))
    raise typer.Exit(0 if found.ok else 1)


def train(
    experiment: ExperimentArgument,
    out: Annotated[Path, typer.Option(help="Folder in which the run folder is made.")] = Path(
        "runs"
    ),
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="auto|RUN",
            help="Go on with a run folder, or with the newest unfinished run of this experiment.",
        ),
    ] = None,
    overrides: SetOption = None,
    quiet: QuietOption = False,
) -> None:
    """Train all folds; the last line on stdout is the run folder."""
    from quadrat import workflow
    from quadrat.cli._console import print_scores, progress
    from quadrat.workflow.training import is_main

    with progress(quiet or not is_main()):
        run = workflow.train(experiment, out=out, resume=resume, overrides=overrides or [])
    if is_main():
        print_scores(run.metrics())
        typer.echo(f"report: {run.path('report.html')}")
        typer.echo(str(run.folder))


def evaluate(
    run: RunArgument,
    data: Annotated[
        Path | None, typer.Option(help="A table with known answers; by default the held-out data.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the evaluation's folder.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Score a run beside its baselines, with intervals."""
    from quadrat import workflow
    from quadrat.cli._console import print_json, print_scores, progress

    with progress(quiet):
        metrics = workflow.evaluate(run, data=data, name=name)
    if as_json:
        print_json(metrics)
    else:
        print_scores(metrics, sorted(metrics["scores"]))


def report(run: RunArgument) -> None:
    """Write figures, report.html and card.md of a run again."""
    from quadrat import workflow

    typer.echo(str(workflow.report(run)))


def list_runs(
    out: Annotated[Path, typer.Argument(help="The folder of runs.")] = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """List the runs in a folder: state, primary score, experiment."""
    from quadrat.cli._console import print_json, print_table
    from quadrat.workflow.registry import list_runs as listed

    rows = listed(out)
    if as_json:
        print_json(rows)
    else:
        print_table(rows)
