"""Training on points into a run folder: spatial cross-validation, then all sites.

Every fold holds whole spatial blocks out. The held-out blocks choose the epoch at which the
networks stop and judge the models that have not learnt them; the models that answer for new places
learn from all sites, for the median of the chosen epochs.
"""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np

from quadrat.engine import Backend, OnEpoch
from quadrat.occurrence.points.checking import findings
from quadrat.occurrence.points.data import PointData, prepare, section_of
from quadrat.occurrence.points.fitting import Fitted, Part, fit_part
from quadrat.occurrence.points.judging import JudgedPoints, judge
from quadrat.occurrence.points.learnt import write_what_it_learnt
from quadrat.occurrence.points.objective import PointObjective
from quadrat.occurrence.points.scores import Answers
from quadrat.occurrence.schema import OccurrenceExperiment
from quadrat.occurrence.telling import tell
from quadrat.runs import FORMAT_VERSION, History, Run, write_json
from quadrat.tables import write_table

KIND = "occurrence-points"
MODEL, BASELINE = "refit", "refit/baseline"


def train(
    experiment: OccurrenceExperiment,
    run: Run,
    *,
    history: History,
    on_epoch: OnEpoch | None = None,
) -> dict[str, Any]:
    """Trains, judges and writes a run; goes on from what lies in its folder.

    Args:
        experiment: The experiment.
        run: Where everything goes.
        history: Receives a record an epoch of the folds' networks.
        on_epoch: Called with every record; a fold's training ends when it returns True.

    Returns:
        The metrics, which are also in ``metrics.json``.

    Raises:
        DataError: The tables cannot be used.
        UsageError: The primary score is not one of points.
        Stopped: A signal asked to stop; the state was saved.
    """
    PointObjective(experiment.score.primary)
    data = prepare(experiment)
    backend = Backend.create(experiment.run.device, experiment.optimiser.precision)
    tell(findings(experiment, data), run, backend)
    fitted = []
    for part in cross_validation(experiment, data):
        state = run.fold(part.fold) / "state"
        found = fit_part(
            experiment, data, part, backend, state=state, history=history, on_epoch=on_epoch
        )
        fitted.append(found)
        if backend.is_main:
            _save(found, run, f"folds/{part.fold}", f"folds/{part.fold}/baseline")
    judged = judge_folds(experiment, data, fitted)
    everything = np.arange(len(data.sites))
    last = Part(len(fitted), everything, everything[:0], chosen_epochs(experiment, fitted))
    final = fit_part(experiment, data, last, backend, state=run.path(MODEL) / "state")
    if backend.is_main:
        _save(final, run, MODEL, BASELINE)
        _write(run, experiment, data, judged, last.epochs)
        _, section = section_of(experiment)
        models = [found.model for found in fitted]
        write_what_it_learnt(run.folder, section, data, models, final.model, seed=experiment.seed)
        write_json(run.path("metrics.json"), judged.metrics.to_dict())
    return judged.metrics.to_dict()


def cross_validation(experiment: OccurrenceExperiment, data: PointData) -> list[Part]:
    """The folds as parts."""
    epochs = experiment.optimiser.epochs
    return [
        Part(
            number,
            np.flatnonzero(data.folds.fold != number),
            np.flatnonzero(data.folds.fold == number),
            epochs,
        )
        for number in range(data.folds.count)
    ]


def judge_folds(
    experiment: OccurrenceExperiment, data: PointData, fitted: list[Fitted]
) -> JudgedPoints:
    """The scores of every fold's models on the sites that they have not learnt."""
    _, section = section_of(experiment)
    answers: Answers = np.empty(data.sites.labels.shape, dtype=np.float32)
    simple = answers.copy() if experiment.score.baselines else None
    for number, found in enumerate(fitted):
        rows = data.folds.fold == number
        covariates = data.sites.covariates.rows(rows)
        answers[rows] = found.model.answers(covariates)
        if simple is not None and found.baseline is not None:
            simple[rows] = found.baseline.answers(covariates)
    return judge(
        answers,
        data.sites,
        data.folds.fold,
        vocabulary=data.vocabulary,
        counts=data.counts,
        groups=data.groups,
        baseline=simple,
        score=experiment.score,
        protocol=_protocol(experiment, data),
        calibrated=section.kind == "presence-absence",
        seed=experiment.seed,
    )


def _protocol(experiment: OccurrenceExperiment, data: PointData) -> dict[str, Any]:
    """How the sites were divided, for ``metrics.json``."""
    _, section = section_of(experiment)
    blocks, unit = len(np.unique(data.folds.blocks)), " km" if section.geographic else ""
    absence = (
        f"presences against {section.background} background"
        if section.kind == "presence-only"
        else "presence against absence"
    )
    chosen = (
        "; these blocks also chose the epoch, which flatters a little"
        if "network" in section.models
        else ""
    )
    intervals = f"; intervals resample the {len(data.vocabulary)} species"
    return {
        "kind": "spatial-block",
        "judged": "folds",
        "labels": section.kind,
        "background": section.background if section.kind == "presence-only" else None,
        "sites": len(data.sites),
        "folds": data.folds.count,
        "groups": blocks,
        "block": data.folds.side,
        "seed": experiment.seed,
        "words": f"scores of {absence} at {len(data.sites)} sites, each answered by a model that "
        f"has not learnt its spatial block ({blocks} blocks with sides of "
        f"{data.folds.side:g}{unit}, {data.folds.count} folds){chosen}"
        f"{intervals if experiment.score.bootstrap else ''}.",
    }


def chosen_epochs(experiment: OccurrenceExperiment, fitted: list[Fitted]) -> int:
    """The median of the folds' best epochs, at least one."""
    best = [found.result.best_epoch for found in fitted if found.result is not None]
    return max(1, round(statistics.median(best))) if best else experiment.optimiser.epochs


def _save(fitted: Fitted, run: Run, model: str, baseline: str) -> None:
    fitted.model.save(run.path(model))
    if fitted.baseline is not None:
        fitted.baseline.save(run.path(baseline))


def _write(
    run: Run, experiment: OccurrenceExperiment, data: PointData, judged: JudgedPoints, epochs: int
) -> None:
    _, section = section_of(experiment)
    preprocessing = {
        "format_version": FORMAT_VERSION,
        "species": len(data.vocabulary),
        "species_without_a_name": list(data.unnamed),
        "species_too_rare": list(data.too_rare),
        "sites": len(data.sites),
        "epochs": epochs,
        "covariates": {
            "numbers": list(section.covariates),
            "categories": list(section.categorical),
            "fitted": f"{MODEL}/ensemble.json",
        },
    }
    write_json(run.path("preprocessing.json"), preprocessing)
    write_table(judged.species, run.path("species.parquet"))
    data.vocabulary.write(run.path("labels.txt"))
    description = {
        "format_version": FORMAT_VERSION,
        "kind": KIND,
        "labels": "labels.txt",
        "model": MODEL,
        "points": section.model_dump(mode="json", exclude_none=True),
    }
    write_json(run.path("model.json"), description)
    if judged.reliability is not None:
        write_json(run.path("reliability.json"), judged.reliability)
