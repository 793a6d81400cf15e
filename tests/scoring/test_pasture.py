"""Figures that are known of the real pasture biomass table, found again."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from quadrat.runtime.balance import Balance, Identity
from quadrat.scoring import bootstrap_regression, regression_scores, weighted_r2

TARGETS = ("Dry_Clover_g", "Dry_Dead_g", "Dry_Green_g", "Dry_Total_g", "GDM_g")
WEIGHTS = [0.1, 0.1, 0.1, 0.5, 0.2]
BALANCE = Balance(
    TARGETS,
    (
        Identity("GDM_g", ("Dry_Green_g", "Dry_Clover_g")),
        Identity("Dry_Total_g", ("GDM_g", "Dry_Dead_g")),
    ),
)

pytestmark = pytest.mark.real_data


def truth_and_groups(folder: Path) -> tuple[np.ndarray, list[str]]:
    with (folder / "train.csv").open(encoding="utf-8") as file:
        sites = {r["image_path"]: r["State"] + r["Sampling_Date"] for r in csv.DictReader(file)}
    with (folder / "oof" / "rows.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    truth = np.array([[float(row[name]) for name in TARGETS] for row in rows])
    return truth, [sites[row["image_path"]] for row in rows]


def test_the_scores_of_real_predictions(real_data: Path) -> None:
    folder = real_data / "csiro_biomass"
    truth, groups = truth_and_groups(folder)
    means = np.tile(truth.mean(axis=0), (len(truth), 1))
    assert weighted_r2(truth, means, WEIGHTS) == pytest.approx(0.240, abs=5e-4)
    with (folder / "oof" / "scores.csv").open(encoding="utf-8") as file:
        published = {r["key"]: float(r["global_weighted_r2"]) for r in csv.DictReader(file)}
    predictions = np.load(folder / "oof" / "predictions.npz", allow_pickle=False)
    for name, score in published.items():
        assert weighted_r2(truth, predictions[name], WEIGHTS) == pytest.approx(score, abs=1e-4)
    best = predictions[max(published, key=lambda name: published[name])]
    low, high = bootstrap_regression(truth, best, WEIGHTS, groups)["weighted_r2"]
    assert low == pytest.approx(0.818, abs=0.01)
    assert high == pytest.approx(0.901, abs=0.01)


def test_a_projection_of_real_predictions_costs_nothing(real_data: Path) -> None:
    folder = real_data / "csiro_biomass"
    truth, _ = truth_and_groups(folder)
    predictions = np.load(folder / "oof" / "predictions.npz", allow_pickle=False)
    for name in predictions.files:
        raw = predictions[name].astype(np.float64)
        balanced = BALANCE.project(raw)
        assert BALANCE.violations(balanced, 1e-9).rows.size == 0
        assert balanced.min() >= 0.0
        # the truth obeys the identities but for one row, so the nearest such point is not farther
        distance = [((truth - p) ** 2).sum(axis=1) for p in (balanced, raw)]
        assert (distance[0] <= distance[1] + 1.0).all()
        before, after = (regression_scores(truth, p)["rmse"] for p in (raw, balanced))
        assert after <= before + 1e-3
