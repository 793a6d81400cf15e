"""Models from elsewhere become runs."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from quadrat import predictors, runs
from quadrat.experiment import Experiment, parse
from quadrat.recipes import recipe_text
from quadrat.workflow.provenance import provenance

if TYPE_CHECKING:
    from quadrat.occurrence.transfer.checkpoint import Checkpoint


def import_model(
    checkpoint: Path | str,
    *,
    labels: Path | str | None = None,
    taxonomy: Path | str | None = None,
    data: Path | str | None = None,
    out: Path | str = "runs",
    name: str | None = None,
) -> predictors.Run:
    """Makes a run of a checkpoint of the BirdNET geomodel.

    Args:
        checkpoint: ``checkpoint_best.pt`` or ``checkpoint_latest.pt``.
        labels: Its ``labels.txt``; by default the one beside it.
        taxonomy: A table of names and classes that go before those of the labels.
        data: The combined parquet that it was trained on. It tells what the environment outputs
            mean, which fine-tuning needs to keep them, and becomes ``data.table``.
        out: The folder of runs.
        name: The first part of the run folder's name; ``geomodel`` by default.

    Returns:
        The run, which predicts. It has no scores of its own.

    Raises:
        DataError: The checkpoint, the labels or the table cannot be used.
    """
    from quadrat.occurrence.transfer import importing
    from quadrat.occurrence.transfer.checkpoint import read_checkpoint

    found = read_checkpoint(Path(checkpoint))
    paths = {"taxonomy": taxonomy, "table": data}
    tables = {key: str(Path(path).resolve()) for key, path in paths.items() if path is not None}
    vocabulary = importing.species_of(
        found, Path(labels) if labels else None, Path(taxonomy) if taxonomy else None
    )
    encoder = importing.environment_of(found, Path(data)) if data else None
    experiment = _experiment(name or "geomodel", tables, found)
    run = runs.Run.create(Path(out), experiment)
    importing.write_run(run, found, vocabulary, encoder)
    source = {
        "file": found.path.name,
        "sha256": found.sha256,
        "epochs": found.epoch,
        "geoscore": found.score,
    }
    record = {**provenance(experiment), "imported": source}
    runs.write_json(run.path("provenance.json"), record)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    runs.write_json(run.path("status.json"), {"state": "imported", "heartbeat": now, "epochs": 0})
    return predictors.load_run(run.folder)


def _experiment(name: str, tables: dict[str, str], checkpoint: Checkpoint) -> Experiment:
    """The recipe with the geomodel's own settings, for the shape of this network."""
    from quadrat.occurrence.transfer.importing import network_keys

    document = tomllib.loads(recipe_text("geomodel"))
    document["name"] = name
    document["data"] |= tables
    document["network"] |= network_keys(checkpoint)
    return parse(document)
