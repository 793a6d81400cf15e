"""Scores and reports of runs that exist."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quadrat.engine import current_progress
from quadrat.errors import UsageError
from quadrat.predictors import family_of, load_run
from quadrat.runs import write_json


def evaluate(
    run: Path | str, *, data: Path | str | None = None, name: str | None = None
) -> dict[str, Any]:
    """Scores a run with baselines and intervals.

    Args:
        run: The run folder.
        data: A table with known targets; by default the run's own held-out data.
        name: The evaluation's name; by default that of the table, with a dash for what is no
            letter, digit, dot, dash or underscore.

    Returns:
        The metrics, which are also written to ``evaluations/<name>/metrics.json``, with tables of
        what they rest on and, of a species model, ``report.html`` beside it. The run's own
        ``metrics.json`` is never changed.

    Raises:
        RunError: The run has not finished.
        DataError: The table cannot be used.
    """
    opened = load_run(run)
    table = Path(data) if data is not None else None
    name = name or (_plain(table) if table else "held-out")
    if not re.fullmatch(r"[\w.-]+", name) or name.startswith("."):
        raise UsageError(f"the evaluation's name {name!r} must be a plain folder name.")
    folder = opened.path("evaluations") / name
    metrics = family_of(opened.experiment()).evaluate(opened, table, folder)
    write_json(folder / "metrics.json", metrics)
    _tell_seen(metrics["protocol"])
    if opened.answers == "occurrence":
        from quadrat.report import write_evaluation_report

        write_evaluation_report(opened.folder, name)
    return metrics


def _plain(table: Path) -> str:
    """The table's name as that of a folder."""
    return re.sub(r"[^\w-]+", "-", table.name.split(".")[0]).strip("-") or "table"


def _tell_seen(protocol: Mapping[str, Any]) -> None:
    """Warns that scores flatter, where some of what is judged was learnt."""
    from quadrat.report.cautions import seen_in_training

    if seen := seen_in_training(protocol):
        current_progress().warn(seen.rstrip("."))


def report(run: Path | str) -> Path:
    """Writes figures, ``report.html`` and ``card.md`` of a run again.

    Returns:
        The report.

    Raises:
        RunError: The run has not finished.
    """
    from quadrat.report import write_report

    return write_report(load_run(run))
