"""What the functions behind the verbs ask of the occurrence family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from quadrat.engine import OnEpoch, Report
from quadrat.errors import RunError, UsageError
from quadrat.experiment import CheckReport
from quadrat.occurrence import checking, training, trials
from quadrat.occurrence.evaluating import evaluate_cells
from quadrat.occurrence.points import family as points
from quadrat.occurrence.predictor import OccurrencePredictor
from quadrat.occurrence.schema import OccurrenceExperiment
from quadrat.occurrence.trials import data_key
from quadrat.runs import History, Run, read_json
from quadrat.tables import read_table

__all__ = [
    "check",
    "data_key",
    "evaluate",
    "explain",
    "load",
    "prepare",
    "train",
    "validation_score",
]


def check(experiment: OccurrenceExperiment) -> CheckReport:
    """Reads the records of an experiment and reports what training would meet."""
    return points.check(experiment) if experiment.points else checking.check(experiment)


def train(
    experiment: OccurrenceExperiment,
    run: Run,
    *,
    history: History,
    on_epoch: OnEpoch | None = None,
) -> dict[str, Any]:
    """Trains, judges and writes a run of cells or of points; see their own ``train``."""
    chosen = points.train if experiment.points else training.train
    return chosen(experiment, run, history=history, on_epoch=on_epoch)


def prepare(experiment: OccurrenceExperiment) -> Any:
    """The data that trainings of a search share."""
    return points.prepare(experiment) if experiment.points else trials.prepare(experiment)


def validation_score(
    experiment: OccurrenceExperiment, data: Any, *, report: Report | None = None
) -> float:
    """Trains without a run folder; the primary score on the validation part."""
    chosen = points.validation_score if experiment.points else trials.validation_score
    return chosen(experiment, data, report=report)


class Explanations(NamedTuple):
    """What a run knows of its inputs: tables by name, and no pictures of samples."""

    tables: Mapping[str, pl.DataFrame]
    sheets: Sequence[Any] = ()


def explain(run: Run, table: Path | None, *, method: str, count: int) -> Explanations:
    """The importance of the environment, as it was measured on the judged cells.

    Raises:
        UsageError: A table or method was given, or the run does not read the environment.
    """
    if table is not None or method != "auto":
        raise UsageError("--data and --method explain photos; a species run explains itself.")
    path = run.path("importance.parquet")
    if not path.exists():
        raise UsageError(
            f"{run.folder} does not read the environment (network.environment_input), so there is "
            "no importance of inputs to tell."
        )
    return Explanations({"importance": read_table(path)})


def evaluate(run: Run, table: Path | None, into: Path | None = None) -> dict[str, Any]:
    """Scores a finished run.

    Args:
        run: The run.
        table: A combined parquet, all of whose cells are judged, or presence–absence at points;
            by default the cells or points that the run's own experiment held out.
        into: Receives the scores of single species and places besides.

    Returns:
        The metrics.

    Raises:
        RunError: The run has not finished.
        DataError: The table cannot be used.
    """
    experiment = run.experiment()
    if not isinstance(experiment, OccurrenceExperiment):
        raise RunError(f"{run.folder} is a run of the family '{experiment.family}'.")
    chosen = points.evaluate if experiment.points else evaluate_cells
    return chosen(run, experiment, table, into)


def load(folder: Path) -> OccurrencePredictor | points.PointsPredictor:
    """The trained model of a run folder, of cells or of points."""
    if read_json(folder / "model.json").get("kind") == points.KIND:
        return points.PointsPredictor.load(folder)
    return OccurrencePredictor.load(folder)
