"""The verb that makes maps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quadrat.cli._options import RunArgument, ThresholdOption, parsed_threshold


def register(app: typer.Typer) -> None:
    """Adds the verb of this module."""
    app.command("map")(make_map)


def make_map(
    run: RunArgument,
    species: Annotated[
        str | None, typer.Option(help="Code, scientific name or common name.")
    ] = None,
    week: Annotated[
        str | None,
        typer.Option(help="1 to 48, as in 1,13,26-28; year, or all. Default: the year."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The file: .png .svg .pdf, .gif, .tif, .gpkg or .geojson."),
    ] = None,
    what: Annotated[str, typer.Option(help="range, richness or uncertainty.")] = "range",
    group: Annotated[
        str | None, typer.Option("--class", help="Count species of this taxonomic class only.")
    ] = None,
    bounds: Annotated[
        str | None,
        typer.Option(help="Longitude from, latitude from, to, to: -10,35,30,60; or a region."),
    ] = None,
    step: Annotated[float | None, typer.Option(help="Degrees between points.")] = None,
    resolution: Annotated[int | None, typer.Option(help="H3 cells instead, 0 to 15.")] = None,
    land_only: Annotated[bool, typer.Option("--land-only", help="Leave the sea blank.")] = False,
    threshold: ThresholdOption = None,
    near_only: Annotated[
        bool,
        typer.Option(
            "--near-only", help="Leave blank what is far from all records; pictures stripe it else."
        ),
    ] = False,
    format: Annotated[str | None, typer.Option(help="The format, if not by the ending.")] = None,
) -> None:
    """Map where a species is, how many species there are, or how sure the model is."""
    from quadrat import workflow
    from quadrat.geo import WORLD

    path = workflow.make_map(
        run,
        what=what,
        species=species,
        group=group,
        weeks=week,
        bounds=WORLD if bounds is None else bounds,
        step=step,
        resolution=resolution,
        land_only=land_only,
        threshold=parsed_threshold(threshold),
        near_only=near_only,
        out=out,
        format=format,
    )
    typer.echo(str(path))
