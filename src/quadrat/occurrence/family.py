"""What the functions behind the verbs ask of the occurrence family."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.engine import Backend, OnEpoch, Report
from quadrat.errors import DataError, RunError
from quadrat.experiment import CheckReport
from quadrat.occurrence import checking, training, trials
from quadrat.occurrence.findings import missing_watched
from quadrat.occurrence.judging.adjustment import Adjustment, adjust
from quadrat.occurrence.judging.baselines import TrainingCounts
from quadrat.occurrence.judging.final_scores import Holdout, judge
from quadrat.occurrence.judging.survey_scores import judge_survey
from quadrat.occurrence.points import family as points
from quadrat.occurrence.predictor import OccurrencePredictor
from quadrat.occurrence.records.cells import CellTable
from quadrat.occurrence.records.reading import read_records
from quadrat.occurrence.records.surveys import is_combined, read_survey
from quadrat.occurrence.records.taxonomy import Species, Vocabulary, read_watchlist
from quadrat.occurrence.samples.dataset import SampleSet, left_out, make_samples
from quadrat.occurrence.samples.known_environment import KnownEnvironment
from quadrat.occurrence.samples.partition import Partition, make_partition
from quadrat.occurrence.schema import OccurrenceExperiment, SplitSection
from quadrat.occurrence.trials import data_key
from quadrat.runs import History, Run, read_json
from quadrat.runtime.weeks import WEEKS
from quadrat.splits import spatial_blocks
from quadrat.tables import read_table

__all__ = ["check", "data_key", "evaluate", "load", "prepare", "train", "validation_score"]


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


def evaluate(run: Run, table: Path | None) -> dict[str, Any]:
    """Scores a finished run.

    Args:
        run: The run.
        table: A combined parquet, all of whose cells are judged, or presence–absence at points;
            by default the cells or points that the run's own experiment held out.

    Returns:
        The metrics.

    Raises:
        RunError: The run has not finished.
        DataError: The table cannot be used.
    """
    experiment = run.experiment()
    if not isinstance(experiment, OccurrenceExperiment):
        raise RunError(f"{run.folder} is a run of the family '{experiment.family}'.")
    if experiment.points is not None:
        return points.evaluate(run, experiment, table)
    backend = Backend.create(experiment.run.device, experiment.optimiser.precision)
    predictor = OccurrencePredictor.load(run.folder)
    if table is None and run.status().get("state") == "imported":
        raise RunError(
            f"{run.folder} was imported, and which cells it has not learnt is not known. Give a "
            "table to judge it on (--data)."
        )
    vocabulary, counts = _known_from(run)
    score = experiment.score
    if table is not None and not is_combined(table):
        survey = read_survey(table, vocabulary)
        return judge_survey(
            predictor, survey, counts=counts, score=score, seed=experiment.seed
        ).to_dict()
    if counts is None:
        score = score.model_copy(update={"baselines": False})
        counts = TrainingCounts.unknown(len(vocabulary))
    known = predictor.environment
    cells = read_records(experiment.data, table, environment=None if known else [])
    _refuse_strangers(cells, vocabulary)
    holdout = None
    if table is None:
        parts = make_partition(cells, experiment.split, experiment.data)
        judged, blocks = parts.judged, parts.blocks
        protocol = parts.protocol(experiment.split)
        if missing := missing_watched(cells, parts, experiment.data.watchlist):
            protocol["watchlist_missing"] = missing
        adjustment = _adjustment(experiment, predictor, cells, parts, backend)
        if len(parts.holdout):
            there = _samples(cells, parts.holdout, vocabulary, known)
            holdout = Holdout(there, parts.blocks[parts.holdout])
    else:
        judged = np.arange(len(cells))
        blocks = spatial_blocks(cells.lat, cells.lon, experiment.split.block_km)
        protocol = _protocol(cells, blocks, experiment.split)
        adjustment = Adjustment.stored_only(predictor.calibration, len(vocabulary), len(cells))
    found = judge(
        predictor.network,
        _samples(cells, judged, vocabulary, known),
        adjustment=adjustment,
        vocabulary=vocabulary,
        counts=counts,
        blocks=blocks[judged],
        watchlist=vocabulary.columns(read_watchlist(experiment.data.watchlist)),
        score=score,
        protocol=protocol | left_out(cells, judged, vocabulary),
        backend=backend,
        seed=experiment.seed,
        holdout=holdout,
    )
    return found.metrics.to_dict()


def load(folder: Path) -> OccurrencePredictor | points.PointsPredictor:
    """The trained model of a run folder, of cells or of points."""
    if read_json(folder / "model.json").get("kind") == points.KIND:
        return points.PointsPredictor.load(folder)
    return OccurrencePredictor.load(folder)


def _samples(
    cells: CellTable,
    judged: NDArray[np.int64],
    vocabulary: Vocabulary,
    known: KnownEnvironment | None,
) -> SampleSet:
    """The samples of cells, with the environment that the table or the run knows of them."""
    samples = make_samples(cells, judged, vocabulary)
    if known is None:
        return samples
    given = {
        name: cells.environment[judged, column]
        for column, name in enumerate(cells.environment_names)
        if name in known.encoder.names
    }
    return replace(samples, environment=known.encoded(samples.lat, samples.lon, given))


def _adjustment(
    experiment: OccurrenceExperiment,
    predictor: OccurrencePredictor,
    cells: CellTable,
    parts: Partition,
    backend: Backend,
) -> Adjustment:
    """Calibration and thresholds as they were when the run was judged."""
    return adjust(
        predictor.network,
        _samples(cells, parts.validation, predictor.vocabulary, predictor.environment),
        parts.blocks[parts.validation],
        experiment.calibrate,
        judged=len(parts.test) or None,
        device=backend.device,
        seed=experiment.seed,
    )


def _protocol(cells: CellTable, blocks: NDArray[np.str_], split: SplitSection) -> dict[str, Any]:
    """How another table is judged."""
    groups = len(np.unique(blocks))
    return {
        "judged": "table",
        "table_cells": len(cells),
        "block_km": split.block_km,
        "groups": groups,
        "words": f"scores on all 48 weeks of {len(cells)} cells of another table; intervals "
        f"resample {groups} spatial blocks of {split.block_km:g} km.",
    }


def _refuse_strangers(cells: CellTable, vocabulary: Vocabulary) -> None:
    if set(cells.codes).isdisjoint(vocabulary.codes):
        raise DataError(
            f"none of the {len(cells.codes)} species codes of {cells.path} is known to the model.",
            [f"the table has: {', '.join(cells.codes[:5])}", f"the model: {vocabulary.codes[0]}"],
            fix="use the codes of the model's labels.txt.",
        )


def _known_from(run: Run) -> tuple[Vocabulary, TrainingCounts | None]:
    """The species of a run with their classes, and how often it saw them in training, if known."""
    species = read_table(run.path("species.parquet"))
    names = species.select("code", "scientific_name", "common_name", "class_name")
    vocabulary = Vocabulary(tuple(Species(*row) for row in names.rows()))
    if "n_train_by_week" not in species.columns:
        return vocabulary, None
    by_week = species["n_train_by_week"].cast(pl.Array(pl.Int64, WEEKS)).to_numpy().T
    cells = int(read_json(run.path("preprocessing.json"))["training_cells"])
    return vocabulary, TrainingCounts(np.ascontiguousarray(by_week), cells)
