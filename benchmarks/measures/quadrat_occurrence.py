"""Measures quadrat's own steps on a combined parquet; prints one JSON object.

    python -m benchmarks.measures.quadrat_occurrence prepare|train|validate|list PARQUET

`prepare` reads, divides, weighs, caps and propagates; `train` and `validate` run at the
architecture of the BirdNET geomodel, so that both do the same arithmetic.
"""

from __future__ import annotations

import argparse
import importlib
import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

CAP = 2000


def main() -> None:
    """Runs one measurement."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=list(MEASURES))
    parser.add_argument("table", type=Path)
    parser.add_argument("--scale", type=float, default=0.75)
    parser.add_argument("--batches", type=int, default=60, help="batches of an epoch of `train`")
    parser.add_argument("--set", action="append", default=[], help="override a key")
    options = parser.parse_args()
    found = MEASURES[options.what](options)
    found["peak_mb"] = _peak_mb()
    print(json.dumps(found))


def prepare(options: argparse.Namespace) -> dict[str, Any]:
    """All preparation, with cap, label weights and propagation as the peer's command line has."""
    extra = [f"labels.max_observations={CAP}", "labels.frequency_weight.on=true"]
    extra += ["labels.propagate.on=true", "labels.propagate.k=20"]
    extra += ["labels.propagate.min_observed=12", "labels.propagate.max_spread=1.0"]
    extra += ["labels.propagate.max_environment_distance=5.0"]
    extra += ["labels.propagate.range_cap_km=1500", "data.yearly=true"]
    experiment = _experiment(options, extra)
    began = time.perf_counter()
    importlib.import_module("quadrat.kernels.species_lists")  # else when it is first used
    from quadrat.occurrence.fitting import training_samples
    from quadrat.occurrence.samples.dataset import prepare as prepare_data

    imported = time.perf_counter()
    data = prepare_data(experiment)
    samples = training_samples(experiment, data)
    seconds = time.perf_counter() - imported
    return {
        "seconds": seconds,
        "import_seconds": imported - began,
        "samples": len(samples),
        "species": samples.labels.columns,
    }


def train(options: argparse.Namespace) -> dict[str, Any]:
    """Samples a second of the fastest epoch after the first, and memory beside what is needed."""
    trained = _Trained.of(options, epochs=5)
    seconds = min(float(record["seconds"]) for record in trained.result.records[1:])
    parameters = sum(p.numel() for p in trained.network.parameters())
    labels, batch = trained.samples.labels, trained.experiment.optimiser.batch_size
    held = labels.indptr.nbytes + labels.indices.nbytes
    held += 5 * 4 * parameters + 3 * 4 * batch * labels.columns
    return {
        "samples_per_second": len(trained.samples) / seconds,
        "species": labels.columns,
        "parameters": parameters,
        "allowed_mb": held / 2**20 + 600,
        "precision": trained.backend.precision,
    }


def validate(options: argparse.Namespace) -> dict[str, Any]:
    """Samples a second of a validation epoch with all scores of an epoch, after some training."""
    from quadrat.engine import evaluate
    from quadrat.occurrence.samples.batches import SampleBatches

    trained = _Trained.of(options, epochs=3)
    data, backend = trained.data, trained.backend
    samples = data.samples(data.partition.validation[: 20 * 1024 // 48])
    batches = SampleBatches(samples, 1024, device=backend.device, seed=1, shuffle=False)
    times = []
    for _ in range(4):
        began = time.perf_counter()
        evaluate(trained.network, batches, trained.objective.evaluator(), backend=backend)
        times.append(time.perf_counter() - began)
    return {"samples_per_second": len(samples) / min(times), "species": samples.labels.columns}


class _Trained(NamedTuple):
    """A network after some epochs on a part of the training cells."""

    experiment: Any
    data: Any
    samples: Any
    network: Any
    objective: Any
    backend: Any
    result: Any

    @classmethod
    def of(cls, options: argparse.Namespace, epochs: int) -> _Trained:
        from quadrat.engine import Backend, FitSettings, fit
        from quadrat.occurrence.fitting import build_network, make_objective
        from quadrat.occurrence.samples.batches import SampleBatches
        from quadrat.occurrence.samples.dataset import prepare as prepare_data

        experiment = _experiment(options, [f"optimiser.epochs={epochs}"])
        data = prepare_data(experiment)
        batch = experiment.optimiser.batch_size
        cells = np.linspace(0, len(data.partition.train) - 1, options.batches * batch // 48)
        samples = data.samples(data.partition.train[cells.astype(np.int64)])
        network, _ = build_network(experiment, data)
        objective = make_objective(experiment, data)
        backend = Backend.create("cpu", experiment.optimiser.precision)
        batches = SampleBatches(samples, batch, device=backend.device, seed=1)
        settings = FitSettings(experiment.optimiser, experiment.average, experiment.run, seed=1)
        _forget_peak()
        result = fit(network, batches, objective, settings, backend=backend)
        return cls(experiment, data, samples, network, objective, backend, result)


def answer(options: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds of a species list of one place and week from a loaded model, on one thread."""
    import statistics

    import torch

    from quadrat.occurrence.network.model import NetworkSpec
    from quadrat.occurrence.predictor import OccurrencePredictor
    from quadrat.occurrence.records.taxonomy import Species, Vocabulary

    torch.set_num_threads(1)
    count = 12_012
    spec = NetworkSpec("spherical", 8, 8, options.scale, count, 23)
    species = tuple(Species(f"s{n}", f"Genus s{n}", f"bird {n}") for n in range(count))
    predictor = OccurrencePredictor(spec.build(), spec, Vocabulary(species), device="cpu")
    lats = np.random.default_rng(0).uniform(-60, 70, 400)
    times = []
    for lat in lats:
        began = time.perf_counter()
        predictor.probabilities(lat, 10.0, 20)
        times.append(time.perf_counter() - began)
    return {"milliseconds": 1000 * statistics.median(times[50:]), "species": count}


def _forget_peak() -> None:
    """The highest memory from here on is what `_peak_mb` tells (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def _peak_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def _experiment(options: argparse.Namespace, extra: list[str]) -> Any:
    from quadrat.experiment import parse

    document = {
        "family": "occurrence",
        "name": "benchmark",
        "data": {"table": str(options.table.resolve()), "cache": False},
        "network": {"scale": options.scale, "encoding": "harmonic"},
        "score": {"primary": "map"},
    }
    return parse(document, [*extra, *options.set])


MEASURES = {"prepare": prepare, "train": train, "validate": validate, "list": answer}

if __name__ == "__main__":
    main()
