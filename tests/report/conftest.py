"""Finished run folders of both families, written by seeded code as trainings leave them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

TARGETS = ("Dry_Green_g", "Dry_Dead_g", "Dry_Total_g")
SAMPLES = 60


@pytest.fixture(autouse=True)
def _coarse_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps of few pixels, which are drawn in no time."""
    monkeypatch.setattr("quadrat.report.maps.PIXELS", 20_000)


@pytest.fixture
def photos_run(tmp_path: Path) -> Path:
    return make_photos_run(tmp_path)


@pytest.fixture
def occurrence_run(tmp_path: Path) -> Path:
    return make_occurrence_run(tmp_path / "runs" / "planet-1")


@pytest.fixture
def change_metrics() -> Callable[..., None]:
    """Changes keys of a run's metrics.json; None removes a key."""

    def change(run: Path, **keys: Any) -> None:
        path = run / "metrics.json"
        metrics = {**json.loads(path.read_text(encoding="utf-8")), **keys}
        metrics = {key: value for key, value in metrics.items() if value is not None}
        path.write_text(json.dumps(metrics), encoding="utf-8")

    return change


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def make_photos_run(folder: Path) -> Path:
    """A run on 60 photos of twelve state × date groups, of which one photo is not there."""
    rng = np.random.default_rng(5)
    data, run = folder / "data", folder / "runs" / "pasture-1"
    (data / "train").mkdir(parents=True)
    run.mkdir(parents=True)
    group = np.arange(SAMPLES) % 12
    parts = rng.gamma(2.0, 12.0, (SAMPLES, 2))
    truth = np.column_stack([parts, parts.sum(axis=1)])
    predicted = truth * 0.8 + 6 + rng.normal(0, 4, truth.shape)
    predicted[0] += 60  # the photo that is not there is among the worst
    names = [f"train/ID{n:03d}.jpg" for n in range(SAMPLES)]
    for name, colour in zip(names[1:], rng.integers(40, 200, (SAMPLES, 3)), strict=False):
        Image.new("RGB", (64, 32), tuple(int(c) for c in colour)).save(data / name)
    table = pl.DataFrame(
        {
            "sample_id": [f"s{n}" for n in range(SAMPLES)],
            "image_path": names,
            "State": [("Tas", "Vic", "NSW", "<b>WA</b>")[g % 4] for g in group],
            "Sampling_Date": [f"2015-0{1 + g // 4}-04" for g in group],
            **{target: truth[:, n] for n, target in enumerate(TARGETS)},
        }
    )
    table.write_csv(data / "train.csv")
    rows = [
        {
            "sample": f"s{n}",
            "fold": int(group[n] % 3),
            "target": target,
            "truth": truth[n, t],
            "raw": predicted[n, t] + 0.5,
            "balanced": predicted[n, t],
            "sigma": 5.0,
            "lower": predicted[n, t] - 9.0,
            "upper": predicted[n, t] + 9.0,
        }
        for n in range(SAMPLES)
        for t, target in enumerate(TARGETS)
    ]
    pl.DataFrame(rows).write_parquet(run / "oof.parquet")
    write_json(run / "metrics.json", photos_metrics())
    _history(run, "weighted_r2", folds=3)
    _common_files(run, "photos-network")
    (run / "experiment.toml").write_text(_PHOTOS_TOML.format(data=data.as_posix()), "utf-8")
    return run


def photos_metrics() -> dict[str, Any]:
    fold = {"weighted_r2": 0.66, "r2": 0.5, "rmse": 9.4}
    return {
        "primary": "weighted_r2",
        "higher_is_better": True,
        "scores": {"weighted_r2": 0.672, "r2": 0.51, "rmse": 9.31, "mae": 6.6, "coverage_90": 0.88},
        "raw": {"weighted_r2": 0.661, "r2": 0.50, "rmse": 9.52, "mae": 6.7, "coverage_90": 0.88},
        "intervals": {"weighted_r2": [0.611, 0.721], "rmse": [8.1, 10.6]},
        "per_target": {t: {"r2": 0.5, "rmse": 9.0, "mae": 6.5} for t in TARGETS},
        "folds": [fold, {**fold, "weighted_r2": 0.69}, {**fold, "weighted_r2": 0.63}],
        "fold_mean": {"weighted_r2": 0.66, "r2": 0.5, "rmse": 9.4},
        "fold_sd": {"weighted_r2": 0.03, "r2": 0.0, "rmse": 0.0},
        "baselines": {
            "mean": {"weighted_r2": 0.24, "r2": -0.01, "rmse": 15.0, "mae": 12.0},
            "metadata": {"weighted_r2": 0.551, "r2": 0.42, "rmse": 11.0, "mae": 8.0},
        },
        "baseline_intervals": {
            "mean": {"weighted_r2": [0.2, 0.27]},
            "metadata": {"weighted_r2": [0.4, 0.605]},
        },
        "tta": {},
        "protocol": {
            "kind": "group",
            "by": ["State", "Sampling_Date"],
            "folds": 3,
            "groups": 12,
            "samples": SAMPLES,
        },
    }


