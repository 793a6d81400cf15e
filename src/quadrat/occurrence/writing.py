"""What a training leaves in its run folder besides the metrics."""

from __future__ import annotations

from quadrat.occurrence.fitting import Fitted
from quadrat.occurrence.judging.final_scores import Judged
from quadrat.occurrence.network.calibration import save_calibration
from quadrat.occurrence.network.model import save_model
from quadrat.occurrence.samples.dataset import OccurrenceData
from quadrat.occurrence.samples.known_environment import KnownEnvironment
from quadrat.occurrence.samples.observed import ObservedCells
from quadrat.runs import FORMAT_VERSION, Run, write_json
from quadrat.runtime.calibration import Calibration
from quadrat.runtime.weeks import WEEKS
from quadrat.tables import write_table

WEIGHTS = "folds/0/model.safetensors"


def write_model_and_scores(
    run: Run, data: OccurrenceData, judged: Judged, fitted: Fitted, stored: Calibration | None
) -> None:
    """Writes the model with all that it needs to answer, and its scores by species and cell.

    Args:
        run: Where they go.
        data: What was prepared.
        judged: What the run is judged by.
        fitted: The trained network.
        stored: The calibration that goes with it, if there is one.
    """
    preprocessing = {
        "format_version": FORMAT_VERSION,
        "species": len(data.vocabulary),
        "species_without_a_name": list(data.unnamed),
        "training_cells": len(data.partition.train),
        "environment": data.encoder.to_dict(),
    }
    write_json(run.path("preprocessing.json"), preprocessing)
    write_table(judged.species, run.path("species.parquet"))
    write_table(judged.cells, run.path("cells.parquet"))
    write_json(run.path("reliability.json"), judged.curves())
    if fitted.spec.environment_inputs:
        KnownEnvironment.of(data.table, data.encoder).save(run.folder)
    save_model(run.folder, fitted.network, fitted.spec, data.vocabulary, WEIGHTS)
    save_calibration(run.folder, stored)
    _observed(data).save(run.folder)


def _observed(data: OccurrenceData) -> ObservedCells:
    """The training cells with records, and how far from them the judged cells are."""
    table, train, judged = data.table, data.partition.train, data.partition.judged
    records = table.labels.lengths().reshape(-1, WEEKS).sum(axis=1)
    return ObservedCells.of(
        (table.lat[train], table.lon[train], records[train]),
        (table.lat[judged], table.lon[judged]),
    )
