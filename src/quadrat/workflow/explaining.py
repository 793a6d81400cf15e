"""Why a run says what it says: maps over photos, and what its inputs are worth."""

from __future__ import annotations

from pathlib import Path

from quadrat.errors import UsageError
from quadrat.predictors import family_of, load_run
from quadrat.tables import write_table


def explain(
    run: Path | str,
    *,
    out: Path | str,
    data: Path | str | None = None,
    method: str = "auto",
    samples: int = 12,
) -> list[Path]:
    """Explains the answers of a run.

    Args:
        run: The run folder.
        out: Receives the tables and sheets.
        data: Photos: a table as in training; known targets tell the importance of metadata.
            Occurrence: none, since its run knows the importance of the environment.
        method: Photos only: ``rollout``, ``gradcam``, ``occlusion``, ``density`` or ``auto``.
        samples: Photos only: how many samples get a sheet, the first ones of the table.

    Returns:
        The files: a table a line of what is told, and a sheet a sample.

    Raises:
        RunError: The run has not finished.
        UsageError: The run's family cannot be explained so.
        DataError: The table cannot be used.
    """
    if samples < 1:
        raise UsageError(f"--samples {samples}: at least one sample must be explained.")
    opened = load_run(run)
    table = None if data is None else Path(data)
    family = family_of(opened.experiment())
    found = family.explain(opened, table, method=method, count=samples)
    paths = []
    for name, frame in found.tables.items():
        path = Path(out) / f"{name}.csv"
        write_table(frame, path)
        paths.append(path)
    if found.sheets:
        from quadrat.report.explanations import write_sheets

        paths += write_sheets(found.sheets, Path(out) / "sheets")
    return paths
