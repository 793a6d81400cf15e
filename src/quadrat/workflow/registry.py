"""The runs in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quadrat.errors import UsageError
from quadrat.runs import Run


def list_runs(out: Path | str) -> list[dict[str, Any]]:
    """Every run in a folder, oldest first.

    Args:
        out: The folder of runs.

    Returns:
        A row a run: folder, state, family, primary score and its value, experiment hash.

    Raises:
        UsageError: The folder does not exist.
    """
    folder = Path(out)
    if not folder.is_dir():
        raise UsageError(f"{folder} does not exist: give the folder that holds the runs.")
    paths = sorted(folder.glob("*/experiment.toml"), key=lambda path: path.stat().st_mtime)
    return [_row(Run.open(path.parent)) for path in paths]


def _row(run: Run) -> dict[str, Any]:
    status, experiment = run.status(), run.experiment()
    state = status.get("state")
    if state == "running" and not run.is_alive():
        state = "killed"
    primary, score = experiment.score.primary, None
    if run.path("metrics.json").exists():
        metrics = run.metrics()
        primary = metrics["primary"]
        score = metrics["scores"].get(primary)
    return {
        "run": run.folder.name,
        "state": state,
        "family": experiment.family,
        "primary": primary,
        "score": score,
        "experiment": experiment.content_hash()[:8],
    }
