"""Ensembles of small photos runs: scores against the members' own files, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from quadrat.ensemble import family
from quadrat.ensemble.schema import EnsembleExperiment
from quadrat.errors import DataError, RunError
from quadrat.predictors import load_run
from quadrat.runs import Run, read_json, write_json
from quadrat.scoring import weighted_r2
from tests.ensemble.runs import ensemble_of, train_run
from tests.photos.small import table

TARGETS = ["green_g", "dead_g", "total_g"]


def made(experiment: EnsembleExperiment, out: Path) -> Run:
    run = Run.create(out, experiment)
    family.train(run.experiment(), run, history=run.history())
    return run


def wide(run: Run, column: str) -> np.ndarray:
    oof = pl.read_parquet(run.path("oof.parquet"))
    return (
        oof.pivot("target", index="sample", values=column).sort("sample").select(TARGETS).to_numpy()
    )


def test_out_of_fold_answers_are_the_mean_of_the_members_balanced_once(
    runs: list[Run], tmp_path: Path
):
    run = made(ensemble_of(*runs[:2]), tmp_path)
    raw, balanced = wide(run, "raw"), wide(run, "balanced")
    np.testing.assert_allclose(raw, (wide(runs[0], "raw") + wide(runs[1], "raw")) / 2)
    np.testing.assert_allclose(balanced[:, 2], balanced[:, 0] + balanced[:, 1])
    assert not np.allclose(raw[:, 2], raw[:, 0] + raw[:, 1], atol=1e-3)
    spread = np.square([wide(one, "sigma") for one in runs[:2]]).mean(axis=0)
    between = np.var([wide(one, "raw") for one in runs[:2]], axis=0)
    np.testing.assert_allclose(wide(run, "sigma"), np.sqrt(spread + between))
    assert (wide(run, "lower") <= wide(run, "upper")).all()


def test_metrics_are_those_of_any_photos_run(runs: list[Run], tmp_path: Path):
    run = made(ensemble_of(*runs[:2]), tmp_path)
    metrics, member = run.metrics(), runs[0].metrics()
    assert set(metrics) == set(member)
    assert set(metrics["scores"]) == set(member["scores"])
    scored = weighted_r2(wide(run, "truth"), wide(run, "balanced"), np.ones(3))
    assert metrics["scores"]["weighted_r2"] == pytest.approx(scored)
    for name in ("mean", "metadata"):
        assert metrics["baselines"][name] == pytest.approx(member["baselines"][name])
    best = max(one.metrics()["scores"]["weighted_r2"] for one in runs[:2])
    assert metrics["baselines"]["best_member"]["weighted_r2"] == pytest.approx(best)
    low, high = metrics["intervals"]["weighted_r2"]
    assert low < high
    assert metrics["protocol"]["members"] == 2
    assert metrics["protocol"]["sizes"] == member["protocol"]["sizes"]
    assert family.evaluate(run, None) == metrics


def test_fitted_weights_are_judged_on_groups_that_did_not_fit_them(runs: list[Run], tmp_path: Path):
    run = made(ensemble_of(*runs, method="weighted"), tmp_path)
    weights = read_json(run.path("model.json"))["weights"]
    assert set(weights) == set(TARGETS)
    for values in weights.values():
        assert sum(values) == pytest.approx(1.0)
        assert min(values) >= 0.0
    means = np.stack([wide(one, "raw") for one in runs])
    fitted = np.array([weights[name] for name in TARGETS]).T
    flattering = np.square((fitted[:, None, :] * means).sum(axis=0) - wide(run, "truth")).mean()
    honest = np.square(wide(run, "raw") - wide(run, "truth")).mean()
    assert flattering < honest
    metrics = run.metrics()
    plain = metrics["baselines"]["members_mean"]["weighted_r2"]
    told = any(
        "do not beat the plain mean" in w for w in read_json(run.path("check.json"))["warnings"]
    )
    assert told == (metrics["scores"]["weighted_r2"] <= plain)
    np.testing.assert_allclose(
        plain, made(ensemble_of(*runs), tmp_path).metrics()["scores"]["weighted_r2"]
    )


def test_weights_that_do_not_beat_the_plain_mean_are_told(runs: list[Run], tmp_path: Path):
    copy = Run(tmp_path / "copy")
    shutil.copytree(runs[0].folder, copy.folder)
    run = made(ensemble_of(runs[0], copy, method="weighted"), tmp_path / "out")
    warnings = read_json(run.path("check.json"))["warnings"]
    assert any("do not beat the plain mean" in line for line in warnings)
    assert any("does not beat its best member" in line for line in warnings)


def test_given_weights_count_by_target(runs: list[Run], tmp_path: Path):
    first = {"run": runs[0], "weight": {"green_g": 3.0, "total_g": 1.0}}
    run = made(ensemble_of(first, {"run": runs[1], "weight": 1.0}, method="weighted"), tmp_path)
    one, other = wide(runs[0], "raw"), wide(runs[1], "raw")
    expected = [0.75, 0.0, 0.5] * one + [0.25, 1.0, 0.5] * other
    np.testing.assert_allclose(wide(run, "raw"), expected)


def test_the_median_of_members_that_are_asked(runs: list[Run], tmp_path: Path):
    asked = {"run": runs[2], "targets": ["green_g"]}
    run = made(ensemble_of(runs[0], runs[1], asked, method="median"), tmp_path)
    each = np.stack([wide(one, "raw") for one in runs])
    found = wide(run, "raw")
    np.testing.assert_allclose(found[:, 0], np.median(each[:, :, 0], axis=0))
    np.testing.assert_allclose(found[:, 1:], each[:2, :, 1:].mean(axis=0))
    assert np.isnan(wide(run, "sigma")[:, 0]).all()
    assert not np.isnan(wide(run, "sigma")[:, 1:]).any()


def test_members_without_skill_are_told_and_dropped_by_choice(runs: list[Run], tmp_path: Path):
    broken = Run(tmp_path / "broken")
    shutil.copytree(runs[2].folder, broken.folder)
    values = broken.metrics()
    for scores in values["per_target"].values():
        scores["r2"] = -0.5
    write_json(broken.path("metrics.json"), values)
    kept = made(ensemble_of(*runs[:2], broken), tmp_path / "out")
    warnings = read_json(kept.path("check.json"))["warnings"]
    assert any("broken is worse than the mean" in line for line in warnings)
    assert len(read_json(kept.path("model.json"))["members"]) == 3
    dropped = made(ensemble_of(*runs[:2], broken, drop_broken=True), tmp_path / "out")
    assert len(read_json(dropped.path("model.json"))["members"]) == 2
    np.testing.assert_allclose(
        wide(dropped, "raw"), (wide(runs[0], "raw") + wide(runs[1], "raw")) / 2
    )
    with pytest.raises(DataError, match="fewer than two members are left"):
        made(ensemble_of(runs[0], broken, drop_broken=True), tmp_path / "out")


def test_other_folds_of_the_same_groups_are_combined_and_told(runs: list[Run], tmp_path: Path):
    folder = runs[0].folder.parent
    other = train_run(folder, "seed7", split={"seed": 7})
    run = made(ensemble_of(runs[0], other), tmp_path)
    np.testing.assert_allclose(wide(run, "raw"), (wide(runs[0], "raw") + wide(other, "raw")) / 2)
    warnings = read_json(run.path("check.json"))["warnings"]
    assert any("different folds of the same groups" in line for line in warnings)


def test_other_groups_are_refused(runs: list[Run]):
    folder = runs[0].folder.parent
    random = train_run(folder, "random", split={"kind": "random", "by": []})
    report = family.check(ensemble_of(runs[0], random))
    assert "parted by other groups" in report.errors[0]
    with pytest.raises(DataError, match="answers to different questions"):
        made(ensemble_of(runs[0], random), folder / "out")


def test_other_samples_truth_balance_and_targets_are_refused(runs: list[Run], tmp_path: Path):
    fewer = train_run(tmp_path, "fewer", table().head(45))
    with pytest.raises(DataError, match=r"3 held-out samples are missing \('photos/45.png'"):
        made(ensemble_of(runs[0], fewer), tmp_path / "out")
    (tmp_path / "b").mkdir()
    doubled = table().with_columns(pl.col("green_g", "dead_g", "total_g") * 2)
    with pytest.raises(DataError, match="144 true values differ"):
        made(ensemble_of(runs[0], train_run(tmp_path / "b", "x", doubled)), tmp_path / "out")
    (tmp_path / "c").mkdir()
    free = train_run(tmp_path / "c", "free", balance_method={"kind": "none"})
    with pytest.raises(DataError, match=r"(?s)obey other identities.*free: none \(none\)"):
        made(ensemble_of(runs[0], free), tmp_path / "out")
    with pytest.raises(DataError, match="'dead' is no target of this run"):
        made(ensemble_of(runs[0], {"run": runs[1], "targets": ["dead"]}), tmp_path / "out")


def test_errors_of_the_same_fold_decide_how_it_is_balanced(tmp_path: Path):
    keys = {"balance_method": {"kind": "project-covariance"}, "split": {"inner": 0.3}}
    keys["run"] = {"refit": True}  # then the networks that answer are not those of the folds
    members = [train_run(tmp_path, name, **keys) for name in ("a", "b")]
    run = made(ensemble_of(*members), tmp_path / "out")
    np.testing.assert_allclose(wide(run, "balanced"), wide(members[0], "balanced"))
    truth = tmp_path / "train.parquet"
    answers = [load_run(one.folder).predictor.predict(truth) for one in (run, members[0])]
    np.testing.assert_allclose(answers[0].balanced, answers[1].balanced)
    other = train_run(tmp_path, "c", **{**keys, "split": {"inner": 0.3, "seed": 5}})
    with pytest.raises(DataError, match="needs members with the same folds"):
        made(ensemble_of(members[0], other), tmp_path / "out")


def test_an_unfinished_run_and_another_family_are_named(runs: list[Run], tmp_path: Path):
    bare = Run(tmp_path / "bare")
    bare.write_experiment(runs[0].experiment())
    inner = made(ensemble_of(*runs[:2]), tmp_path)
    report = family.check(ensemble_of(runs[0], bare, inner))
    assert "bare has no metrics.json" in report.errors[0]
    assert "it is of the family 'ensemble'" in report.errors[0]
    assert family.check(ensemble_of(*runs)).ok


def test_a_table_with_truth_is_scored(runs: list[Run], tmp_path: Path):
    run = made(ensemble_of(*runs[:2], jit=True), tmp_path)
    path = runs[0].folder.parent / "train.parquet"
    metrics = family.evaluate(run, path)
    assert metrics["protocol"]["seen_in_training"] == 48
    assert set(metrics["baselines"]) == {"mean", "photo_alone"}
    answers = load_run(run.folder).predictor.predict(path)
    truth = table().select(TARGETS).to_numpy()
    scored = weighted_r2(truth, answers.balanced, np.ones(3))
    assert metrics["scores"]["weighted_r2"] == pytest.approx(scored)


def test_a_run_of_another_family_is_no_ensemble(runs: list[Run]):
    with pytest.raises(RunError, match="family 'photos'"):
        family.load(runs[0].folder)


def test_baselines_of_members_tell_a_spread_as_the_ensemble_does(runs: list[Run], tmp_path: Path):
    score = {"primary": "crps"}
    metrics = made(ensemble_of(*runs[:2], method="median", score=score), tmp_path).metrics()
    own = [one.metrics()["scores"]["crps"] for one in runs[:2]]
    assert metrics["primary"] == "crps"
    assert metrics["baselines"]["best_member"]["crps"] == pytest.approx(min(own))
    assert metrics["baseline_intervals"]["members_mean"]["crps"][0] > 0
