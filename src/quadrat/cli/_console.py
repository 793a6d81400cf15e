"""How commands speak: progress on stderr, tables and JSON on stdout."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from quadrat.engine import Progress

_LINE_SECONDS = 15.0
"""Seconds between two lines of a task that is not shown as a bar."""


@contextlib.contextmanager
def progress(quiet: bool = False) -> Iterator[None]:
    """Shows progress on stderr: bars in a terminal, plain lines elsewhere."""
    from quadrat.engine import report_progress

    if quiet:
        yield
        return
    with report_progress(_bars() if sys.stderr.isatty() else _lines()):
        yield


def print_json(value: object) -> None:
    """A result for a script."""
    from quadrat.runs import finite

    typer.echo(json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False))


def print_table(rows: Sequence[Mapping[str, object]]) -> None:
    """A result for a person: columns aligned, numbers to the right."""
    if not rows:
        typer.echo("(nothing)")
        return
    names = list(rows[0])
    cells = [[_cell(row.get(name)) for name in names] for row in rows]
    widths = [max(len(line[i]) for line in [names, *cells]) for i in range(len(names))]
    numeric = [isinstance(rows[0].get(name), (int, float)) for name in names]
    for line in [names, *cells]:
        padded = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        ]
        typer.echo("  ".join(padded).rstrip())


def print_scores(metrics: Mapping[str, Any], names: Sequence[str] = ()) -> None:
    """The scores of a run beside the baselines, with intervals where there are any."""
    primary = metrics["primary"]
    chosen = list(names) or _headline(metrics)
    rows: list[dict[str, object]] = []
    empty: list[str] = []
    for name in dict.fromkeys([primary, *chosen]):
        row: dict[str, object] = {"score": name, "model": metrics["scores"].get(name)}
        low, high = metrics.get("intervals", {}).get(name) or (None, None)
        row["interval"] = f"[{_cell(low)}, {_cell(high)}]" if low is not None else ""
        for baseline, scores in metrics.get("baselines", {}).items():
            row[baseline] = scores.get(name)
        known = any(value not in (None, "") for key, value in row.items() if key != "score")
        if known:
            rows.append(row)
        else:
            empty.append(name)
    print_table(rows)
    if empty:
        typer.echo(f"without a value here: {', '.join(empty)}")


def _headline(metrics: Mapping[str, Any]) -> list[str]:
    usual = ["weighted_r2", "r2", "rmse", "mae", "map", "f1_10", "top10_recall", "list_ratio_10"]
    return [name for name in usual if name in metrics["scores"]]


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _describe(label: str, record: Mapping[str, Any], epochs: int) -> str:
    hidden = {"fold", "epoch", "step", "seconds", "learning_rate"}
    shown = {k: v for k, v in record.items() if k not in hidden and isinstance(v, float)}
    numbers = "  ".join(f"{name} {_cell(value)}" for name, value in list(shown.items())[:6])
    return f"{label}  epoch {record['epoch']}/{epochs}  {numbers}  ({record['seconds']:.1f} s)"


def _lines() -> Progress:
    """Plain lines: one an epoch at most every few seconds, and one for long tasks."""
    from quadrat.engine.progress import Progress, Task

    class Counter(Task):
        def __init__(self, label: str, total: int) -> None:
            self.label, self.total, self.done = label, total, 0
            self.told = time.monotonic()

        def advance(self, steps: int = 1) -> None:
            self.done += steps
            if time.monotonic() - self.told > _LINE_SECONDS:
                self.told = time.monotonic()
                typer.echo(f"{self.label}: {self.done}/{self.total}", err=True)

    class Lines(Progress):
        def __init__(self) -> None:
            self.told = float("-inf")
            self.warned: set[str] = set()

        def note(self, message: str) -> None:
            typer.echo(message, err=True)

        def warn(self, message: str) -> None:
            if message in self.warned:  # members of an ensemble meet the same table
                return
            self.warned.add(message)
            typer.echo(f"warning: {message}", err=True)

        @contextlib.contextmanager
        def task(self, label: str, total: int) -> Iterator[Task]:
            yield Counter(label, total)

        def epoch(self, label: str, record: Mapping[str, Any], epochs: int) -> None:
            last = record["epoch"] == epochs
            if last or time.monotonic() - self.told > 2.0:
                self.told = time.monotonic()
                typer.echo(_describe(label, record, epochs), err=True)

    return Lines()


def _bars() -> Progress:
    """Bars that vanish when their task is done, under the lines of the epochs."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    from quadrat.engine.progress import Progress, Task

    console = Console(stderr=True, highlight=False)

    class Bar(Task):
        def __init__(self, bars: RichProgress, label: str, total: int) -> None:
            self.bars, self.id = bars, bars.add_task(label, total=total)

        def advance(self, steps: int = 1) -> None:
            self.bars.advance(self.id, steps)

    class Bars(Progress):
        def __init__(self) -> None:
            self.told = float("-inf")
            self.warned: set[str] = set()

        def note(self, message: str) -> None:
            console.print(message, markup=False)

        def warn(self, message: str) -> None:
            if message in self.warned:  # members of an ensemble meet the same table
                return
            self.warned.add(message)
            console.print(f"warning: {message}", markup=False, style="yellow")

        @contextlib.contextmanager
        def task(self, label: str, total: int) -> Iterator[Task]:
            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            )
            with RichProgress(*columns, console=console, transient=True) as bars:
                yield Bar(bars, label, total)

        def epoch(self, label: str, record: Mapping[str, Any], epochs: int) -> None:
            last = record["epoch"] == epochs
            if last or time.monotonic() - self.told > 1.0:
                self.told = time.monotonic()
                console.print(_describe(label, record, epochs), markup=False)

    return Bars()
