"""What the functions behind the verbs ask of the occurrence family."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quadrat.engine import OnEpoch, Report
from quadrat.errors import RunError, UsageError
from quadrat.experiment import CheckReport
from quadrat.explanations import Explanations, Question
from quadrat.occurrence import checking, training, trials
from quadrat.occurrence.evaluating import evaluate_cells
from quadrat.occurrence.points import family as points
from quadrat.occurrence.predictor import OccurrencePredictor
from quadrat.occurrence.responses.networks import environment_response
from quadrat.occurrence.responses.points import explain_points
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


def explain(run: Run, question: Question) -> Explanations:
    """How answers follow what is known of places, and what that is worth.

    Args:
        run: The run.
        question: Its table holds, for points, records, places or a survey; for networks that read
            the environment, places instead of the run's own cells.

    Returns:
        ``importance`` and ``response``. A network's importance is that of its judged cells.

    Raises:
        UsageError: An option is not one of this run, a run of points has no table, or the run does
            not read the environment.
        DataError: The table cannot be used.
        RunError: The run has not finished.
    """
    if question.method is not None or question.samples is not None:
        raise UsageError("--method and --samples are for photos; leave them out for species.")
    experiment = run.experiment()
    if isinstance(experiment, OccurrenceExperiment) and experiment.points:
        if question.week is not None:
            raise UsageError("--week is for networks of place and week; points have no weeks.")
        if question.table is None:
            raise UsageError(
                f"{run.folder} answers for points: give places with the covariates of training "
                "with --data (records, places, or a survey)."
            )
        predictor = points.PointsPredictor.load(run.folder)
        found = explain_points(
            predictor, question.table, species=question.species, seed=experiment.seed
        )
        return Explanations(found)
    return _explain_network(run, question, experiment.seed)


def _explain_network(run: Run, question: Question, seed: int) -> Explanations:
    predictor = OccurrencePredictor.load(run.folder)
    if predictor.known is None:
        raise UsageError(
            f"{run.folder} does not read the environment (network.environment_input), so there is "
            "no importance of inputs to tell, and no response to them. Train with "
            "network.environment_input, or explain a run of points."
        )
    importance = run.path("importance.parquet")
    tables = {"importance": read_table(importance)} if importance.exists() else {}
    response = environment_response(
        predictor,
        predictor.known,
        question.table,
        species=question.species,
        week=question.week,
        seed=seed,
    )
    return Explanations({**tables, "response": response})


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
