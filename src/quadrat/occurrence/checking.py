"""What can be known of an experiment and its records before any training."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch

from quadrat.engine import Backend
from quadrat.errors import QuadratError
from quadrat.experiment import CheckReport
from quadrat.occurrence.network.species_network import OccurrenceNetwork
from quadrat.occurrence.objective import SpeciesObjective
from quadrat.occurrence.records.taxonomy import read_watchlist
from quadrat.occurrence.samples.batches import SampleBatches
from quadrat.occurrence.samples.dataset import OccurrenceData, prepare
from quadrat.occurrence.schema import WATCHLIST, OccurrenceExperiment
from quadrat.occurrence.training import (
    build_network,
    make_objective,
    read_start,
    training_samples,
)

_TIMED_STEPS = 4
_SHOWN_CODES = 10
_FEW_BLOCKS = 20


def check(experiment: OccurrenceExperiment) -> CheckReport:
    """Reads the records of an experiment and reports what training would meet.

    A few steps are taken on a throw-away network to tell how long training will last.
    """
    try:
        data = prepare(experiment)
        objective = make_objective(experiment, data)
        facts = _facts(experiment, data) | _estimates(experiment, data, objective)
    except QuadratError as error:
        return CheckReport(errors=[str(error)])
    return CheckReport(
        warnings=_warnings(experiment, data, objective), facts=facts, tables=_tables(data)
    )


def _facts(experiment: OccurrenceExperiment, data: OccurrenceData) -> dict[str, str]:
    table, parts = data.table, data.partition
    lengths = table.labels.lengths()
    some = lengths[lengths > 0]
    dropped = len(table.codes) - len(data.vocabulary)
    resolution = table.resolution()
    return {
        "cells": f"{len(table):,}" + (f" of H3 resolution {resolution}" if resolution else ""),
        "samples": f"{len(lengths):,} (cell and week), {len(some) / len(lengths):.0%} with species",
        "records": f"{table.labels.positives:,}, {some.mean():.1f} in a sample with species",
        "species": f"{len(data.vocabulary):,} are learnt; {dropped:,} have fewer than "
        f"{experiment.labels.min_observations} training samples",
        "environment": ", ".join(table.environment_names) or "none",
        "split": parts.protocol(experiment.split)["words"],
        **_start(experiment, data),
    }


def _start(experiment: OccurrenceExperiment, data: OccurrenceData) -> dict[str, str]:
    """What becomes of the species of the run that training starts from, if it starts from one."""
    start = read_start(experiment, data)
    if start is None:
        return {}
    found = start.describe(data.vocabulary)
    parts = [f"{found['by_code']} by code", f"{len(found['by_synonym'])} by synonym"]
    parts += [f"{len(found[name])} {name}" for name in ("new", "kept", "dropped") if found[name]]
    return {"start": f"{len(start.vocabulary)} species of {start.folder.name}: {', '.join(parts)}"}


def _estimates(
    experiment: OccurrenceExperiment, data: OccurrenceData, objective: SpeciesObjective
) -> dict[str, str]:
    backend = Backend.create(experiment.run.device, experiment.optimiser.precision)
    network, _ = build_network(experiment, data, read_start(experiment, data))
    samples = training_samples(experiment, data)
    batches = SampleBatches(
        samples, experiment.optimiser.batch_size, device=backend.device, seed=experiment.seed
    )
    seconds = _seconds_per_step(network, objective, batches, backend)
    steps = len(batches) * experiment.optimiser.epochs
    parameters = sum(p.numel() for p in network.parameters())
    # Weights, gradients, two moments; logits with their gradient; the labels.
    batch = 3 * 4 * experiment.optimiser.batch_size * len(data.vocabulary)
    memory = 16 * parameters + batch + 8 * data.table.labels.positives
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


def _warnings(
    experiment: OccurrenceExperiment, data: OccurrenceData, objective: SpeciesObjective
) -> list[str]:
    found = []
    if data.unnamed:
        found.append(
            f"{len(data.unnamed)} species are not in the taxonomy and bear their codes as names: "
            f"{_some(data.unnamed)}"
        )
    watched = read_watchlist(experiment.data.watchlist)
    missing = [code for code in watched if code not in objective.watchlist]
    if missing and watched != WATCHLIST:
        found.append(f"{len(missing)} watch-list species are not learnt: {_some(missing)}")
    if experiment.split.kind == "cell":
        found.append(
            "split.kind = 'cell' leaves neighbours of the judged cells in training, which "
            "flatters; split.kind = 'spatial-block' does not"
        )
    blocks = data.partition.protocol(experiment.split)["groups"]
    if blocks < _FEW_BLOCKS:
        found.append(f"intervals rest on {blocks} spatial blocks only: they are rough")
    lost = len(data.table.codes) - len(data.vocabulary)
    if lost > len(data.vocabulary):
        found.append(
            f"{lost} of {len(data.table.codes)} species are left out by labels.min_observations = "
            f"{experiment.labels.min_observations}"
        )
    return found


def _tables(data: OccurrenceData) -> dict[str, list[dict[str, Any]]]:
    lengths = data.table.labels.lengths().reshape(len(data.table), -1)
    parts = data.partition
    rows = [
        {
            "part": name,
            "cells": len(cells),
            "cells with species": int((lengths[cells].sum(axis=1) > 0).sum()),
            "species a sample": round(float(lengths[cells].mean()), 2),
        }
        for name, cells in (
            ("train", parts.train),
            ("validation", parts.validation),
            ("test", parts.test),
        )
        if len(cells)
    ]
    return {"parts": rows}


def _some(codes: Sequence[str]) -> str:
    more = f" and {len(codes) - _SHOWN_CODES} more" if len(codes) > _SHOWN_CODES else ""
    return ", ".join(codes[:_SHOWN_CODES]) + more


def _duration(seconds: float) -> str:
    for unit, length in (("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"
