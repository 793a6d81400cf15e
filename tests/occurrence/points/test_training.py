from __future__ import annotations

import shutil

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from quadrat.engine import Progress, report_progress
from quadrat.errors import DataError, RunError, Stopped, UsageError
from quadrat.occurrence import family
from quadrat.occurrence.points.data import prepare
from quadrat.occurrence.points.ensemble import PointEnsemble
from quadrat.occurrence.points.learnt import held_out_importance
from quadrat.occurrence.points.table import read_covariates
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
    "sites.parquet",
    "importance.parquet",
    "response.parquet",
    "check.json",
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


def test_what_is_found_in_the_data_is_kept_and_told(points, tmp_path):
    made = points(
        {"models": ["logistic"], "block": 60.0, "background": "random", "min_records": 30}
        | {"covariates": ["x", "y"], "categorical": None, "background_points": 500}
    )

    class Told(Progress):
        def warn(self, message):
            heard.append(message)

    heard: list[str] = []
    run = Run.create(tmp_path, made)
    with report_progress(Told()):
        train(made, run, history=run.history())
    kept = read_json(run.path("check.json"))
    assert kept == family.check(made).to_dict()
    assert heard == kept["warnings"] and len(heard) == 2


def test_one_rare_species_is_spoken_of_in_the_singular(points, region, tmp_path):
    records = pl.read_csv(region.records)
    lonely = records.head(1).with_columns(species=pl.lit("lonely"))
    pl.concat([records, lonely]).write_csv(tmp_path / "records.csv")
    report = family.check(points(data={"points": str(tmp_path / "records.csv")}))
    assert "1 species was seen at fewer than 5 sites: lonely" in report.warnings
    assert report.facts["covariates"] == "2 numbers, 1 category"


def test_sites_are_kept_with_their_folds(trained, points):
    data, sites = prepare(points()), pl.read_parquet(trained.path("sites.parquet"))
    assert sites.columns == ["x", "y", "fold", "block", "species"]
    np.testing.assert_array_equal(sites["fold"], data.folds.fold)
    np.testing.assert_array_equal(sites.select("x", "y"), data.sites.place)
    np.testing.assert_array_equal(sites["species"], np.nansum(data.sites.labels, axis=1))
    assert sites.group_by("block").agg(pl.col("fold").n_unique())["fold"].max() == 1


def test_importance_is_judged_on_sites_that_were_not_learnt(points):
    """A model of a fold that knows nothing loses nothing, whatever the others know."""
    data, section = prepare(points()), points().points

    class Knows:
        def __init__(self, column):
            self.column = column

        def answers(self, covariates, species):
            values = covariates.numbers[:, self.column].astype(np.float32)
            return np.tile(values[:, None], (1, len(species)))

    class Ignorant:
        def answers(self, covariates, species):
            return np.full((len(covariates), len(species)), 0.5, np.float32)

    found = held_out_importance(section, data, [Ignorant()] * 3, seed=1)
    assert found["drop"].to_list() == [0.0, 0.0, 0.0]
    found = held_out_importance(section, data, [Knows(0), Ignorant(), Ignorant()], seed=1)
    own = found.filter(pl.col("column") == "temperature_c").row(0, named=True)
    others = found.filter(pl.col("column") != "temperature_c")
    assert others["drop"].to_list() == [0.0, 0.0]
    # The mean of d, 0 and 0 is d / 3, and their standard deviation |d| / √3.
    assert own["drop"] != 0.0
    assert own["sd"] == pytest.approx(abs(own["drop"]) * np.sqrt(3))


def test_curves_are_of_the_most_recorded_species(trained):
    species = pl.read_parquet(trained.path("species.parquet"))
    common = species.sort("n_train", descending=True, maintain_order=True)["code"].to_list()[:3]
    table = pl.read_parquet(trained.path("response.parquet"))
    assert table["species"].unique(maintain_order=True).to_list() == common
    assert table["covariate"].n_unique() == 3


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
    bins = read_json(run.path("reliability.json"))
    fold = pl.read_parquet(run.path("sites.parquet"))["fold"].to_numpy()
    truth, told = pl.read_csv(region.surveys), []
    for number in range(3):
        model = PointEnsemble.load(run.path(f"folds/{number}"))
        own = read_covariates(truth.filter(fold == number), made.points, region.surveys)
        told.append(model.answers(own))
    seen = np.concatenate([truth.filter(fold == n).select(region.codes) for n in range(3)])
    assert sum(bins["count"]) == seen.size
    bins_of = np.histogram(np.concatenate(told), bins["edges"])[0]
    np.testing.assert_allclose(bins["count"], bins_of, atol=2)
    present = np.nan_to_num(np.array(bins["frequency"], float)) @ np.array(bins["count"])
    assert present == pytest.approx(seen.sum())
    family.evaluate(run, region.surveys, tmp_path / "again")
    again = read_json(tmp_path / "again" / "reliability.json")
    assert sum(again["count"]) == seen.size and again["count"] != bins["count"]
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
