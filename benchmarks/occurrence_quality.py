"""How fast the shipped species recipe trains, and how good it is after a given time.

    python -m benchmarks.occurrence_quality combined.parquet --seconds 120 \
        --map 0.47

Trains the recipe ``species`` on the table and leaves with 1 where a limit is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from itertools import accumulate
from pathlib import Path

from quadrat.experiment import Experiment, parse
from quadrat.occurrence.samples.dataset import prepare
from quadrat.occurrence.schema import OccurrenceExperiment
from quadrat.occurrence.training import train
from quadrat.recipes import recipe_text
from quadrat.runs import Run


def main() -> int:
    """Trains, prints one line a measure, and compares with the limits."""
    options = _options()
    experiment = _experiment(options.table, options.set)
    began = time.perf_counter()
    samples = len(prepare(experiment).partition.train) * 48
    print(f"reading and dividing: {time.perf_counter() - began:.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder), experiment)
        began = time.perf_counter()
        metrics = train(experiment, run, history=run.history())
        whole = time.perf_counter() - began
        records = run.history().records()
    seconds = [float(record["seconds"]) for record in records]
    rate = samples * len(records) / sum(seconds)
    elapsed = list(accumulate(seconds))
    in_time = [r["map"] for r, s in zip(records, elapsed, strict=True) if s <= options.seconds]
    best = max(in_time, default=0.0)
    for record, at in zip(records, elapsed, strict=True):
        print(f"epoch {record['epoch']}: map {record['map']:.4f} after {at:.1f} s of training")
    print(f"training: {rate:,.0f} samples/s (at least {options.samples_per_second:,})")
    print(f"map after {options.seconds:g} s of training: {best:.4f} (at least {options.map})")
    print(f"whole run with scoring: {whole:.1f} s, map {metrics['scores']['map']:.4f}")
    return int(rate < options.samples_per_second or best < options.map)


def _experiment(table: Path, overrides: list[str]) -> OccurrenceExperiment:
    import tomllib

    document = tomllib.loads(recipe_text("species"))
    document["data"]["table"] = str(table.resolve())
    experiment: Experiment = parse(document, overrides)
    assert isinstance(experiment, OccurrenceExperiment)
    return experiment


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Speed and quality of the species recipe.")
    parser.add_argument("table", type=Path, help="combined parquet")
    parser.add_argument("--seconds", type=float, default=120.0, help="time limit for the map")
    parser.add_argument("--samples-per-second", type=int, default=15_000, help="lowest rate")
    parser.add_argument("--map", type=float, default=0.47, help="lowest map within the time")
    parser.add_argument("--set", action="append", default=[], help="override a key of the recipe")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
