"""How well presence-only records predict surveys: 226 species of six regions (Elith et al. 2020).

    python benchmarks/points.py $DATA/disdat --ensemble 0.76 --network 0.757 --gain 0.025

Trains the defaults of ``[points]`` on every region's records, once with target-group and
once with random background, and judges on its presence–absence surveys, which nothing has looked
at. With ``--epochs`` the networks learn for so long instead of as long as cross-validation says.
Leaves with 1 where a limit is missed.

    python -m benchmarks.points $DATA/disdat --cross-validate --set points.width=256

Judges settings on spatial blocks of the records alone, where defaults are to be chosen.
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
from quadrat.occurrence.points.data import PointData, prepare, section_of
from quadrat.occurrence.points.ensemble import Networks
from quadrat.occurrence.points.fitting import Fitted, Part, fit_part
from quadrat.occurrence.points.scores import scores_over_folds, species_scores
from quadrat.occurrence.points.sites import read_test
from quadrat.occurrence.points.table import Covariates
from quadrat.occurrence.points.training import chosen_epochs, cross_validation
from quadrat.occurrence.schema import OccurrenceExperiment
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
_NETWORKS_ALONE = ("points.models=['network']", "score.baselines=false")
MODELS = ("logistic", "one network", "networks", "forest", "ensemble")

Aucs = dict[str, NDArray[np.float64]]


def main() -> int:
    """Trains everything, prints a table for each background, and compares with the limits."""
    options = _options()
    torch.set_num_threads(1)
    began = time.perf_counter()
    found: dict[str, dict[str, Aucs]] = {}
    judged = _held_out if options.cross_validate else _region
    for background in options.backgrounds:
        found[background] = {}
        for region in options.regions:
            at = time.perf_counter()
            aucs = judged(Region(options.data, region), background, options)
            found[background][region] = aucs
            seconds = time.perf_counter() - at
            means = ", ".join(f"{model} {np.nanmean(auc):.4f}" for model, auc in aucs.items())
            print(f"{region} {background}: {means} ({seconds:.0f} s)", file=sys.stderr, flush=True)
        _print(background, found[background])
    print(f"\n{time.perf_counter() - began:.0f} s in all")
    if options.cross_validate or len(found) < len(BACKGROUNDS):
        return 0
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
    """Scores on the region's surveys, after training as `train` does but for judging folds."""
    experiment = region.experiment(background, options.set)
    _, section = section_of(experiment)
    data = prepare(experiment)
    rows = np.arange(len(data.sites))
    backend = Backend.create("cpu", experiment.optimiser.precision)
    epochs = options.epochs or _epochs(
        region.experiment(background, [*options.set, *_NETWORKS_ALONE])
    )
    fitted = fit_part(experiment, data, Part(section.folds, rows, rows[:0], epochs), backend)
    with tempfile.TemporaryDirectory() as name:
        table = region.surveys(Path(name))
        codes = data.vocabulary.codes
        sites = read_test(read_table(table), section, codes, table).of_species(codes)
    return {
        name: np.mean([species_scores(each, sites.labels).auc for each in answers], axis=0)
        for name, answers in _answers(fitted, sites.covariates).items()
    }


def _epochs(experiment: OccurrenceExperiment) -> int:
    """How long the networks are to learn."""
    return chosen_epochs(experiment, _folds(experiment, prepare(experiment)))


def _folds(experiment: OccurrenceExperiment, data: PointData) -> list[Fitted]:
    backend = Backend.create("cpu", experiment.optimiser.precision)
    parts = cross_validation(experiment, data)
    return [fit_part(experiment, data, part, backend) for part in parts]


def _held_out(region: Region, background: str, options: argparse.Namespace) -> Aucs:
    """Scores on spatial blocks of the records, which also chose the networks' epoch."""
    experiment = region.experiment(background, options.set)
    data = prepare(experiment)
    fold, sites = data.folds.fold, data.sites
    found: dict[str, NDArray[np.float32]] = {}
    for number, fitted in enumerate(_folds(experiment, data)):
        rows = fold == number
        for name, answers in _answers(fitted, sites.covariates.rows(rows)).items():
            shape = (len(answers), *sites.labels.shape)
            found.setdefault(name, np.empty(shape, dtype=np.float32))[:, rows] = answers
    return {
        name: np.mean([scores_over_folds(each, sites.labels, fold)[0].auc for each in answers], 0)
        for name, answers in found.items()
    }


def _answers(fitted: Fitted, covariates: Covariates) -> dict[str, NDArray[np.float32]]:
    """The answers by model ``(K, N, S)``; K is 1 but for single networks, where it is theirs."""
    model = fitted.model
    inputs = model.encoder.encoded(covariates)
    found = {kind: each.answers(inputs)[None] for kind, each in model.models.items()}
    networks = model.models.get("network")
    if isinstance(networks, Networks):
        networks.module.eval()
        with torch.inference_mode():
            members = networks.module.log_ratios(torch.from_numpy(inputs)).numpy()
        found = {**found, "one network": members, "networks": found["network"]}
        del found["network"]
    if fitted.baseline is not None:
        found["logistic"] = fitted.baseline.answers(covariates)[None]
    return {**found, "ensemble": model.answers(covariates)[None]}


def _print(background: str, regions: Mapping[str, Aucs]) -> None:
    print(f"\n{background} background: mean AUC over species")
    print("region  species  " + "".join(f"{name:>14}" for name in MODELS))
    rows = {**regions, "all": _joined(regions)}
    for name, aucs in rows.items():
        values = "".join(
            f"{np.nanmean(aucs[m]):>14.4f}" if m in aucs else f"{'':>14}" for m in MODELS
        )
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
    parser.add_argument("--network", type=float, default=0.757, help="lowest AUC of one network")
    parser.add_argument("--ensemble", type=float, default=0.76, help="lowest AUC of the ensemble")
    parser.add_argument("--gain", type=float, default=0.025, help="least gain by target group")
    parser.add_argument("--epochs", type=int, default=0, help="fixed; without cross-validation")
    parser.add_argument(
        "--cross-validate", action="store_true", help="judge on blocks of the records instead"
    )
    parser.add_argument("--backgrounds", nargs="+", choices=BACKGROUNDS, default=[*BACKGROUNDS])
    parser.add_argument("--regions", nargs="+", choices=list(CATEGORICAL), default=[*CATEGORICAL])
    parser.add_argument("--set", action="append", default=[], help="override a key")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
