from __future__ import annotations

import shutil

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from quadrat.errors import DataError, RunError, Stopped, UsageError
from quadrat.occurrence import family
from quadrat.occurrence.points.training import train
from quadrat.predictors import load_run
from quadrat.runs import Run, read_json
from quadrat.workflow.places import species_list

FILES = {
    "experiment.toml",
    "history.jsonl",
    "metrics.json",
    "model.json",
    "preprocessing.json",
    "labels.txt",
    "species.parquet",
    "folds",
    "refit",
}


def test_a_run_folder_holds_what_it_promises(trained):
    assert {path.name for path in trained.folder.iterdir()} == FILES
    assert read_json(trained.path("model.json"))["kind"] == "occurrence-points"
    assert {record["fold"] for record in trained.history().records()} == {0, 1, 2}
    assert 1 <= read_json(trained.path("preprocessing.json"))["epochs"] <= 12
    metrics = trained.metrics()
    assert metrics["primary"] == "macro_auc" and len(metrics["folds"]) == 3
    assert set(metrics["per_target"]) == {"bird", "plant"}
    low, high = metrics["intervals"]["macro_auc"]
    assert low <= metrics["scores"]["macro_auc"] <= high
    assert metrics["baselines"]["no_skill"]["macro_auc"] == 0.5
    assert metrics["scores"]["macro_auc"] > 0.6
    species = pl.read_parquet(trained.path("species.parquet"))
    assert species["auc"].mean() == pytest.approx(metrics["scores"]["macro_auc"])
    assert str(trained.folder.parent) not in trained.path("metrics.json").read_text()


def test_surveys_are_predicted(trained, region):
    """AUC by scikit-learn, from what the predictor answers; the truth bounds it."""
    found = family.evaluate(trained, region.surveys)
    surveys = pl.read_csv(region.surveys)
    answers = load_run(trained.folder).predict(region.surveys)
    assert answers.columns[:5] == ["x", "y", "temperature_c", "rain_mm", "soil"]
    codes = trained.path("labels.txt").read_text().split()[::3]
    aucs = [roc_auc_score(surveys[code], answers[code]) for code in codes]
    assert found["scores"]["macro_auc"] == pytest.approx(np.mean(aucs))
    known = [
        roc_auc_score(surveys[c], region.survey_chances[:, region.codes.index(c)]) for c in codes
    ]
    assert 0.7 < np.mean(aucs) < np.mean(known)
    assert found["protocol"]["judged"] == "table" and found["folds"] == []


def test_target_groups_see_through_the_road(trained, points, region, tmp_path):
    keys = {"background": "random", "background_table": str(region.background)}
    made = points(keys, score={"baselines": False, "bootstrap": 0})
    run = Run.create(tmp_path, made)
    train(made, run, history=run.history())
    assert not run.path("refit/baseline").exists()
    drawn = family.evaluate(run, region.surveys)["scores"]["macro_auc"]
    assert family.evaluate(trained, region.surveys)["scores"]["macro_auc"] > drawn + 0.02
    told = (run.metrics(), family.evaluate(run, region.surveys), trained.metrics())
    assert ["resample" in metrics["protocol"]["words"] for metrics in told] == [False, False, True]
    assert family.evaluate(run, None) == run.metrics()


def test_evaluating_again_gives_the_same_scores(trained):
    assert family.evaluate(trained, None) == trained.metrics()


def test_the_same_run_gives_the_same_bytes_even_if_it_was_stopped(
    trained, points, tmp_path, monkeypatch
):
    from quadrat.engine import training as loop

    made = points()
    run = Run.create(tmp_path, made)
    steps = iter(range(10**6))
    with monkeypatch.context() as patch:
        patch.setattr(loop, "stop_requested", lambda: next(steps) == 40)
        with pytest.raises(Stopped):
            train(made, run, history=run.history())
    assert not run.path("metrics.json").exists()
    train(made, run, history=run.history())
    for name in ("metrics.json", "refit/network.safetensors", "refit/forest.safetensors"):
        assert run.path(name).read_bytes() == trained.path(name).read_bytes(), name


def test_surveys_can_be_learnt(points, region, tmp_path):
    keys = {
        "kind": "presence-absence",
        "group": None,
        "species_columns": list(region.codes),
        "models": ["forest", "network", "logistic"],
    }
    made = points(keys, data={"points": str(region.surveys)}, score={"primary": "brier"})
    run = Run.create(tmp_path, made)
    metrics = train(made, run, history=run.history())
    assert metrics["higher_is_better"] is False
    assert metrics["scores"]["brier"] < metrics["baselines"]["no_skill"]["brier"] - 0.03
    answers = load_run(run.folder).predict(region.surveys).select(region.codes).to_numpy()
    share = pl.read_csv(region.surveys).select(region.codes).to_numpy().mean(axis=0)
    np.testing.assert_allclose(answers.mean(axis=0), share, atol=0.06)
    assert np.abs(answers - region.survey_chances).mean() < 0.12
    assert "background" not in metrics["protocol"] or metrics["protocol"]["background"] is None


def test_predictions_need_no_training_data(trained, region, tmp_path):
    predictor = load_run(trained.folder).predictor
    predictor.save(tmp_path / "saved")
    moved = tmp_path / "moved"
    for name in ("model.json", "labels.txt"):
        moved.mkdir(exist_ok=True)
        shutil.copy(trained.path(name), moved / name)
    shutil.copytree(trained.path("refit"), moved / "refit")
    expected = predictor.predict(region.surveys).probabilities
    for folder in (moved, tmp_path / "saved"):
        np.testing.assert_array_equal(
            family.load(folder).predict(region.surveys).probabilities, expected
        )
    with pytest.raises(DataError, match="no column 'soil'"):
        predictor.predict(pl.read_csv(region.surveys).drop("soil"))


def test_check_tells_what_training_would_meet(points):
    report = family.check(points())
    assert not report.errors
    assert "target-group background" in report.facts["sites"]
    assert sum(row["sites"] for row in report.tables["folds"]) > 100
    broken = family.check(points({"covariates": ["elevation"]}))
    assert "no column 'elevation'" in broken.errors[0]


def test_a_primary_score_that_points_do_not_have(points, tmp_path):
    made = points(score={"primary": "map"})
    assert "'map' is not computed from points" in family.check(made).errors[0]
    with pytest.raises(UsageError, match="macro_auc, macro_ap"):
        train(made, Run.create(tmp_path, made), history=Run(tmp_path).history())


def test_a_search_trains_without_a_folder(trained, points):
    made = points()
    seen: list[tuple[int, float]] = []
    score = family.validation_score(
        made, family.prepare(made), report=lambda step, value: seen.append((step, value))
    )
    assert score == pytest.approx(trained.metrics()["scores"]["macro_auc"])
    assert seen == [(12, score)]
    assert family.data_key(made) != family.data_key(points({"min_records": 3}))


def test_maps_need_places_that_covariates_do_not_tell(trained):
    with pytest.raises(RunError, match="trained on points"):
        species_list(trained.folder, lat=1.0, lon=2.0)
