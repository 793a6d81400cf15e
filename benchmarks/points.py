"""How well presence-only records predict surveys: 226 species of six regions (Elith et al. 2020).

    python benchmarks/points.py $DATA/disdat --ensemble 0.76 --network 0.745 --gain 0.025

Trains the defaults of ``[points]`` on every region's records, once with target-group and
once with random background, and judges on its presence–absence surveys, which nothing has looked
at. With ``--epochs`` the networks learn for so long instead of as long as cross-validation says,
which takes a sixth of the time. Leaves with 1 where a limit is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from quadrat.engine import Backend
from quadrat.experiment import Experiment, parse
from quadrat.occurrence.points.data import prepare, section_of
from quadrat.occurrence.points.ensemble import Networks, PointEnsemble
from quadrat.occurrence.points.fitting import Part, fit_part
from quadrat.occurrence.points.scores import species_scores
from quadrat.occurrence.points.sites import Sites, read_test
from quadrat.occurrence.points.training import BASELINE, MODEL, train
from quadrat.occurrence.records.taxonomy import Vocabulary
from quadrat.occurrence.schema import OccurrenceExperiment
from quadrat.runs import Run
from quadrat.scoring import bootstrap_means
from quadrat.tables import read_table

CATEGORICAL: Mapping[str, tuple[str, ...]] = {
    "AWT": (),
    "CAN": ("ontveg",),
    "NSW": ("vegsys",),
    "NZ": ("toxicats", "age"),
    "SA": (),
    "SWI": ("calc",),
}
_NO_COVARIATES = ("siteid", "spid", "x", "y", "occ", "group")
BACKGROUNDS = ("target-group", "random")
MODELS = ("logistic", "one network", "networks", "forest", "ensemble")

Aucs = dict[str, NDArray[np.float64]]


def main() -> int:
    """Trains everything, prints a table for each background, and compares with the limits."""
    options = _options()
    torch.set_num_threads(1)
    began = time.perf_counter()
    found: dict[str, dict[str, Aucs]] = {}
    for background in BACKGROUNDS:
        found[background] = {}
        for region in options.regions:
            at = time.perf_counter()
            aucs = _region(Region(options.data, region), background, options)
            found[background][region] = aucs
            seconds = time.perf_counter() - at
            means = ", ".join(f"{model} {np.mean(auc):.4f}" for model, auc in aucs.items())
            print(f"{region} {background}: {means} ({seconds:.0f} s)", file=sys.stderr, flush=True)
        _print(background, found[background])
    print(f"\n{time.perf_counter() - began:.0f} s in all")
    return _compare(found, options)


@dataclass(frozen=True)
class Region:
    """One region's tables."""

    data: Path
    name: str

    def columns(self) -> list[str]:
        """All covariates."""
        names = pl.read_parquet_schema(self.data / f"{self.name}train_po.parquet")
        return [name for name in names if name not in _NO_COVARIATES]

    def experiment(self, background: str, overrides: list[str]) -> OccurrenceExperiment:
        """The default settings with this region's columns."""
        categorical = CATEGORICAL[self.name]
        points: dict[str, Any] = {
            "x": "x",
            "y": "y",
            "species": "spid",
            "group": "group",
            "covariates": [name for name in self.columns() if name not in categorical],
            "categorical": list(categorical),
            "background": background,
        }
        if background == "random":
            points["background_table"] = str(self.data / f"{self.name}train_bg.parquet")
        document = {
            "family": "occurrence",
            "name": f"{self.name}-{background}",
            "data": {"points": str(self.data / f"{self.name}train_po.parquet")},
            "points": points,
            "run": {"device": "cpu"},
        }
        experiment: Experiment = parse(document, overrides)
        assert isinstance(experiment, OccurrenceExperiment)
        return experiment

    def surveys(self, folder: Path) -> Path:
        """Covariates and presence–absence of all surveys in one table, blank where not sought."""
        parts = []
        for env in sorted(self.data.glob(f"{self.name}test_env*.parquet")):
            seen = pl.read_parquet(env.with_name(env.name.replace("_env", "_pa")))
            seen = seen.drop("group", "x", "y").with_columns(pl.col("siteid").cast(pl.String))
            sites = pl.read_parquet(env).with_columns(pl.col("siteid").cast(pl.String))
            parts.append(sites.join(seen, on="siteid", how="inner", validate="1:1"))
        table = folder / f"{self.name}.parquet"
        pl.concat(parts, how="diagonal_relaxed").write_parquet(table)
        return table


