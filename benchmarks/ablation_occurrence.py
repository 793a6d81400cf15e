"""What each departure of the recipe `species` from the recipe `geomodel` is worth.

    python benchmarks/ablation_occurrence.py combined.parquet --epochs 8 --out ablation.md

Trains the recipe `geomodel`, the same with one departure at a time, and the recipe `species`, all
for the same number of epochs and on the same cells, and prints a table: mAP, F1 at 10 %, list
ratio at 10 %, seconds of training and of the whole run. A line is printed when it is known.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import tomllib
from pathlib import Path

from quadrat.experiment import parse
from quadrat.occurrence.schema import OccurrenceExperiment
from quadrat.occurrence.training import train
from quadrat.recipes import recipe_text
from quadrat.runs import Run

SCORES = ("map", "f1_10", "list_ratio_10")

DEPARTURES: dict[str, list[str]] = {
    "the year is not learnt": ["data.yearly=false"],
    "places on the sphere": ["network.encoding=spherical"],
    "warm-up of 100 steps": ["optimiser.warmup_steps=100"],
    "averaged weights": ["average.ema=0.998"],
    "calibrated probabilities": ["calibrate.probabilities=species"],
    "more weight on what was seen": ["loss.kind=assume-negative"],
    "habitat head": ["network.habitat_head=true"],
}
"""What is set to what; the last two are choices of the geomodel that neither recipe takes."""


def main() -> None:
    """Trains one variant after the other and prints the table."""
    options = _options()
    lines = ["| variant | mAP | F1@10 % | list ratio@10 % | training, s | whole run, s |"]
    lines.append("|---|---|---|---|---|---|")
    print("\n".join(lines), flush=True)
    variants = {"geomodel": ("geomodel", [])}
    variants |= {f"+ {name}": ("geomodel", keys) for name, keys in DEPARTURES.items()}
    variants["species"] = ("species", [])
    for name, (recipe, keys) in variants.items():
        if options.only and not any(part in name for part in options.only):
            continue
        lines.append(_line(name, _experiment(recipe, keys, options)))
        print(lines[-1], flush=True)
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _line(name: str, experiment: OccurrenceExperiment) -> str:
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder), experiment)
        began = time.perf_counter()
        scores = train(experiment, run, history=run.history())["scores"]
        whole = time.perf_counter() - began
        seconds = sum(float(record["seconds"]) for record in run.history().records())
    numbers = " | ".join(f"{scores[score]:.4f}" for score in SCORES)
    return f"| {name} | {numbers} | {seconds:.0f} | {whole:.0f} |"


def _experiment(recipe: str, keys: list[str], options: argparse.Namespace) -> OccurrenceExperiment:
    document = tomllib.loads(recipe_text(recipe))
    document["data"]["table"] = str(options.table.resolve())
    document["score"] |= {"bootstrap": 0, "baselines": False}
    if any(key.startswith("optimiser.warmup_steps") for key in keys):
        del document["optimiser"]["warmup_epochs"]
    overrides = [f"optimiser.epochs={options.epochs}", *keys, *options.set]
    experiment = parse(document, overrides)
    assert isinstance(experiment, OccurrenceExperiment)
    return experiment


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="One departure from the geomodel at a time.")
    parser.add_argument("table", type=Path, help="combined parquet")
    parser.add_argument("--epochs", type=int, default=8, help="epochs of every variant")
    parser.add_argument("--only", action="append", help="variants whose name holds this text")
    parser.add_argument("--set", action="append", default=[], help="override a key of all variants")
    parser.add_argument("--out", type=Path, help="write the table to this file too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
