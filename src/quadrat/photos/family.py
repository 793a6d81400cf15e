"""What the functions behind the verbs ask of the photos family."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quadrat.errors import RunError, UsageError
from quadrat.explanations import Explanations, Question
from quadrat.photos import preparation
from quadrat.photos.checking import check
from quadrat.photos.evaluating import answer_table, score_table
from quadrat.photos.judging import judge
from quadrat.photos.predictor import PhotosPredictor
from quadrat.photos.schema import PhotosExperiment
from quadrat.photos.training import held_out_of, train
from quadrat.photos.trials import data_key, prepare, validation_score
from quadrat.runs import Run
from quadrat.tables import write_table

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


def evaluate(run: Run, table: Path | None, into: Path | None = None) -> dict[str, Any]:
    """Scores a finished run.

    Args:
        run: The run.
        table: A table with known targets; by default the run's own held-out predictions are scored
            again, for which its training table must still be there.
        into: Receives what is predicted for a table.

    Returns:
        The metrics.

    Raises:
        RunError: The run has not finished.
        DataError: The table cannot be used, or knows no target.
    """
    experiment = run.experiment()
    if not isinstance(experiment, PhotosExperiment):
        raise RunError(f"{run.folder} is a run of the family '{experiment.family}'.")
    run.metrics()
    if table is None:
        prepared = preparation.prepare(experiment)
        return judge(experiment, prepared, held_out_of(run, experiment, prepared)).to_dict()
    predictor = load(run.folder)
    answered = answer_table(predictor, table)
    if into is not None:
        write_table(answered.predicted.frame(), into / "predictions.parquet")
    by_what = f"the mean of {len(predictor.members)} models"
    if experiment.run.refit:
        by_what = "one model that learnt from all samples of the training table"
    return score_table(run, experiment, answered, by_what=by_what)


def explain(run: Run, question: Question) -> Explanations:
    """Explains what a finished run says of a table; see `quadrat.photos.explain.explaining`.

    Raises:
        UsageError: There is no table, or the model cannot be explained so.
        DataError: The table cannot be used.
    """
    if question.species or question.week is not None:
        raise UsageError("--species and --week choose response curves, which species runs have.")
    if question.table is None:
        raise UsageError("photos are explained one by one: give their table with --data.")
    from quadrat.photos.explain import explaining

    predictor = load(run.folder)
    samples, count = predictor.samples(question.table), question.samples or explaining.SHEETS
    return explaining.explain(predictor, samples, method=question.method, count=count)


def load(folder: Path) -> PhotosPredictor:
    """The trained model of a run folder."""
    return PhotosPredictor.load(folder)
