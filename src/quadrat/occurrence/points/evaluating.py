"""Scores of a finished run with points, again or on another table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from quadrat.occurrence.points.data import prepare, section_of
from quadrat.occurrence.points.ensemble import PointEnsemble
from quadrat.occurrence.points.fitting import Fitted
from quadrat.occurrence.points.judging import JudgedPoints, judge
from quadrat.occurrence.points.predictor import PointsPredictor
from quadrat.occurrence.points.sites import read_test
from quadrat.occurrence.points.training import BASELINE, judge_folds
from quadrat.occurrence.schema import OccurrenceExperiment
from quadrat.runs import Run, write_json
from quadrat.tables import read_table, write_table


def evaluate(
    run: Run, experiment: OccurrenceExperiment, table: Path | None, into: Path | None = None
) -> dict[str, Any]:
    """Scores a finished run.

    Args:
        run: The run.
        experiment: Its experiment.
        table: Presence–absence to judge on: covariates, and a column of 1, 0 or blank for each
            species; by default the folds of the run's own cross-validation.
        into: Receives the scores of single species.

    Returns:
        The metrics.

    Raises:
        RunError: The run has not finished.
        DataError: The table cannot be used.
    """
    predictor = PointsPredictor.load(run.folder)
    if table is None:
        data = prepare(experiment)
        return _told(judge_folds(experiment, data, _folds(run, experiment)), into)
    _, section = section_of(experiment)
    codes = predictor.vocabulary.codes
    sites = read_test(read_table(table), section, codes, table).of_species(codes)
    trained = read_table(run.path("species.parquet"))
    simple = None
    if experiment.score.baselines:
        simple = PointEnsemble.load(run.path(BASELINE)).answers(sites.covariates)
    intervals = "; intervals resample species" if experiment.score.bootstrap else ""
    judged_species = int((~np.isnan(sites.labels)).any(axis=0).sum())
    judged = judge(
        predictor.model.answers(sites.covariates),
        sites,
        np.zeros(len(sites), dtype=np.int64),
        vocabulary=predictor.vocabulary,
        counts=trained["n_train"].to_numpy(),
        groups=tuple(trained["group"].to_list()),
        baseline=simple,
        score=experiment.score,
        protocol={
            "judged": "table",
            "sites": len(sites),
            "species_judged": judged_species,
            "words": f"scores of presence against absence at {len(sites)} sites of another table, "
            f"where {judged_species} of {len(codes)} species were looked for{intervals}.",
        },
        calibrated=section.kind == "presence-absence",
        seed=experiment.seed,
    )
    return _told(judged, into)


def _told(judged: JudgedPoints, into: Path | None) -> dict[str, Any]:
    if into is not None:
        write_table(judged.species, into / "species.parquet")
        if judged.reliability is not None:
            write_json(into / "reliability.json", judged.reliability)
    return judged.metrics.to_dict()


def _folds(run: Run, experiment: OccurrenceExperiment) -> list[Fitted]:
    """The models of the cross-validation, as they were saved."""
    _, section = section_of(experiment)
    found = []
    for number in range(section.folds):
        folder = run.path(f"folds/{number}")
        baseline = PointEnsemble.load(folder / "baseline") if experiment.score.baselines else None
        found.append(Fitted(PointEnsemble.load(folder), baseline, None))
    return found
