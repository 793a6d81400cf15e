"""Training an occurrence experiment into a run folder, from records to scores."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from quadrat.engine import (
    Backend,
    FitResult,
    FitSettings,
    HistoryLog,
    OnEpoch,
    current_progress,
    fit,
    seed_everything,
)
from quadrat.errors import RunError, UsageError
from quadrat.occurrence.findings import findings, missing_watched
from quadrat.occurrence.judging.adjustment import Adjustment, adjust
from quadrat.occurrence.judging.baselines import TrainingCounts
from quadrat.occurrence.judging.final_scores import Holdout, Judged, judge
from quadrat.occurrence.judging.what_it_learnt import write_what_it_learnt
from quadrat.occurrence.network.calibration import save_calibration
from quadrat.occurrence.network.model import NetworkSpec, save_model
from quadrat.occurrence.network.species_network import OccurrenceNetwork
from quadrat.occurrence.objective import SpeciesObjective
from quadrat.occurrence.records.reading import known_species
from quadrat.occurrence.records.taxonomy import make_vocabulary, read_watchlist
from quadrat.occurrence.samples.batches import SampleBatches
from quadrat.occurrence.samples.dataset import OccurrenceData, SampleSet, left_out, prepare
from quadrat.occurrence.samples.draws import Draws
from quadrat.occurrence.samples.known_environment import KnownEnvironment
from quadrat.occurrence.samples.observed import ObservedCells
from quadrat.occurrence.schema import OccurrenceExperiment
from quadrat.occurrence.transfer.first_epochs import learn_new_species
from quadrat.occurrence.transfer.starting import Start, slower_before_species
from quadrat.runs import FORMAT_VERSION, History, Run, read_json, write_json
from quadrat.runtime.calibration import Calibration
from quadrat.runtime.weeks import WEEKS
from quadrat.tables import write_table

WEIGHTS = "folds/0/model.safetensors"


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
        history: Receives a record an epoch.
        on_epoch: Called with every record; training ends when it returns True.

    Returns:
        The metrics, which are also in ``metrics.json``.

    Raises:
        DataError: The records cannot be used.
        UsageError: The primary score is not one of this family.
        Stopped: A signal asked to stop; the state was saved.
    """
    data = prepare(experiment)
    _record_start(run, experiment, data)
    backend = Backend.create(experiment.run.device, experiment.optimiser.precision)
    report = findings(experiment, data)
    if backend.is_main:
        write_json(run.path("check.json"), asdict(report))
    for warning in report.warnings:
        current_progress().warn(warning)
    fitted = fit_network(
        experiment,
        data,
        backend,
        state=run.fold(0) / "state",
        history=history,
        on_epoch=on_epoch,
    )
    fitted, data = _with_kept_species(experiment, fitted, data)
    cells = data.partition.judged
    missing = missing_watched(data.table, data.partition, experiment.data.watchlist)
    adjustment = adjusted(experiment, data, fitted.network, backend)
    judged = judge(
        fitted.network,
        data.samples(cells),
        adjustment=adjustment,
        vocabulary=data.vocabulary,
        counts=TrainingCounts.of(data.samples(data.partition.train)),
        blocks=data.partition.blocks[cells],
        watchlist=fitted.objective.watchlist,
        score=experiment.score,
        protocol=data.partition.protocol(experiment.split)
        | left_out(data.table, cells, data.vocabulary)
        | ({"watchlist_missing": missing} if missing else {}),
        backend=backend,
        seed=experiment.seed,
        holdout=_holdout(data),
    )
    if backend.is_main:
        _write(run, data, judged, fitted, adjustment.stored)
        write_what_it_learnt(run.folder, data, fitted.network, experiment.seed)
        write_json(run.path("metrics.json"), judged.metrics.to_dict())
    return judged.metrics.to_dict()


def _holdout(data: OccurrenceData) -> Holdout | None:
    parts = data.partition
    if not len(parts.holdout):
        return None
    return Holdout(data.samples(parts.holdout), parts.blocks[parts.holdout])


def adjusted(
    experiment: OccurrenceExperiment,
    data: OccurrenceData,
    network: OccurrenceNetwork,
    backend: Backend,
) -> Adjustment:
    """Calibration and thresholds of a network, from its validation cells."""
    parts = data.partition
    return adjust(
        network,
        data.samples(parts.validation),
        parts.blocks[parts.validation],
        experiment.calibrate,
        judged=len(parts.test) or None,
        device=backend.device,
        seed=experiment.seed,
    )


class Fitted(NamedTuple):
    """A trained network and what it was trained with.

    Attributes:
        network: In its chosen state.
        spec: How it is built.
        objective: Its loss and scores.
        samples: What it learnt.
        result: What the engine says.
        start: The run it started from, if it did.
    """

    network: OccurrenceNetwork
    spec: NetworkSpec
    objective: SpeciesObjective
    samples: SampleSet
    result: FitResult
    start: Start | None = None


