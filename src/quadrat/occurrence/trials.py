"""Trainings of a search: no run folder, records read once, judged on the validation cells."""

from __future__ import annotations

import json

from quadrat.engine import Backend, Report, RunningScore
from quadrat.occurrence.fitting import fit_network
from quadrat.occurrence.samples.dataset import OccurrenceData, prepare, weighed
from quadrat.occurrence.schema import OccurrenceExperiment
from quadrat.scoring import primary_direction

__all__ = ["data_key", "prepare", "validation_score"]

_DATA_SECTIONS = ("data", "labels", "split", "points", "seed")
"""All that `prepare` looks at."""


def data_key(experiment: OccurrenceExperiment) -> str:
    """What the prepared data depend on: experiments with the same key can share them."""
    content = experiment.content()
    del content["labels"]["frequency_weight"]  # found anew for every trial
    return json.dumps({name: content.get(name) for name in _DATA_SECTIONS}, sort_keys=True)


def validation_score(
    experiment: OccurrenceExperiment, data: OccurrenceData, *, report: Report | None = None
) -> float:
    """Trains a network and gives its best primary score on the validation cells.

    Test cells are not looked at, and nothing is written.

    Args:
        experiment: The experiment.
        data: What `prepare` made of an experiment with the same `data_key`.
        report: Told the best score so far after every epoch; ends the training by raising.

    Raises:
        TrainingError: The loss or the score is not finite.
        Stopped: A signal asked to stop.
    """
    primary = experiment.score.primary
    running = RunningScore(primary, primary_direction(primary), experiment.optimiser.epochs, report)
    backend = Backend.create(experiment.run.device, experiment.optimiser.precision)
    data = weighed(data, experiment.labels.frequency_weight)
    fitted = fit_network(experiment, data, backend, history=running, on_epoch=running.on_epoch)
    return running.end(fitted.result)
