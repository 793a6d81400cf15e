"""Verbs to start with: demo, recipes, import."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from quadrat.cli._options import QuietOption


class DemoFamily(StrEnum):
    """What a demo shows."""

    photos = "photos"
    occurrence = "occurrence"


def register(app: typer.Typer) -> None:
    """Adds the verbs of this module."""
    app.command()(demo)
    app.command()(recipes)
    app.command("import")(import_model)


def demo(
    family: Annotated[
        DemoFamily | None, typer.Argument(help="One of the two; both by default.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for data and runs.")] = Path("quadrat-demo"),
    seed: Annotated[int, typer.Option(help="Seed of the generated world.")] = 0,
    quiet: QuietOption = False,
) -> None:
    """A complete small run on generated data, about a minute each, with no network."""
    from quadrat import workflow
    from quadrat.cli._console import print_scores, progress

    families = [family.value] if family else [member.value for member in DemoFamily]
    for name in families:
        with progress(quiet):
            result = workflow.demo(name, out=out, seed=seed)
        typer.echo(f"\n{result.title}")
        typer.echo(f"The data are generated: {result.about}\n")
        print_scores(result.run.metrics())
        typer.echo(f"\nopen   {result.run.path('report.html')}")
        for line in result.next_steps:
            typer.echo(f"try    {line}")
        typer.echo(str(result.run.folder))


def recipes(
    name: Annotated[str | None, typer.Argument(help="Print this recipe.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write it to this file instead.")] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of experiment files.")
    ] = False,
) -> None:
    """List the shipped experiments, print or write one."""
    from quadrat.errors import UsageError
    from quadrat.recipes import recipe_names, recipe_summary, recipe_text

    if schema:
        from quadrat.cli._console import print_json
        from quadrat.experiment import json_schema

        print_json(json_schema())
    elif name is None:
        width = max(len(recipe) for recipe in recipe_names())
        for recipe in recipe_names():
            typer.echo(f"{recipe.ljust(width)}  {recipe_summary(recipe)}")
    elif out is None:
        typer.echo(recipe_text(name), nl=False)
    else:
        from quadrat.runs import write_text

        if out.exists():
            raise UsageError(f"{out} exists already; give another file.")
        write_text(out, recipe_text(name))
        typer.echo(str(out))


def import_model(
    checkpoint: Annotated[
        Path,
        typer.Argument(metavar="CHECKPOINT", help="checkpoint_best.pt of the BirdNET geomodel."),
    ],
    labels: Annotated[
        Path | None, typer.Option(help="Its labels.txt; by default the one beside it.")
    ] = None,
    taxonomy: Annotated[
        Path | None, typer.Option(help="Names and classes that go before the labels'.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="The combined parquet it learnt from: what its environment means."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder in which the run folder is made.")] = Path(
        "runs"
    ),
    name: Annotated[str | None, typer.Option(help="First part of the run folder's name.")] = None,
) -> None:
    """Make a run of a geomodel checkpoint; the last line on stdout is the run folder."""
    from quadrat import workflow

    run = workflow.import_model(
        checkpoint, labels=labels, taxonomy=taxonomy, data=data, out=out, name=name
    )
    typer.echo(str(run.folder))
