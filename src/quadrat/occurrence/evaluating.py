"""Scoring a finished run again: on the cells it held out, on another table, on a survey."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.engine import Backend
from quadrat.errors import DataError, RunError
from quadrat.occurrence.answering import SpeciesPredictor
from quadrat.occurrence.findings import missing_watched
from quadrat.occurrence.judging.adjustment import Adjustment, adjust
from quadrat.occurrence.judging.baselines import TrainingCounts
from quadrat.occurrence.judging.final_scores import Holdout, judge
from quadrat.occurrence.judging.survey_scores import judge_survey
from quadrat.occurrence.predictor import OccurrencePredictor
from quadrat.occurrence.records.cells import CellTable
from quadrat.occurrence.records.reading import read_records
from quadrat.occurrence.records.surveys import is_combined, read_survey
from quadrat.occurrence.records.taxonomy import Species, Vocabulary, read_watchlist
from quadrat.occurrence.samples.dataset import SampleSet, left_out, make_samples
from quadrat.occurrence.samples.known_environment import Surroundings
from quadrat.occurrence.samples.partition import Partition, make_partition
from quadrat.occurrence.schema import OccurrenceExperiment
from quadrat.runs import Run, read_json, write_json
from quadrat.runtime.weeks import WEEKS
from quadrat.splits import spatial_blocks
from quadrat.tables import read_table, write_table


def evaluate_cells(
    run: Run, experiment: OccurrenceExperiment, table: Path | None, into: Path | None = None
) -> dict[str, Any]:
    """Scores a run of cells.

    Args:
        run: The run.
        experiment: Its experiment.
        table: A combined parquet, all of whose cells are judged, or a survey; by default the
            cells that the experiment held out.
        into: Receives the scores of single species and places, and the reliability curve.

    Returns:
        The metrics.

    Raises:
        RunError: The run has not finished, or was imported and no table is given.
        DataError: The table cannot be used.
    """
    predictor = OccurrencePredictor.load(run.folder)
    return evaluate_predictor(predictor, run, experiment, table, into)


def evaluate_predictor(
    predictor: SpeciesPredictor,
    run: Run,
    experiment: OccurrenceExperiment,
    table: Path | None,
    into: Path | None = None,
) -> dict[str, Any]:
    """As `evaluate_cells`, with the predictor of the run."""
    if table is None and run.status().get("state") == "imported":
        raise RunError(
            f"{run.folder} was imported, and which cells it has not learnt is not known. Give a "
            "table to judge it on (--data)."
        )
    vocabulary, counts = known_from(run)
    score = experiment.score
    if table is not None and not is_combined(table):
        survey = read_survey(table, vocabulary)
        answer = judge_survey(predictor, survey, counts=counts, score=score, seed=experiment.seed)
        if into is not None:
            write_tables(into, {"species": answer.species, "places": answer.places})
            write_json(into / "reliability.json", answer.reliability)
        return answer.metrics.to_dict()
    if counts is None:
        score = score.model_copy(update={"baselines": False})
        counts = TrainingCounts.unknown(len(vocabulary))
    backend = Backend.create(experiment.run.device, experiment.optimiser.precision)
    known = predictor.environment
    cells = read_records(experiment.data, table, environment=None if known else [])
    _refuse_strangers(cells, vocabulary)
    if table is None:
        chosen = _held_out(experiment, predictor, cells, backend)
    else:
        chosen = _all_of(cells, experiment, predictor)
    found = judge(
        predictor.network,
        judged_samples(cells, chosen.cells, vocabulary, known),
        adjustment=chosen.adjustment,
        vocabulary=vocabulary,
        counts=counts,
        blocks=chosen.blocks[chosen.cells],
        watchlist=vocabulary.columns(read_watchlist(experiment.data.watchlist)),
        score=score,
        protocol={**chosen.protocol, **left_out(cells, chosen.cells, vocabulary)},
        backend=backend,
        seed=experiment.seed,
        holdout=chosen.holdout,
    )
    if into is not None:
        write_tables(into, {"species": found.species, "cells": found.cells})
        write_json(into / "reliability.json", found.curves())
    return found.metrics.to_dict()


def write_tables(folder: Path, tables: Mapping[str, pl.DataFrame]) -> None:
    """Writes tables as ``<name>.parquet``."""
    for name, table in tables.items():
        write_table(table, folder / f"{name}.parquet")


@dataclass(frozen=True)
class _Chosen:
    """Which cells are judged, and how.

    Args:
        cells: Their positions in the table.
        blocks: The spatial block of every cell of the table.
        protocol: How they were chosen.
        adjustment: Calibration and thresholds for them.
        holdout: Regions that are judged besides.
    """

    cells: NDArray[np.int64]
    blocks: NDArray[np.str_]
    protocol: Mapping[str, Any]
    adjustment: Adjustment
    holdout: Holdout | None = None


def _held_out(
    experiment: OccurrenceExperiment,
    predictor: SpeciesPredictor,
    cells: CellTable,
    backend: Backend,
) -> _Chosen:
    """The cells that the run's own experiment held out."""
    parts = make_partition(cells, experiment.split, experiment.data)
    protocol = parts.protocol(experiment.split, intervals=experiment.score.bootstrap > 0)
    if missing := missing_watched(cells, parts, experiment.data.watchlist):
        protocol["watchlist_missing"] = missing
    holdout = None
    if len(parts.holdout):
        there = judged_samples(cells, parts.holdout, predictor.vocabulary, predictor.environment)
        holdout = Holdout(there, parts.blocks[parts.holdout])
    adjustment = adjustment_of(experiment, predictor, cells, parts, backend)
    return _Chosen(parts.judged, parts.blocks, protocol, adjustment, holdout)


