"""The epochs in which only the outputs of new species learn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from quadrat.engine import Backend, FitSettings, fit
from quadrat.experiment import AverageSection
from quadrat.occurrence.network.species_network import OccurrenceNetwork
from quadrat.occurrence.objective import SpeciesObjective
from quadrat.occurrence.records.taxonomy import Vocabulary
from quadrat.occurrence.samples.batches import SampleBatches
from quadrat.occurrence.samples.prepared import OccurrenceData
from quadrat.occurrence.schema import OccurrenceExperiment
from quadrat.occurrence.transfer.starting import OnlyNewSpecies, Start, species_parameters


def learn_new_species(
    experiment: OccurrenceExperiment,
    data: OccurrenceData,
    network: OccurrenceNetwork,
    start: Start,
    backend: Backend,
    *,
    state: Path | None,
) -> None:
    """Trains the outputs of new species for `start.new_species_epochs`; all else stays as it is.

    Args:
        experiment: The experiment.
        data: Its records.
        network: With the weights of the run it starts from.
        start: Which species are new.
        backend: Device, precision, processes.
        state: A folder for saved states; training goes on from what lies there. None: no saving.
    """
    epochs, columns = experiment.start.new_species_epochs, start.match.new
    if epochs == 0 or not columns:
        return
    species = Vocabulary(tuple(data.vocabulary.species[column] for column in columns))
    samples = data.training_samples()
    module = OnlyNewSpecies(network, columns)
    section = experiment.optimiser.model_copy(update={"epochs": epochs, "patience": 0})
    batches = SampleBatches(
        replace(samples, labels=samples.labels.restricted(columns)),
        section.batch_size,
        device=backend.device,
        seed=experiment.seed,
        rank=backend.rank,
        world=backend.world,
    )
    weights = None if data.label_weights is None else torch.from_numpy(data.label_weights[columns])
    network.requires_grad_(False)
    for parameter in species_parameters(network):
        parameter.requires_grad_(True)
    fit(
        module,
        batches,
        SpeciesObjective(experiment, len(species), {}, weights),
        FitSettings(
            section, AverageSection(), experiment.run, experiment.seed, label="new species"
        ),
        backend=backend,
        state=state,
        groups=module.groups(section.learning_rate),
    )
    network.requires_grad_(True)
