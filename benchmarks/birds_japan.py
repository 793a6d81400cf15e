"""Birds of Japanese wetlands at places that were not learnt: 1,435 visits, 86 places, 185 species.

    python -m benchmarks.birds_japan $DATA --map 0.68 --auc 0.70

Records become visits, a place on a day; a species not recorded on a visit counts as absent. All
visits of a place are held out together: five folds of places, three random partitions. The AUC is
that of each fold with both classes, averaged over folds and then over species with ten visits; a
pooled AUC would reward knowing which fold a visit is in. Leaves with 1 where a limit is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from quadrat.engine import Backend
from quadrat.experiment import parse
from quadrat.geo import unit_vectors
from quadrat.occurrence.points.data import PointData, prepare
from quadrat.occurrence.points.fitting import Part, fit_part
from quadrat.occurrence.schema import OccurrenceExperiment

FOLDS = 5
LEAST_VISITS = 10
PLACE = ("east", "north", "up")
SEASON = ("season_sin", "season_cos")

Floats = NDArray[np.float64]


def main() -> int:
    """Prints mAP and AUC for each partition and in the mean."""
    options = _options()
    visits, species = read_visits(options.data)
    began, rows = time.perf_counter(), []
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "visits.parquet"
        visits.write_parquet(table)
        experiment = _experiment(table, species, options)
        data = prepare(experiment)
        for partition in range(options.partitions):
            folds = _folds(visits, partition)
            found = scores(data, held_out_answers(experiment, data, folds), folds)
            rows.append(found)
            print(f"partition {partition}: mAP {found[0]:.4f}, AUC by fold {found[1]:.4f}")
    precision, auc = np.mean(rows, axis=0)
    seconds = time.perf_counter() - began
    print(f"mean: mAP {precision:.4f} (at least {options.map}), AUC by fold {auc:.4f} "
          f"(at least {options.auc}); {seconds:.0f} s")  # fmt: skip
    return int(precision < options.map or auc < options.auc)


def read_visits(data: Path) -> tuple[pl.DataFrame, list[str]]:
    """One row a place and day: where, when, and 0 or 1 for every species."""
    records = pl.read_csv(data / "birds_japan" / "records.csv.gz", infer_schema_length=None)
    records = records.filter(pl.col("resolution") == "species").select(
        pl.col("LATITUDE").alias("lat"),
        pl.col("LONGITUDE").alias("lon"),
        pl.date("YEAR", "MONTH", "DAY").alias("date"),
        pl.col("valid_name").alias("species"),
        pl.lit(1, pl.Int8).alias("seen"),
    )
    species = records["species"].unique().sort().to_list()
    visits = records.unique().pivot("species", index=["lat", "lon", "date"], values="seen")
    visits = visits.select("lat", "lon", "date", *species).fill_null(0)
    visits = visits.sort("lat", "lon", "date")
    lat, lon = visits["lat"].to_numpy(), visits["lon"].to_numpy()
    season = visits["date"].dt.ordinal_day().to_numpy() * (2 * np.pi / 365.25)
    columns = dict(zip(PLACE, unit_vectors(lat, lon).T, strict=True))
    columns |= {SEASON[0]: np.sin(season), SEASON[1]: np.cos(season)}
    return visits.with_columns(**{name: pl.Series(v) for name, v in columns.items()}), species


def held_out_answers(
    experiment: OccurrenceExperiment, data: PointData, folds: NDArray[np.int64]
) -> Floats:
    """What models that have not learnt a visit's place say about it ``(N, S)``."""
    backend = Backend.create("cpu", experiment.optimiser.precision)
    answers = np.empty(data.sites.labels.shape)
    nothing = np.empty(0, np.int64)
    for fold in range(FOLDS):
        learnt, held_out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        part = Part(fold, learnt, nothing, experiment.optimiser.epochs)
        model = fit_part(experiment, data, part, backend).model
        answers[held_out] = model.answers(data.sites.rows(held_out).covariates)
    return answers


def scores(data: PointData, answers: Floats, folds: NDArray[np.int64]) -> tuple[float, float]:
    """Mean average precision over visits, and the AUC within folds over frequent species."""
    truth = data.sites.labels
    precision = [average_precision_score(t, a) for t, a in zip(truth, answers, strict=True)]
    aucs = []
    for column in np.flatnonzero(truth.sum(axis=0) >= LEAST_VISITS):
        parts = [(truth[folds == f, column], answers[folds == f, column]) for f in range(FOLDS)]
        known = [roc_auc_score(t, a) for t, a in parts if 0 < t.sum() < len(t)]
        if known:
            aucs.append(np.mean(known))
    return float(np.mean(precision)), float(np.mean(aucs))


def _folds(visits: pl.DataFrame, partition: int) -> NDArray[np.int64]:
    _, place = np.unique(visits.select("lat", "lon").to_numpy(), axis=0, return_inverse=True)
    order = np.random.default_rng(partition).permutation(place.max() + 1)
    return np.asarray(order % FOLDS, np.int64)[place]


def _experiment(
    table: Path, species: list[str], options: argparse.Namespace
) -> OccurrenceExperiment:
    document = {
        "family": "occurrence",
        "name": "birds-japan",
        "data": {"points": str(table)},
        "points": {
            "kind": "presence-absence",
            "species_columns": species,
            "covariates": [*PLACE, *SEASON],
            "models": ["network"],
            "width": 128,
            "dropout": 0.5,
            "pieces": 0,
        },
        "optimiser": {
            "epochs": 30,
            "batch_size": 128,
            "learning_rate": 3e-3,
            "schedule": "cosine",
        },
        "average": {"ema": 0.0},
        "score": {"baselines": False},
        "run": {"device": "cpu"},
    }
    experiment = parse(document, options.set)
    assert isinstance(experiment, OccurrenceExperiment)
    return experiment


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Birds at places that were not learnt.")
    parser.add_argument("data", type=Path, help="folder with birds_japan")
    parser.add_argument("--partitions", type=int, default=3, help="of places into five folds")
    parser.add_argument("--map", type=float, default=0.0, help="lowest mAP")
    parser.add_argument("--auc", type=float, default=0.0, help="lowest AUC by fold")
    parser.add_argument("--set", action="append", default=[], help="override a key")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