def _region(region: Region, background: str, options: argparse.Namespace) -> Aucs:
    experiment = region.experiment(background, options.set)
    _, section = section_of(experiment)
    with tempfile.TemporaryDirectory() as name:
        if options.epochs:
            codes, model, baseline = _at_once(experiment, options.epochs)
        else:
            run = Run.create(Path(name), experiment)
            train(experiment, run, history=run.history())
            codes = Vocabulary.read(run.path("labels.txt")).codes
            model, baseline = (
                PointEnsemble.load(run.path(MODEL)),
                PointEnsemble.load(run.path(BASELINE)),
            )
        table = region.surveys(Path(name))
        sites = read_test(read_table(table), section, codes, table).of_species(codes)
    return _aucs(model, baseline, sites)


def _at_once(
    experiment: OccurrenceExperiment, epochs: int
) -> tuple[tuple[str, ...], PointEnsemble, PointEnsemble]:
    """Learns from all sites, without cross-validation."""
    data = prepare(experiment)
    rows = np.arange(len(data.sites))
    backend = Backend.create("cpu", experiment.optimiser.precision)
    fitted = fit_part(experiment, data, Part(0, rows, rows[:0], epochs), backend)
    assert fitted.baseline is not None
    return data.vocabulary.codes, fitted.model, fitted.baseline


def _aucs(model: PointEnsemble, baseline: PointEnsemble, sites: Sites) -> Aucs:
    """The AUC of every species, by model."""
    inputs = model.encoder.encoded(sites.covariates)

    def auc(answers: NDArray[np.float32]) -> NDArray[np.float64]:
        return species_scores(answers, sites.labels).auc

    found = {"logistic": auc(baseline.answers(sites.covariates))}
    networks = model.models.get("network")
    if isinstance(networks, Networks):
        networks.module.eval()
        with torch.inference_mode():
            members = networks.module.log_ratios(torch.from_numpy(inputs))
        found["one network"] = np.mean([auc(member.numpy()) for member in members], axis=0)
        found["networks"] = auc(networks.answers(inputs))
    if "forest" in model.models:
        found["forest"] = auc(model.models["forest"].answers(inputs))
    return found | {"ensemble": auc(model.answers(sites.covariates))}


def _print(background: str, regions: Mapping[str, Aucs]) -> None:
    print(f"\n{background} background: mean AUC over species")
    print("region  species  " + "".join(f"{name:>14}" for name in MODELS))
    rows = {**regions, "all": _joined(regions)}
    for name, aucs in rows.items():
        values = "".join(f"{np.mean(aucs[m]):>14.4f}" if m in aucs else f"{'':>14}" for m in MODELS)
        print(f"{name:<8}{len(aucs['ensemble']):>7}  {values}")
    low, high = _interval(rows["all"]["ensemble"])
    print(f"ensemble over all species, 95 % bootstrap over species: {low:.4f} to {high:.4f}")


def _joined(regions: Mapping[str, Aucs]) -> Aucs:
    first = next(iter(regions.values()))
    return {name: np.concatenate([aucs[name] for aucs in regions.values()]) for name in first}


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    return bootstrap_means({"auc": values}, np.arange(len(values)).astype(str))["auc"]


def _compare(found: Mapping[str, Mapping[str, Aucs]], options: argparse.Namespace) -> int:
    target, random = (_joined(found[background]) for background in BACKGROUNDS)
    gains = target["ensemble"] - random["ensemble"]
    low, high = _interval(gains)
    print(f"target group less random, ensemble: {gains.mean():+.4f} ({low:+.4f} to {high:+.4f})")
    measured = {"ensemble": target["ensemble"].mean(), "gain": gains.mean()}
    if "one network" in target:
        measured["network"] = target["one network"].mean()
    missed = False
    for name, value in measured.items():
        limit = getattr(options, name)
        missed |= value < limit
        print(f"{name}: {value:.4f} (at least {limit:g})")
    return int(missed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Presence-only records judged on surveys.")
    parser.add_argument("data", type=Path, help="folder with <REGION>train_po.parquet and so on")
    parser.add_argument("--network", type=float, default=0.745, help="lowest AUC of one network")
    parser.add_argument("--ensemble", type=float, default=0.76, help="lowest AUC of the ensemble")
    parser.add_argument("--gain", type=float, default=0.025, help="least gain by target group")
    parser.add_argument("--epochs", type=int, default=0, help="fixed; without cross-validation")
    parser.add_argument("--regions", nargs="+", choices=list(CATEGORICAL), default=[*CATEGORICAL])
    parser.add_argument("--set", action="append", default=[], help="override a key")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
