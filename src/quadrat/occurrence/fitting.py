"""From prepared records to a trained network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from quadrat.engine import (
    Backend,
    FitResult,
    FitSettings,
    HistoryLog,
    OnEpoch,
    fit,
    seed_everything,
)
from quadrat.errors import UsageError
from quadrat.occurrence.network.model import NetworkSpec
from quadrat.occurrence.network.species_network import OccurrenceNetwork
from quadrat.occurrence.objective import SpeciesEvaluator, SpeciesObjective
from quadrat.occurrence.records.reading import known_species
from quadrat.occurrence.records.taxonomy import read_watchlist
from quadrat.occurrence.samples.batches import SampleBatches
from quadrat.occurrence.samples.dataset import OccurrenceData, SampleSet
from quadrat.occurrence.samples.draws import Draws
from quadrat.occurrence.schema import OccurrenceExperiment
from quadrat.occurrence.transfer.first_epochs import learn_new_species
from quadrat.occurrence.transfer.starting import Start, slower_before_species
from quadrat.runtime.weeks import WEEKS
from quadrat.scoring import choosing, primary_direction


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
    known = {*data.table.codes, *(known_species(experiment.data) or {})}
    return Start.read(experiment.start, data.vocabulary, known)


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
        UsageError: The primary score cannot choose a model, or is not computed while training.
    """
    vocabulary = data.vocabulary
    watchlist = vocabulary.columns(read_watchlist(experiment.data.watchlist))
    weights = None if data.label_weights is None else torch.from_numpy(data.label_weights)
    _require_primary(experiment.score.primary, len(vocabulary), watchlist)
    return SpeciesObjective(experiment, len(vocabulary), watchlist, weights)


def _require_primary(primary: str, species: int, watchlist: Mapping[str, int]) -> None:
    evaluator = SpeciesEvaluator(species, watchlist)
    nowhere = torch.zeros(0, dtype=torch.int64)
    evaluator.scoring.update(torch.zeros(1, species), nowhere, nowhere, density=torch.zeros(1))
    computed = evaluator.compute()
    primary_direction(primary, computed)
    if primary in computed:
        return
    offered = f"Choose from: {', '.join(choosing(computed))}."
    if primary.startswith("watchlist_"):
        code = primary.removeprefix("watchlist_ap_")
        which = "no species" if primary == "watchlist_map" else f"no species '{code}'"
        raise UsageError(
            f"score.primary = '{primary}' is about the species of data.watchlist, and {which} of "
            f"it is learnt. Mend data.watchlist, or lower labels.min_observations. {offered}"
        )
    raise UsageError(f"score.primary = '{primary}' is not computed while training. {offered}")
