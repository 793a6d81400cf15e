"""The command line: a command parses, calls one function of the workflow, and prints.

Results go to stdout, progress and messages to stderr. Nothing heavy is imported before a command
runs, so that every ``--help`` answers at once.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import typer

from quadrat.cli import (
    answering,
    combining,
    explaining,
    mapping,
    searching,
    species,
    starting,
    training,
)
from quadrat.errors import QuadratError

app = typer.Typer(
    name="quadrat",
    help="Ecological quantities from field photos and species records.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
starting.register(app)
training.register(app)
searching.register(app)
combining.register(app)
answering.register(app)
explaining.register(app)
species.register(app)
mapping.register(app)


def main() -> None:
    """Runs the command line; its exit codes: 0 good, 1 failed, 2 wrong use, 130 interrupted."""
    warnings.showwarning = _show_warning
    try:
        code = app(standalone_mode=False)
    except QuadratError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of stdout has gone (as `| head` does); Python would complain at exit.
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        _click_error(error)
    sys.exit(code if isinstance(code, int) else 0)


def _click_error(error: Exception) -> None:
    """Shows errors of parsing in click's own words; anything else keeps its traceback."""
    show, code = getattr(error, "show", None), getattr(error, "exit_code", None)
    if callable(show) and isinstance(code, int):
        show()
        typer.echo(_foreign_option(str(getattr(error, "option_name", ""))), err=True, nl=False)
        sys.exit(code)
    if type(error).__name__ == "Abort":
        sys.exit(130)
    raise error


def _foreign_option(name: str) -> str:
    """A line for somebody who knows an option from another program, or nothing."""
    from quadrat.occurrence.transfer.flags import ASKING
    from quadrat.occurrence.transfer.flags import FLAGS as OF_OCCURRENCE
    from quadrat.photos.flags import FLAGS as OF_PHOTOS

    for flags in (OF_OCCURRENCE, OF_PHOTOS, ASKING):
        if found := flags.find(name):
            return _line(flags.advice(name), [flag.key for flag in found if flag.key])
    return ""


def _line(words: str, keys: list[str]) -> str:
    """A line of advice with how to set what it names."""
    how = f" Write --set {keys[0]}=VALUE." if len(keys) == 1 else ""
    return f"{words.strip()}{how}\n"


def _show_warning(message: Any, category: type[Warning], *where: Any, **more: Any) -> None:
    """Warnings of ours in one line; those of libraries are for their developers."""
    if category.__module__.startswith("quadrat"):
        typer.echo(f"warning: {message}", err=True)