def make_occurrence_run(run: Path) -> Path:
    """A run on forty cells of Europe and thirty species, without the model itself."""
    rng = np.random.default_rng(6)
    run.mkdir(parents=True)
    cells, species = 40, 30
    lat, lon = rng.uniform(40, 55, cells), rng.uniform(-5, 20, cells)
    pl.DataFrame(
        {
            "cell": [f"place-{n}" for n in range(cells)],
            "lat": lat,
            "lon": lon,
            "n": rng.integers(5, 500, cells),
            "richness": rng.uniform(3, 25, cells),
            "map": rng.uniform(0.1, 0.8, cells),
        }
    ).write_parquet(run / "cells.parquet")
    pl.DataFrame(
        {
            "code": [f"sp{n}" for n in range(species)],
            "scientific_name": [f"Genus species{n}" for n in range(species)],
            "common_name": ["Robin & <b>Wren</b>", *[f"Bird {n}" for n in range(1, species)]],
            "class_name": ["Aves"] * 25 + ["Mammalia"] * 5,
            "n": 4000 // np.arange(1, species + 1),
            "ap": np.where(np.arange(species) > 26, np.nan, rng.beta(2, 2, species)),
            "auc": rng.uniform(0.6, 1.0, species),
        }
    ).write_parquet(run / "species.parquet")
    edges = np.logspace(-4, -0.05, 10)
    write_json(
        run / "reliability.json",
        {
            "mean_probability": [None, *edges[1:].tolist()],
            "frequency": (edges * 0.9).tolist(),
            "count": np.logspace(5, 2, 10).tolist(),
        },
    )
    write_json(run / "metrics.json", occurrence_metrics())
    _history(run, "map", folds=1)
    _common_files(run, "occurrence-network")
    (run / "model.json").unlink()
    (run / "experiment.toml").write_text(_OCCURRENCE_TOML, "utf-8")
    return run


def occurrence_metrics() -> dict[str, Any]:
    return {
        "primary": "map",
        "higher_is_better": True,
        "scores": {"map": 0.472, "geoscore": 0.61, "f1_10": 0.46, "brier": 0.0124, "ece": 0.003},
        "raw": {},
        "intervals": {"map": [0.45, 0.49]},
        "per_target": {
            "Aves": {"species": 25.0, "macro_ap": 0.5, "macro_auc": 0.9},
            "Mammalia": {"species": 5.0, "macro_ap": 0.4, "macro_auc": 0.8},
        },
        "folds": [],
        "baselines": {"prevalence": {"map": 0.21, "geoscore": 0.3}},
        "baseline_intervals": {"prevalence": {"map": [0.2, 0.22]}},
        "protocol": {
            "kind": "cell",
            "judged": "validation",
            "train_cells": 360,
            "validation_cells": 40,
            "groups": 31,
            "words": "scores on all 48 weeks of 40 validation cells; whole cells were held out",
        },
    }


def _history(run: Path, primary: str, folds: int) -> None:
    lines = [
        {"fold": fold, "epoch": e, "step": 9 * e, "loss": 3 / e, primary: 0.6 - 0.5 / (e + fold)}
        for fold in range(folds)
        for e in range(1, 9)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (run / "history.jsonl").write_text(text, encoding="utf-8")


def _common_files(run: Path, kind: str) -> None:
    write_json(run / "model.json", {"format_version": 1, "kind": kind})
    write_json(
        run / "provenance.json",
        {
            "quadrat": "0.1.0",
            "python": "3.11.2",
            "packages": {"numpy": "2.2.0", "torch": None},
            "device": {"type": "cpu", "name": "", "precision": "fp32"},
            "seed": 42,
            "tables": {"data.table": "ab" * 32},
            "folder": "/home/someone/secret",
        },
    )
    write_json(
        run / "check.json",
        {
            "errors": [],
            "warnings": ["8 rows hold <zero> where a mass is expected"],
            "facts": {"rows": "60", "groups": "12"},
            "tables": {"Shift between folds": [{"target": "Dry_Green_g", "fold 0": 1.25}]},
        },
    )


_PHOTOS_TOML = """\
family = "photos"
name = "pasture-tiny"

[data]
table = "{data}/train.csv"
targets = ["Dry_Green_g", "Dry_Dead_g", "Dry_Total_g"]

[[balance]]
total = "Dry_Total_g"
parts = ["Dry_Green_g", "Dry_Dead_g"]

[split]
kind = "group"
by = ["State", "Sampling_Date"]
folds = 3

[score]
primary = "weighted_r2"
weights = {{ Dry_Total_g = 0.5, Dry_Green_g = 0.3, Dry_Dead_g = 0.2 }}
"""

_OCCURRENCE_TOML = """\
family = "occurrence"
name = "planet"

[data]
table = "/data/combined.parquet"

[split]
kind = "cell"
validation = 0.1
"""
