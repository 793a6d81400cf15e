"""Ensembles of small species networks: what they answer, and how honestly they are judged."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.special import expit, logit

from quadrat.ensemble import family
from quadrat.errors import DataError, RunError, UsageError
from quadrat.experiment import parse
from quadrat.occurrence.predictor import OccurrencePredictor
from quadrat.predictors import load_run
from quadrat.runs import Run, read_json, write_json
from quadrat.worlds.planet import PlanetWorld
from tests.ensemble.runs import ensemble_of
from tests.ensemble.species.conftest import Train
from tests.ensemble.test_training import made

LAT, LON = np.array([47.0, -10.0, 0.0]), np.array([8.0, 120.0, -60.0])


def told(run: Run, week: Any) -> np.ndarray:
    return load_run(run.folder).predictor.probabilities(LAT, LON, week).astype(np.float64)


def copied(run: Run, folder: Path) -> Run:
    shutil.copytree(run.folder, folder)
    return Run(folder)


def as_calibrated(run: Run, mean: np.ndarray) -> np.ndarray:
    curves = load_run(run.folder).predictor.calibration
    return expit(curves.slope * logit(mean) + curves.offset)


@pytest.mark.parametrize(("method", "shares"), [("mean", [0.5, 0.5]), ("weighted", [0.75, 0.25])])
def test_answers_are_the_mean_of_the_members_calibrated_once_more(
    networks: list[Run], tmp_path: Path, method: str, shares: list[float]
):
    weights = [{"weight": share * 2} if method == "weighted" else {} for share in shares]
    members = [{"run": one, **more} for one, more in zip(networks, weights, strict=True)]
    run = made(ensemble_of(*members, method=method), tmp_path)
    week = np.array([3, 20, 48])
    mean = sum(s * told(one, week) for s, one in zip(shares, networks, strict=True))
    np.testing.assert_allclose(told(run, week), as_calibrated(run, mean), rtol=1e-3)
    weekly = np.stack([told(run, one) for one in range(1, 49)])
    np.testing.assert_allclose(told(run, 0), weekly.max(axis=0), rtol=1e-5)
    assert read_json(run.path("model.json"))["kind"] == "occurrence-ensemble"
    beside = {"prevalence", "seasonal", "best_member"}
    beside |= {"members_mean"} if method == "weighted" else set()
    assert set(run.metrics()["baselines"]) == beside


@pytest.mark.parametrize("test", [0.0, 0.1])
def test_a_run_with_itself_is_judged_as_it_was_alone(train: Train, tmp_path: Path, test: float):
    """Also where judged cells fitted the curves: those of the other folds answer them."""
    one = train(f"alone-{test}", seed=9, split={"test": test})
    run = made(ensemble_of(one, copied(one, tmp_path / "twin")), tmp_path / "out")
    found, expected = run.metrics(), one.metrics()
    for name in ("map", "brier", "log_loss", "f1_10", "ece"):
        before = found["raw"].get(name, found["scores"][name])
        assert before == pytest.approx(expected["scores"][name], rel=1e-4), name
    ranked = found["scores"]["macro_ap"], expected["scores"]["macro_ap"]
    if test:
        assert ranked[0] == pytest.approx(ranked[1], rel=1e-6)
    else:  # cells of several folds, and so of several curves, are ranked together
        assert ranked[1] - 0.03 < ranked[0] < ranked[1]
    assert found["baselines"]["best_member"]["map"] == expected["scores"]["map"]
    assert found["baselines"]["seasonal"]["map"] == expected["baselines"]["seasonal"]["map"]
    assert found["protocol"]["judged"] == ("test" if test else "validation")


def test_weights_are_fitted_to_validation_cells_where_test_cells_judge(
    train: Train, tmp_path: Path
):
    split = {"test": 0.2}
    good = train("good", seed=3, split=split, optimiser={"epochs": 3})
    poor = train("poor", seed=4, split=split, optimiser={"learning_rate": 1e-5})
    run = made(ensemble_of(good, poor, method="weighted"), tmp_path / "out")
    weights = read_json(run.path("model.json"))["weights"]
    assert sum(weights) == pytest.approx(1.0)
    assert weights[0] > 0.8
    metrics = run.metrics()
    assert metrics["scores"]["log_loss"] < metrics["baselines"]["members_mean"]["log_loss"]
    mean = weights[0] * told(good, 30) + weights[1] * told(poor, 30)
    np.testing.assert_allclose(told(run, 30), as_calibrated(run, mean), rtol=1e-3)
    assert family.evaluate(run, None) == metrics


def test_an_ensemble_is_evaluated_again_from_its_folder(networks: list[Run], tmp_path: Path):
    run = made(ensemble_of(*networks, copy=True), tmp_path / "out")
    metrics = run.metrics()
    shutil.move(run.folder, tmp_path / "moved")
    again = family.evaluate(Run(tmp_path / "moved"), None, tmp_path / "told")
    assert again == metrics
    assert {path.name for path in (tmp_path / "told").iterdir()} == {
        "species.parquet",
        "cells.parquet",
        "reliability.json",
    }
    ensemble = family.load(tmp_path / "moved")
    ensemble.save(tmp_path / "saved")
    np.testing.assert_array_equal(
        told(Run(tmp_path / "saved"), 7), told(Run(tmp_path / "moved"), 7)
    )


def test_the_environment_is_that_of_the_members_who_read_it(networks: list[Run], tmp_path: Path):
    run = made(ensemble_of(*networks), tmp_path)
    predictor, reader = load_run(run.folder).predictor, load_run(networks[1].folder).predictor
    given = {"temperature_c": np.array([-20.0, -20.0, -20.0])}
    own = reader.probabilities(LAT, LON, 20, given).astype(np.float64)
    mean = (told(networks[0], 20) + own) / 2
    found = predictor.probabilities(LAT, LON, 20, given)
    np.testing.assert_allclose(found, as_calibrated(run, mean), rtol=1e-3)
    places = pl.DataFrame({"lat": LAT, "lon": LON, "week": [20] * 3, **given})
    np.testing.assert_array_equal(predictor.predict(places).probabilities, found)
    with pytest.raises(UsageError, match=r"no member knows .* 'temperature'.*temperature_c"):
        predictor.probabilities(LAT, LON, 20, {"temperature": LAT})


def test_species_may_stand_in_another_order(networks: list[Run], tmp_path: Path):
    turned = copied(networks[0], tmp_path / "turned")
    predictor = OccurrencePredictor.load(turned.folder, device="cpu")
    order = np.arange(len(predictor.vocabulary))[::-1].copy()
    _reorder(turned, order)
    np.testing.assert_allclose(told(turned, 5)[:, ::-1], told(networks[0], 5), rtol=1e-5)
    run = made(ensemble_of(networks[0], turned), tmp_path / "out")
    np.testing.assert_allclose(
        told(run, 5), as_calibrated(run, told(networks[0], 5)), rtol=1e-3, atol=1e-7
    )
    predictor = load_run(run.folder).predictor
    column = predictor.vocabulary.find(predictor.vocabulary.codes[3])
    alone = predictor.probabilities(LAT, LON, 5, columns=[column])
    np.testing.assert_allclose(alone[:, 0], told(run, 5)[:, 3], rtol=1e-5)


def _reorder(run: Run, order: np.ndarray) -> None:
    """The same run with its species in another order."""
    from safetensors.numpy import load_file, save_file

    path = run.path("folds/0/model.safetensors")
    tensors = load_file(path)
    for name in ("species.weight", "species.bias"):
        tensors[name] = np.ascontiguousarray(tensors[name][order])
    save_file(tensors, path)
    lines = run.path("labels.txt").read_text().splitlines()
    run.path("labels.txt").write_text("".join(f"{lines[place]}\n" for place in order))
    species = pl.read_parquet(run.path("species.parquet"))[order.tolist()]
    species.write_parquet(run.path("species.parquet"))
    with np.load(run.path("calibration.npz")) as file:
        arrays = {name: file[name][order] for name in file.files}
    np.savez(run.path("calibration.npz"), **arrays)


def test_other_species_cells_and_records_are_refused(
    networks: list[Run], train: Train, planet: PlanetWorld, tmp_path: Path
):
    fewer = train("fewer", labels={"max_species": 10})
    with pytest.raises(DataError, match=r"fewer: 8 species it does not know \("):
        made(ensemble_of(networks[0], fewer), tmp_path)
    other = train("other", split={"seed": 7})
    report = family.check(ensemble_of(networks[0], other))
    assert "other: its train cells are others" in report.errors[0]
    swapped = {"week_1": pl.col("week_30"), "week_30": pl.col("week_1")}
    pl.read_parquet(planet.table).with_columns(**swapped).write_parquet(
        tmp_path / "records.parquet"
    )
    changed = train("changed", data={"table": str(tmp_path / "records.parquet")})
    with pytest.raises(DataError, match="changed: other species were seen in the judged cells"):
        made(ensemble_of(networks[0], changed), tmp_path)


def test_keys_and_runs_that_do_not_go_with_species_are_told(networks: list[Run], tmp_path: Path):
    asked = {"run": networks[0], "targets": ["a"]}
    keys: dict[str, Any] = {"jit": True, "drop_broken": True, "predict_size": 64}
    report = family.check(ensemble_of(asked, networks[1], **keys))
    for key in (*(f"combine.{key}" for key in keys), "member.0.targets"):
        assert f"{key}: " in report.errors[0]
    with pytest.raises(DataError, match="weights cannot be fitted to the validation cells"):
        made(ensemble_of(*networks, method="weighted"), tmp_path)
    imported = copied(networks[1], tmp_path / "imported")
    write_json(imported.path("status.json"), {"state": "imported"})
    with pytest.raises(DataError, match="'imported' was imported"):
        made(ensemble_of(networks[0], imported), tmp_path)


def test_a_member_is_trained_with_the_ensemble(networks: list[Run], tmp_path: Path):
    (tmp_path / "again.toml").write_text(networks[0].experiment().to_toml())
    document = {
        "family": "ensemble",
        "member": [
            {"run": str(networks[1].folder)},
            {"experiment": str(tmp_path / "again.toml")},
        ],
        "score": {"bootstrap": 0},
    }
    run = made(parse(document), tmp_path / "out")
    trained = Run(run.folder / "members" / "1")
    np.testing.assert_array_equal(told(trained, 9), told(networks[0], 9))
    mean = (told(networks[0], 9) + told(networks[1], 9)) / 2
    np.testing.assert_allclose(told(run, 9), as_calibrated(run, mean), rtol=1e-3)


def test_what_could_not_be_combined_is_not_trained(
    networks: list[Run], runs: list[Run], tmp_path: Path
):
    (tmp_path / "again.toml").write_text(networks[0].experiment().to_toml())
    due = {"experiment": str(tmp_path / "again.toml")}
    asked = {"family": "ensemble", "combine": {"jit": True}}
    report = family.check(parse({**asked, "member": [due, {"run": str(networks[1].folder)}]}))
    assert [line.partition(": ")[0] for line in report.errors] == ["combine.jit"]
    fitted = {**asked, "combine": {"method": "weighted"}}
    report = family.check(parse({**fitted, "member": [due, {"run": str(networks[1].folder)}]}))
    (error,) = report.errors
    assert "weights cannot be fitted to the validation cells" in error
    report = family.check(parse({**asked, "member": [due, {"run": str(runs[0].folder)}]}))
    assert report.errors == ["members of several families: occurrence, photos"]


def test_photos_and_species_are_not_combined(networks: list[Run], runs: list[Run]):
    report = family.check(ensemble_of(networks[0], runs[0]))
    assert "runs of several families: occurrence, photos" in report.errors[0]


def test_a_member_of_other_species_is_never_asked(networks: list[Run], tmp_path: Path):
    members = [copied(one, tmp_path / one.folder.name) for one in networks]
    run = made(ensemble_of(*members), tmp_path / "out")
    labels = members[1].path("labels.txt")
    first, *rest = labels.read_text().splitlines()
    labels.write_text("\n".join([first.replace(first[:3], "zzz", 1), *rest]) + "\n")
    with pytest.raises(RunError, match=r"'altitude' of .* knows other species"):
        family.load(run.folder)