def fit_network(
    experiment: OccurrenceExperiment,
    data: OccurrenceData,
    backend: Backend,
    *,
    state: Path | None = None,
    history: HistoryLog | None = None,
    on_epoch: OnEpoch | None = None,
) -> Fitted:
    """Trains a network on the training cells; the validation cells choose its state.

    Args:
        experiment: The experiment.
        data: What `prepare` made of it.
        backend: Device, precision, processes.
        state: A folder for saved states; training goes on from what lies there. None: no saving.
        history: Receives a record an epoch.
        on_epoch: Called with every record; training ends when it returns True.
    """
    objective = make_objective(experiment, data)
    samples = training_samples(experiment, data)
    start = read_start(experiment, data)
    network, spec = build_network(experiment, data, start)
    groups = None
    if start is not None:
        first = state.with_name("state-new-species") if state is not None else None
        learn_new_species(experiment, data, network, start, backend, state=first)
        factor = experiment.start.learning_rate_factor
        groups = slower_before_species(network, experiment.optimiser, factor)
    result = fit(
        network,
        training_batches(experiment, data, samples, backend),
        objective,
        FitSettings(
            experiment.optimiser,
            experiment.average,
            experiment.run,
            experiment.seed,
            score_initial=start is not None,
        ),
        backend=backend,
        validation=SampleBatches(
            data.samples(data.partition.validation),
            experiment.optimiser.batch_size,
            device=backend.device,
            seed=experiment.seed,
            shuffle=False,
        ),
        state=state,
        history=history,
        on_epoch=on_epoch,
        groups=groups,
    )
    return Fitted(network, spec, objective, samples, result, start)


def read_start(experiment: OccurrenceExperiment, data: OccurrenceData) -> Start | None:
    """The run that training starts from, if the experiment names one."""
    if experiment.start.run is None:
        return None
    return Start.read(experiment.start, data.vocabulary)


def build_network(
    experiment: OccurrenceExperiment, data: OccurrenceData, start: Start | None = None
) -> tuple[OccurrenceNetwork, NetworkSpec]:
    """A network for some data.

    It is fresh, its output set to the prevalence of the species, or that of the run it starts from.
    """
    seed_everything(experiment.seed)
    spec = NetworkSpec.of(experiment.network, species=len(data.vocabulary), encoder=data.encoder)
    network = spec.build(experiment.seed)
    samples = len(data.partition.train) * WEEKS
    prevalence = (data.counts + 0.5) / (samples + 1)
    network.start_from_prevalence(torch.from_numpy(prevalence.astype(np.float32)))
    if start is not None:
        start.pour_into(network, spec, data.encoder)
    return network, spec


def _record_start(run: Run, experiment: OccurrenceExperiment, data: OccurrenceData) -> None:
    """Writes what became of the species of the run that training starts from.

    Raises:
        RunError: That run has changed since this training began.
    """
    start, path = read_start(experiment, data), run.path("start.json")
    if start is None:
        return
    if path.exists() and read_json(path)["weights"] != start.sha256:
        raise RunError(
            f"{start.folder} has changed since {run.folder} began to learn from it. Put it back, "
            "or start a new run."
        )
    write_json(path, start.describe(data.vocabulary))


def _with_kept_species(
    experiment: OccurrenceExperiment, fitted: Fitted, data: OccurrenceData
) -> tuple[Fitted, OccurrenceData]:
    """The network with the species that were not learnt but stay, and the data in its terms."""
    start = fitted.start
    if start is None or not start.kept:
        return fitted, data
    network, spec, vocabulary = start.extended(fitted.network, fitted.spec, data.vocabulary)
    _, unnamed = make_vocabulary(vocabulary.codes, known_species(experiment.data))
    whole = replace(data, vocabulary=vocabulary, unnamed=unnamed, label_weights=None)
    whole = replace(whole, counts=whole.samples(whole.partition.train).labels.counts())
    objective = make_objective(experiment, whole)
    fitted = fitted._replace(network=network, spec=spec, objective=objective)
    return fitted, whole


def training_samples(experiment: OccurrenceExperiment, data: OccurrenceData) -> SampleSet:
    """The samples that are learnt: all weeks of the training cells, and perhaps the years."""
    samples = data.training_samples()
    return samples.with_years() if experiment.data.yearly else samples


def training_batches(
    experiment: OccurrenceExperiment, data: OccurrenceData, samples: SampleSet, backend: Backend
) -> SampleBatches:
    """The batches of the samples that are learnt, with all that is drawn for them.

    Raises:
        DataError: The samples shall be moved, but the table has no H3 cells.
    """
    return SampleBatches(
        samples,
        experiment.optimiser.batch_size,
        device=backend.device,
        seed=experiment.seed,
        rank=backend.rank,
        world=backend.world,
        draws=Draws.of(experiment, data.table, data.partition.train, len(data.vocabulary)),
    )


def make_objective(experiment: OccurrenceExperiment, data: OccurrenceData) -> SpeciesObjective:
    """Loss and scores of an experiment.

    Raises:
        UsageError: The primary score is not computed while training.
    """
    vocabulary = data.vocabulary
    watchlist = vocabulary.columns(read_watchlist(experiment.data.watchlist))
    weights = None if data.label_weights is None else torch.from_numpy(data.label_weights)
    objective = SpeciesObjective(experiment, len(vocabulary), watchlist, weights)
    evaluator = objective.evaluator()
    nowhere = torch.zeros(0, dtype=torch.int64)
    evaluator.scoring.update(
        torch.zeros(1, len(vocabulary)), nowhere, nowhere, density=torch.zeros(1)
    )
    known = evaluator.compute()
    if objective.primary not in known:
        raise UsageError(
            f"score.primary = '{objective.primary}' is not computed while training. Choose from: "
            f"{', '.join(sorted(known))}."
        )
    return objective


def _write(
    run: Run, data: OccurrenceData, judged: Judged, fitted: Fitted, stored: Calibration | None
) -> None:
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
