"""Trainings of a search on points: no run folder, judged on the held-out blocks."""

from __future__ import annotations

from quadrat.engine import Backend, Report
from quadrat.occurrence.points.data import PointData
from quadrat.occurrence.points.fitting import fit_part
from quadrat.occurrence.points.training import cross_validation, judge_folds
from quadrat.occurrence.schema import OccurrenceExperiment


def validation_score(
    experiment: OccurrenceExperiment, data: PointData, *, report: Report | None = None
) -> float:
    """Cross-validates all models of an experiment and gives the primary score.

    Args:
        experiment: The experiment.
        data: What `prepare` made of an experiment with the same data.
        report: Told the score once, at the end: a forest has no epochs to prune at.

    Raises:
        TrainingError: The loss is not finite.
        Stopped: A signal asked to stop.
    """
    backend = Backend.create(experiment.run.device, experiment.optimiser.precision)
    quiet = experiment.model_copy(
        update={"score": experiment.score.model_copy(update={"baselines": False, "bootstrap": 0})}
    )
    fitted = [fit_part(quiet, data, part, backend) for part in cross_validation(quiet, data)]
    score = judge_folds(quiet, data, fitted).metrics.scores[experiment.score.primary]
    if report is not None:
        report(experiment.optimiser.epochs, score)
    return score
