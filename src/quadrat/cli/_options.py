"""Arguments and options that several commands share, described once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

ExperimentArgument = Annotated[
    str, typer.Argument(metavar="EXPERIMENT", help="An experiment file, or a recipe's name.")
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key; may be repeated."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
ThresholdOption = Annotated[
    str | None,
    typer.Option(
        metavar="NUMBER|species",
        help="Lowest probability; species: the own threshold of each species.",
    ),
]


def parsed_threshold(given: str | None) -> float | Literal["species"] | None:
    """What a user gave as threshold.

    Raises:
        BadParameter: It is neither a number nor "species".
    """
    if given is None or given == "species":
        return "species" if given else None
    try:
        return float(given)
    except ValueError:
        raise typer.BadParameter(
            f"{given!r} is neither a number nor 'species'", param_hint="--threshold"
        ) from None
