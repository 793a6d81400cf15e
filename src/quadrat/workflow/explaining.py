"""Why a run says what it says: maps over photos, response curves, and what its inputs are worth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from quadrat.explanations import Question
from quadrat.predictors import Run, family_of, load_run
from quadrat.runs import read_json
from quadrat.tables import write_table


def explain(
    run: Path | str,
    *,
    out: Path | str,
    data: Path | str | None = None,
    method: str | None = None,
    samples: int | None = None,
    species: Sequence[str] = (),
    week: int | None = None,
) -> list[Path]:
    """Explains the answers of a run.

    Args:
        run: The run folder.
        out: Receives tables, figures and sheets.
        data: Photos: a table as in training; known targets tell the importance of metadata.
            Points: records, places or a survey with the covariates. Networks that read the
            environment: places with columns of it, by default the run's own cells.
        method: Photos only: ``rollout``, ``gradcam``, ``occlusion``, ``density``, or ``auto``, the
            default, which goes by the head.
        samples: Photos only: how many samples get a sheet, by default the first 12 of the table.
        species: Species only: codes or names of those to tell of; by default the first ones.
        week: Networks of place and week only: 1-48, or 0 for the whole year; by default the mean
            of four weeks of the year.

    Returns:
        The files: a table a line of what is told, a sheet a sample, and response curves.

    Raises:
        RunError: The run has not finished.
        UsageError: The run cannot be explained so, or an option is not one of its family.
        UnknownNameError: The model does not know a species.
        DataError: The table cannot be used.
    """
    table = None if data is None else Path(data)
    question = Question(table, method=method, samples=samples, species=species, week=week)
    opened = load_run(run)
    found = family_of(opened.experiment()).explain(opened, question)
    paths = []
    for name, frame in found.tables.items():
        path = Path(out) / f"{name}.csv"
        write_table(frame, path)
        paths.append(path)
    if found.sheets:
        from quadrat.report.explanations import write_sheets

        paths += write_sheets(found.sheets, Path(out) / "sheets")
    if "response" in found.tables:
        paths += _draw_responses(opened, found.tables["response"], Path(out))
    return paths


def _draw_responses(run: Run, table: pl.DataFrame, out: Path) -> list[Path]:
    """The response curves of a run of species, whose names stand in its own labels."""
    from quadrat.occurrence.records.taxonomy import Vocabulary
    from quadrat.report.response_figures import write_responses

    described = read_json(run.path("model.json"))
    known = Vocabulary.read(run.path(str(described["labels"])))
    names = {species.code: species.common for species in known.species}
    only_presences = described.get("points", {}).get("kind") == "presence-only"
    answer = "suitability" if only_presences else "probability"
    return write_responses(table, out, names=names, answer=answer)
