"""What the verbs ask of the photos family, on a rendered pasture."""

from __future__ import annotations

import tomllib
from pathlib import Path

import polars as pl
import pytest

from quadrat.errors import DataError, RunError
from quadrat.experiment import parse
from quadrat.photos import family
from quadrat.photos.schema import PhotosExperiment
from quadrat.recipes import recipe_text
from quadrat.runs import Run
from quadrat.worlds.pasture import PastureWorld
from tests.photos.small import small


def recipe(world: PastureWorld, *overrides: str) -> PhotosExperiment:
    parsed = parse(
        tomllib.loads(recipe_text("pasture-frozen")),
        [
            f"data.table={world.train}",
            f"data.test={world.test}",
            f"data.sample_submission={world.sample_submission}",
            "encoder.name=timm:test_efficientnet",
            "encoder.weights=none",
            "views.size=32",
            "split.folds=2",
            "optimiser.epochs=2",
            "score.bootstrap=20",
            "run.device=cpu",
            *overrides,
        ],
    )
    assert isinstance(parsed, PhotosExperiment)
    return parsed


@pytest.fixture(scope="module")
def run(pasture: PastureWorld, tmp_path_factory: pytest.TempPathFactory) -> Run:
    given = recipe(pasture)
    made = Run.create(tmp_path_factory.mktemp("runs"), given)
    family.train(given, made, history=made.history())
    return made


def test_a_check_tells_what_training_would_meet(pasture: PastureWorld):
    report = family.check(recipe(pasture))
    assert report.ok
    assert report.facts["table"] == "36 samples, 36 photos"
    assert report.facts["test"] == "4 samples, 4 photos"
    assert report.facts["photos to encode"].startswith("40,")
    assert "2 folds over 12 groups" in report.facts["split"]
    assert "MB" in report.facts["feature cache"]
    assert "Targets in training and held-out part" in report.tables
    assert any("photo_alone" in line for line in report.warnings)


def test_a_check_counts_what_is_kept_before_the_blocks_that_learn(pasture: PastureWorld):
    keys = ("encoder.name=timm:test_vit", "encoder.weights=none", "encoder.train_last_blocks=1")
    facts = family.check(recipe(pasture, *keys, "views.size=32")).facts
    assert "M learn), 32 × 32 pixels" in facts["encoder"]
    looks = int(facts["photos to encode"].partition(",")[0])
    # Four places and the class token, each of 64 numbers of four bytes.
    assert facts["feature cache"] == f"{1e-6 * looks * 5 * 64 * 4:,.1f} MB"


def test_a_check_lists_errors_instead_of_raising(pasture: PastureWorld, tmp_path: Path):
    report = family.check(recipe(pasture, f"data.image_root={tmp_path}"))
    assert not report.ok
    assert "36 of 36 photos cannot be read" in report.errors[0]
    report = family.check(recipe(pasture, "score.primary=f1_10"))
    assert "'f1_10' is not computed for photos" in report.errors[0]


def test_a_check_of_features_computed_elsewhere_needs_no_photos(tmp_path: Path):
    report = family.check(small(tmp_path))
    assert report.ok
    assert "length 12" in report.facts["encoder"]


def test_a_run_is_evaluated_again_to_the_same_metrics(run: Run):
    assert family.evaluate(run, None) == run.metrics()


def test_a_table_with_truth_is_evaluated(run: Run, pasture: PastureWorld):
    before = run.path("metrics.json").read_bytes()
    metrics = family.evaluate(run, pasture.truth)
    assert metrics["protocol"]["samples"] == 4
    assert metrics["protocol"]["seen_in_training"] == 0
    assert set(metrics["baselines"]) == {"mean", "photo_alone"}
    assert "rmse" in metrics["scores"]
    assert run.path("metrics.json").read_bytes() == before


def test_training_rows_among_the_evaluated_are_told(run: Run, pasture: PastureWorld):
    metrics = family.evaluate(run, pasture.train)
    assert metrics["protocol"]["seen_in_training"] == 36
    assert "the scores flatter" in metrics["protocol"]["words"]
    assert metrics["protocol"]["by"] == ["State", "Sampling_Date"]


def test_a_table_without_truth_cannot_be_evaluated(run: Run, pasture: PastureWorld):
    with pytest.raises(DataError, match="no target is known"):
        family.evaluate(run, pasture.test)


def test_a_run_that_is_not_finished_cannot_be_evaluated(pasture: PastureWorld, tmp_path: Path):
    made = Run.create(tmp_path, recipe(pasture))
    with pytest.raises(RunError, match=r"has no metrics\.json"):
        family.evaluate(made, None)


def test_the_submission_has_the_ids_of_the_sample(run: Run, pasture: PastureWorld):
    submission = pl.read_csv(run.path("submission.csv"))
    sample = pl.read_csv(pasture.sample_submission)
    assert submission.columns == sample.columns
    assert submission["sample_id"].to_list() == sample["sample_id"].to_list()
    assert (submission["target"] >= 0).all()


def test_the_loaded_model_predicts_what_the_run_wrote(run: Run, pasture: PastureWorld):
    written = pl.read_parquet(run.path("predictions.parquet"))
    found = family.load(run.folder).predict(pasture.test).frame()
    assert found.equals(written, null_equal=True)


def test_a_broken_photo_stops_the_training_before_it_begins(tmp_path: Path):
    given = small(
        tmp_path,
        encoder={"name": "timm:test_efficientnet", "weights": "none", "rows": None},
        data={"test": None},
    )
    run = Run.create(tmp_path / "runs", given)
    with pytest.raises(DataError, match="48 of 48 photos cannot be read"):
        family.train(given, run, history=run.history())
