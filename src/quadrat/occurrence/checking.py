"""What can be known of an experiment and its records before any training."""

from __future__ import annotations

import time
from dataclasses import replace

import torch

from quadrat.engine import Backend
from quadrat.errors import QuadratError
from quadrat.experiment import CheckReport
from quadrat.occurrence.findings import findings
from quadrat.occurrence.fitting import (
    build_network,
    make_objective,
    read_start,
    training_batches,
    training_samples,
)
from quadrat.occurrence.network.species_network import OccurrenceNetwork
from quadrat.occurrence.objective import SpeciesObjective
from quadrat.occurrence.samples.batches import SampleBatches
from quadrat.occurrence.samples.dataset import OccurrenceData, prepare
from quadrat.occurrence.schema import OccurrenceExperiment
from quadrat.occurrence.transfer.starting import Start

_TIMED_STEPS = 4


def check(experiment: OccurrenceExperiment) -> CheckReport:
    """Reads the records of an experiment and reports what training would meet.

    A few steps are taken on a throw-away network to tell how long training will last.
    """
    try:
        data = prepare(experiment)
        objective = make_objective(experiment, data)
        start = read_start(experiment, data)
        estimates = _estimates(experiment, data, objective, start)
    except QuadratError as error:
        return CheckReport(errors=[str(error)])
    report = findings(experiment, data, start)
    return replace(report, facts=report.facts | _told(start, data) | estimates)


def _told(start: Start | None, data: OccurrenceData) -> dict[str, str]:
    """What becomes of the species of the run that training starts from, if it starts from one."""
    if start is None:
        return {}
    found = start.describe(data.vocabulary)
    parts = [f"{found['by_code']} by code", f"{len(found['by_synonym'])} by synonym"]
    parts += [f"{len(found[name])} {name}" for name in ("new", "kept", "dropped") if found[name]]
    return {"start": f"{len(start.vocabulary)} species of {start.folder.name}: {', '.join(parts)}"}


def _estimates(
    experiment: OccurrenceExperiment,
    data: OccurrenceData,
    objective: SpeciesObjective,
    start: Start | None,
) -> dict[str, str]:
    backend = Backend.create(experiment.run.device, experiment.optimiser.precision)
    network, _ = build_network(experiment, data, start)
    samples = training_samples(experiment, data)
    batches = training_batches(experiment, data, samples, backend)
    seconds = _seconds_per_step(network, objective, batches, backend)
    steps = len(batches) * experiment.optimiser.epochs
    parameters = sum(p.numel() for p in network.parameters())
    # Weights, gradients, two moments; logits with their gradient; the labels.
    batch = 3 * 4 * experiment.optimiser.batch_size * len(data.vocabulary)
    memory = 16 * parameters + batch + 8 * (data.table.labels.positives + data.training.positives)
    return {
        "parameters": f"{parameters:,}",
        "training": f"{steps:,} steps, about {_duration(steps * seconds)} on "
        f"{backend.device.type} ({backend.precision}), besides scoring",
        "memory": f"about {memory / 1e6:,.0f} MB besides Python and PyTorch",
        "disk": f"about {(4 + 2 * 20) * parameters / 1e6:,.0f} MB while training",
    }


def _seconds_per_step(
    network: OccurrenceNetwork,
    objective: SpeciesObjective,
    batches: SampleBatches,
    backend: Backend,
) -> float:
    network.to(backend.device).train()
    began, taken = time.perf_counter(), 0
    for number, batch in enumerate(batches.epoch(0)):
        if number == 1:  # the first step pays for memory and threads
            began, taken = time.perf_counter(), 0
        if number > _TIMED_STEPS:
            break
        with backend.autocast():
            total = objective.loss(network, batch).total
        torch.autograd.backward(total)
        total.item()  # waits for the device
        taken += 1
    return (time.perf_counter() - began) / max(1, taken)


def _duration(seconds: float) -> str:
    for unit, length in (("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"
