"""An ensemble of species networks as files, and read again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quadrat.engine import current_progress
from quadrat.ensemble.members import Member
from quadrat.ensemble.saving import SPECIES, copy_members, describe, members_of
from quadrat.ensemble.schema import EnsembleExperiment
from quadrat.ensemble.species.agreement import species_experiment
from quadrat.ensemble.species.judging import JudgedSpecies, judge_species
from quadrat.ensemble.species.predictor import SpeciesEnsemble, put_together
from quadrat.errors import RunError
from quadrat.occurrence.evaluating import evaluate_predictor, write_tables
from quadrat.occurrence.network.calibration import load_calibration, save_calibration
from quadrat.runs import FORMAT_VERSION, Run, read_json, write_json
from quadrat.runtime.calibration import Calibration
from quadrat.tables import write_table


def train_species(
    experiment: EnsembleExperiment, members: Sequence[Member], run: Run
) -> dict[str, Any]:
    """Judges an ensemble and fills its run folder; the metrics.

    Raises:
        DataError: The members cannot be combined or judged together.
        RunError: A member cannot be loaded.
    """
    found = judge_species(experiment, members)
    for warning in found.report.warnings:
        current_progress().warn(warning)
    write_json(run.path("check.json"), found.report.to_dict())
    if experiment.combine.copied:
        members = copy_members(run.folder, experiment, members)
    _write_scores(run, found)
    describe_species(run.folder, experiment, members, found.weights, found.stored)
    metrics = found.judged.metrics.to_dict()
    write_json(run.path("metrics.json"), metrics)
    return metrics


def describe_species(
    folder: Path,
    experiment: EnsembleExperiment,
    members: Sequence[Member],
    weights: NDArray[np.float64],
    calibration: Calibration | None,
) -> None:
    """Writes ``model.json`` and the calibration of what the members say together."""
    answer = {"method": experiment.combine.method, "weights": weights.tolist()}
    describe(folder, experiment, SPECIES, answer, members)
    save_calibration(folder, calibration)


def load_species(
    folder: Path, experiment: EnsembleExperiment, *, device: str = "auto"
) -> SpeciesEnsemble:
    """Reads an ensemble and its members.

    Raises:
        RunError: A member has moved, or cannot be loaded, or knows other species than the first.
    """
    members, model = members_of(Run(folder), experiment)
    predictors = [member.load() for member in members]
    species = set(predictors[0].vocabulary.codes)
    for member, predictor in zip(members, predictors, strict=True):
        if set(predictor.vocabulary.codes) != species:
            raise RunError(
                f"the member '{member.name}' of {folder} knows other species than "
                f"'{members[0].name}'. Make the ensemble again."
            )
    weights = np.array(model["weights"], dtype=np.float64)
    pooled = put_together(experiment.combine.method, weights, predictors)
    calibration = load_calibration(folder, len(pooled.vocabulary))
    return SpeciesEnsemble(experiment, members, weights, pooled, calibration, device=device)


def evaluate_species(
    run: Run, experiment: EnsembleExperiment, table: Path | None, into: Path | None
) -> dict[str, Any]:
    """Scores a finished ensemble again, on its own cells, on another table or on a survey."""
    members, _ = members_of(run, experiment)
    if table is None:
        found = judge_species(experiment, members).judged
        if into is not None:
            write_tables(into, {"species": found.species, "cells": found.cells})
            write_json(into / "reliability.json", found.curves())
        return found.metrics.to_dict()
    first, asked = species_experiment(members[0]), experiment.score
    keys: dict[str, Any] = {"bootstrap": asked.bootstrap, "baselines": asked.baselines}
    if asked.primary:
        keys["primary"] = asked.primary
    scored = first.model_copy(update={"score": first.score.model_copy(update=keys)})
    predictor = load_species(run.folder, experiment)
    return evaluate_predictor(predictor, run, scored, table, into)


def _write_scores(run: Run, found: JudgedSpecies) -> None:
    judged, pooled = found.judged, found.pooled
    write_table(judged.species, run.path("species.parquet"))
    write_table(judged.cells, run.path("cells.parquet"))
    write_json(run.path("reliability.json"), judged.curves())
    pooled.vocabulary.write(run.path("labels.txt"))
    if pooled.observed is not None:
        pooled.observed.save(run.folder)
    first = read_json(found.members[0].run.path("preprocessing.json"))
    kept = ("species", "species_without_a_name", "training_cells")
    told = {"format_version": FORMAT_VERSION, **{name: first[name] for name in kept}}
    write_json(run.path("preprocessing.json"), told)