def _all_of(
    cells: CellTable, experiment: OccurrenceExperiment, predictor: SpeciesPredictor
) -> _Chosen:
    """All cells of another table."""
    blocks = spatial_blocks(cells.lat, cells.lon, experiment.split.block_km)
    learnt = None
    if predictor.observed is not None:
        learnt = int(predictor.observed.holds(cells.lat, cells.lon).sum())
    protocol = _protocol(cells, blocks, experiment, learnt)
    adjustment = Adjustment.stored_only(
        predictor.calibration, len(predictor.vocabulary), len(cells)
    )
    return _Chosen(np.arange(len(cells)), blocks, protocol, adjustment)


def judged_samples(
    cells: CellTable,
    judged: NDArray[np.int64],
    vocabulary: Vocabulary,
    known: Surroundings | None,
) -> SampleSet:
    """The samples of cells, with the environment that the table or the run knows of them."""
    samples = make_samples(cells, judged, vocabulary)
    if known is None:
        return samples
    given = {
        name: cells.environment[judged, column]
        for column, name in enumerate(cells.environment_names)
        if name in known.names
    }
    return replace(samples, environment=known.encoded(samples.lat, samples.lon, given))


def adjustment_of(
    experiment: OccurrenceExperiment,
    predictor: SpeciesPredictor,
    cells: CellTable,
    parts: Partition,
    backend: Backend,
) -> Adjustment:
    """Calibration and thresholds as they were when the run was judged."""
    return adjust(
        predictor.network,
        judged_samples(cells, parts.validation, predictor.vocabulary, predictor.environment),
        parts.blocks[parts.validation],
        experiment.calibrate,
        judged=len(parts.test) or None,
        device=backend.device,
        seed=experiment.seed,
    )


def _protocol(
    cells: CellTable,
    blocks: NDArray[np.str_],
    experiment: OccurrenceExperiment,
    learnt: int | None,
) -> dict[str, Any]:
    """How another table is judged, and how many of its cells the model has learnt, if known."""
    groups, block_km = len(np.unique(blocks)), experiment.split.block_km
    known = int((cells.labels.lengths().reshape(-1, WEEKS).sum(axis=1) > 0).sum())
    words = f"scores on all 48 weeks of {len(cells)} cells of another table, {known} with records"
    if learnt:
        words += f"; the model learnt from records in {learnt} of the cells"
    if experiment.score.bootstrap:
        words += f"; intervals resample {groups} spatial blocks of {block_km:g} km"
    return {
        "judged": "table",
        "table_cells": len(cells),
        "cells_with_records": known,
        **({} if learnt is None else {"learnt_cells": learnt}),
        "block_km": block_km,
        "groups": groups,
        "words": f"{words}.",
    }


def _refuse_strangers(cells: CellTable, vocabulary: Vocabulary) -> None:
    if set(cells.codes).isdisjoint(vocabulary.codes):
        raise DataError(
            f"none of the {len(cells.codes)} species codes of {cells.path} is known to the model.",
            [f"the table has: {', '.join(cells.codes[:5])}", f"the model: {vocabulary.codes[0]}"],
            fix="use the codes of the model's labels.txt.",
        )


def known_from(run: Run) -> tuple[Vocabulary, TrainingCounts | None]:
    """The species of a run with their classes, and how often it saw them in training, if known."""
    species = read_table(run.path("species.parquet"))
    names = species.select("code", "scientific_name", "common_name", "class_name")
    vocabulary = Vocabulary(tuple(Species(*row) for row in names.rows()))
    if "n_train_by_week" not in species.columns:
        return vocabulary, None
    by_week = species["n_train_by_week"].cast(pl.Array(pl.Int64, WEEKS)).to_numpy().T
    cells = int(read_json(run.path("preprocessing.json"))["training_cells"])
    return vocabulary, TrainingCounts(np.ascontiguousarray(by_week), cells)
