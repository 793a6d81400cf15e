"""The verb that searches for better settings: tune."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quadrat.cli._options import ExperimentArgument, JsonOption, QuietOption, SetOption

if TYPE_CHECKING:
    from quadrat.search import StudyResult


class Method(StrEnum):
    """How values are chosen."""

    tpe = "tpe"
    random = "random"


def register(app: typer.Typer) -> None:
    """Adds the verbs of this module."""
    app.command()(tune)


def tune(
    experiment: ExperimentArgument,
    method: Annotated[Method, typer.Option(help="How values are chosen.")] = Method.tpe,
    trials: Annotated[int, typer.Option(help="Trials in all, those of the storage too.")] = 30,
    epochs: Annotated[
        int | None, typer.Option(help="Epochs of a trial; the experiment's, at most 15.")
    ] = None,
    only: Annotated[
        str | None, typer.Option(metavar="KEY,KEY", help="Search these keys only.")
    ] = None,
    space: Annotated[
        Path | None, typer.Option(help="A TOML file of ranges, in place of the shipped ones.")
    ] = None,
    storage: Annotated[
        Path | None,
        typer.Option(help="Keep trials in this .db or .log, and go on with those that it has."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder in which the study's folder is made.")] = Path(
        "runs"
    ),
    timeout: Annotated[
        float | None, typer.Option(help="No trial begins after so many seconds.")
    ] = None,
    show_space: Annotated[
        bool, typer.Option("--show-space", help="Print the ranges as TOML and do nothing else.")
    ] = False,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Search for better settings; the last line on stdout trains the best ones."""
    from quadrat import search
    from quadrat.cli._console import print_json, progress

    keys = [key.strip() for key in only.split(",")] if only else []
    if show_space:
        typer.echo(_space(experiment, overrides or [], space, keys), nl=False)
        return
    with progress(quiet):
        found = search.tune(
            experiment,
            method=method.value,
            trials=trials,
            epochs=epochs,
            only=keys,
            space=space,
            storage=storage,
            out=out,
            overrides=overrides or [],
            timeout=timeout,
        )
    if as_json:
        print_json({"folder": str(found.folder), "command": found.command, **found.to_dict()})
    else:
        _print(found)


def _print(found: StudyResult) -> None:
    from quadrat.cli._console import print_table

    best, given = found.best, found.given
    if best is not None:
        rows = [{"key": k, "best": v, "own": found.own.get(k)} for k, v in best.values.items()]
        print_table(rows)
        typer.echo(f"\n{found.primary}: {best.value:.5g} (trial {best.number})")
    if given is not None:
        typer.echo(f"the experiment's own values: {given.value:.5g}")
    counts = ", ".join(f"{count} {state}" for state, count in found.counts().items())
    typer.echo(f"trials: {counts}")
    typer.echo(f"report: {found.folder / 'report.html'}")
    typer.echo(found.command)


def _space(experiment: str, overrides: list[str], space: Path | None, only: list[str]) -> str:
    from quadrat import search, workflow

    checked = workflow.load_experiment(experiment, overrides)
    ranges = search.searched_space(checked, space=space, only=only, overrides=overrides)
    return ranges.to_toml()
