"""Every verb on photos through the real command line, with the files it must leave."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from quadrat.worlds.pasture import PastureWorld
from tests.conftest import Outcome

SMALL = [
    "--set", "views.size=64", "--set", "optimiser.epochs=3", "--set", "split.folds=3",
    "--set", "score.bootstrap=50",
]  # fmt: skip
RUN_FILES = [
    "experiment.toml", "provenance.json", "status.json", "history.jsonl", "metrics.json",
    "preprocessing.json", "model.json", "oof.parquet", "predictions.parquet", "submission.csv",
    "report.html", "card.md", "folds/0/model.safetensors", "folds/2/model.safetensors",
]  # fmt: skip


def settings(world: PastureWorld) -> list[str]:
    return [
        *SMALL,
        "--set", f"data.table={world.train}",
        "--set", f"data.test={world.test}",
        "--set", f"data.sample_submission={world.sample_submission}",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def trained(pasture: PastureWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run for the verbs that ask one."""
    from quadrat import workflow

    overrides = [value for value in settings(pasture) if value != "--set"]
    out = tmp_path_factory.mktemp("runs")
    return workflow.train("pasture-frozen", out=out, overrides=overrides).folder


def test_train_leaves_the_files_of_a_run(
    quadrat: Callable[..., Outcome], pasture: PastureWorld, tmp_path: Path
):
    done = quadrat("train", "pasture-frozen", "--out", tmp_path, *settings(pasture))
    assert done.code == 0, done.err
    run = Path(done.last_line)
    assert run.parent == tmp_path
    for name in RUN_FILES:
        assert (run / name).is_file(), name
    assert any((run / "figures").iterdir())
    assert "fold 2" in done.err, "progress goes to stderr"
    assert json.loads((run / "status.json").read_text())["state"] == "finished"
    assert "weighted_r2" in done.out


def test_a_sample_submission_of_other_rows_shows_before_training(
    quadrat: Callable[..., Outcome], pasture: PastureWorld, tmp_path: Path
):
    other = tmp_path / "other.csv"
    other.write_text("sample_id,target\nnobody__Dry_Green_g,0\n")
    changed = (*settings(pasture), "--set", f"data.sample_submission={other}")
    for done in (
        quadrat("check", "pasture-frozen", *changed),
        quadrat("train", "pasture-frozen", "--out", tmp_path / "runs", *changed),
    ):
        assert done.code == 1
        assert "ask for different rows" in done.err
        assert "fold 0" not in done.err


def test_metrics_have_the_keys_that_are_promised(trained: Path):
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["primary"] == "weighted_r2"
    assert metrics["higher_is_better"] is True
    for key in ("scores", "raw", "baselines", "fold_mean", "fold_sd"):
        assert metrics[key], key
    assert set(metrics["baselines"]) >= {"mean", "metadata"}
    assert len(metrics["folds"]) == 3
    low, high = metrics["intervals"]["weighted_r2"]
    assert low < metrics["scores"]["weighted_r2"] < high
    names = ["weighted_r2", "mean_weighted_r2", "r2", "rmse", "mae"]
    assert set(metrics["scores"]) >= {*names, *(f"{name}_log1p" for name in names)}
    assert set(metrics["per_target"]) >= {"Dry_Green_g", "Dry_Total_g"}
    text = json.dumps(metrics)
    assert str(trained.parent) not in text, "no path in metrics.json"


def test_out_of_fold_predictions_obey_the_identities(trained: Path):
    oof = pl.read_parquet(trained / "oof.parquet")
    assert oof.columns == [
        "sample", "fold", "target", "truth", "raw", "balanced", "sigma", "lower", "upper"
    ]  # fmt: skip
    wide = oof.pivot(on="target", index="sample", values="balanced")
    assert wide.height == 36
    gdm = wide["GDM_g"] - wide["Dry_Green_g"] - wide["Dry_Clover_g"]
    total = wide["Dry_Total_g"] - wide["GDM_g"] - wide["Dry_Dead_g"]
    assert float(gdm.abs().max()) < 1e-6
    assert float(total.abs().max()) < 1e-6
    assert float(oof["balanced"].min()) >= 0


def test_no_group_crosses_a_fold(trained: Path, pasture: PastureWorld):
    groups = pl.read_csv(pasture.train).with_columns(
        pl.col("image_path").str.extract(r"(ID\d+)").alias("id")
    )
    oof = pl.read_parquet(trained / "oof.parquet").with_columns(
        pl.col("sample").str.extract(r"(ID\d+)").alias("id")
    )
    joined = oof.join(groups.unique("id"), on="id")
    per_group = joined.group_by("State", "Sampling_Date").agg(pl.col("fold").n_unique())
    assert per_group["fold"].to_list() == [1] * per_group.height


def test_predict_without_metadata(
    quadrat: Callable[..., Outcome], trained: Path, pasture: PastureWorld, tmp_path: Path
):
    out = tmp_path / "answers.csv"
    done = quadrat("predict", trained, "--data", pasture.test, "--out", out)
    assert done.code == 0, done.err
    assert done.last_line == str(out)
    answers = pl.read_csv(out)
    assert answers.height == 4 * 5
    values = answers.select(pl.col(pl.Float64)).to_numpy()
    assert np.isfinite(values[~np.isnan(values)]).all()


def test_predict_refuses_a_file_that_it_cannot_write_before_it_looks_at_photos(
    quadrat: Callable[..., Outcome], trained: Path, tmp_path: Path
):
    for out, said in (("answers.xlsx", "the suffix must be"), ("", "it is a folder")):
        done = quadrat("predict", trained, "--data", "none.csv", "--out", tmp_path / out)
        assert done.code == 1
        assert said in done.err


def test_evaluate_warns_of_samples_that_were_learnt(
    quadrat: Callable[..., Outcome], trained: Path, pasture: PastureWorld
):
    again = pasture.folder / "train – again.csv"
    again.write_bytes(pasture.train.read_bytes())
    done = quadrat("evaluate", trained, "--data", again)
    assert done.code == 0, done.err
    assert "warning: 36 of 36 samples bear names of the training table" in done.err
    assert (trained / "evaluations" / "train-again" / "metrics.json").is_file()


def test_predict_tells_of_photos_that_are_unlike_the_training_data(
    quadrat: Callable[..., Outcome], trained: Path, tmp_path: Path
):
    noise = np.random.default_rng(0).integers(0, 256, (60, 120, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    pl.DataFrame({"image_path": ["noise.png"]}).write_csv(tmp_path / "odd.csv")
    out = tmp_path / "answers.parquet"
    done = quadrat("predict", trained, "--data", tmp_path / "odd.csv", "--out", out)
    assert done.code == 0, done.err
    assert "1 of 1 samples are unlike the training data" in done.err
    answers = pl.read_parquet(out)
    assert answers["unlike"].all() and (answers["distance"] > 1).all()


def test_explain_leaves_tables_and_sheets(
    quadrat: Callable[..., Outcome], trained: Path, pasture: PastureWorld, tmp_path: Path
):
    out = tmp_path / "why"
    done = quadrat("explain", trained, "--data", pasture.train, "--out", out, "--samples", "2")
    assert done.code == 0, done.err
    named = [Path(line) for line in done.out.splitlines()]
    assert [path.name for path in named[:2]] == ["explanations.csv", "importance.csv"]
    assert len(named) == 4 and all(path.is_file() for path in named)
    for sheet in named[2:]:
        with Image.open(sheet) as picture:
            assert picture.format == "PNG" and picture.width > 600
    told = pl.read_csv(out / "explanations.csv")
    assert told.height == 2 * 5 and told["method"].unique().to_list() == ["gradcam"]
    assert told["centre_x"].is_between(0, 1).all() and (told["least"] <= told["greatest"]).all()
    assert told["truth"].is_not_nan().all()
    importance = pl.read_csv(out / "importance.csv")
    assert set(importance["score"]) == {"weighted_r2"}
    assert (importance["lower"] <= importance["upper"]).all()


def test_explain_needs_a_table_of_photos(
    quadrat: Callable[..., Outcome], trained: Path, tmp_path: Path
):
    done = quadrat("explain", trained, "--out", tmp_path / "why")
    assert done.code == 2
    assert "--data" in done.err


def test_submission_is_checked(
    quadrat: Callable[..., Outcome], trained: Path, pasture: PastureWorld, tmp_path: Path
):
    out = tmp_path / "submission.csv"
    arguments = ["--test", pasture.test, "--like", pasture.sample_submission, "--out", out]
    done = quadrat("submit", trained, *arguments)
    assert done.code == 0, done.err
    submission, sample = pl.read_csv(out), pl.read_csv(pasture.sample_submission)
    assert submission.columns == ["sample_id", "target"]
    assert submission["sample_id"].to_list() == sample["sample_id"].to_list()
    again = quadrat("submit", trained / "predictions.parquet", *arguments)
    assert again.code == 0, again.err
    assert pl.read_csv(out).equals(submission)


def test_evaluate_never_writes_over_the_metrics(
    quadrat: Callable[..., Outcome], trained: Path, pasture: PastureWorld
):
    before = (trained / "metrics.json").read_bytes()
    done = quadrat("evaluate", trained, "--data", pasture.truth, "--json")
    assert done.code == 0, done.err
    metrics = json.loads(done.out)
    assert set(metrics["baselines"]) >= {"mean"}
    assert (trained / "evaluations" / "truth" / "metrics.json").is_file()
    assert (trained / "metrics.json").read_bytes() == before


def test_check_says_what_it_found(quadrat: Callable[..., Outcome], pasture: PastureWorld):
    done = quadrat("check", "pasture-frozen", *settings(pasture))
    assert done.code == 0, done.err
    assert "36" in done.out
    assert "ready to train" in done.out


def test_report_and_runs(quadrat: Callable[..., Outcome], trained: Path):
    done = quadrat("report", trained)
    assert done.code == 0, done.err
    assert Path(done.last_line) == trained / "report.html"
    listed = quadrat("runs", trained.parent, "--json")
    assert [row["state"] for row in json.loads(listed.out)] == ["finished"]


def test_a_run_repeats_from_its_folder_alone(
    quadrat: Callable[..., Outcome], trained: Path, tmp_path: Path
):
    done = quadrat("train", trained, "--out", tmp_path, "--quiet")
    assert done.code == 0, done.err
    repeated = Path(done.last_line)
    assert (repeated / "metrics.json").read_bytes() == (trained / "metrics.json").read_bytes()
    assert "epoch" not in done.err


def test_a_finished_run_goes_on_with_more_epochs(
    quadrat: Callable[..., Outcome], pasture: PastureWorld, tmp_path: Path
):
    arguments = ["train", "pasture-frozen", "--out", tmp_path, *settings(pasture)]
    first = Path(quadrat(*arguments).last_line)
    more = quadrat(*arguments, "--resume", "auto", "--set", "optimiser.epochs=5")
    assert more.code == 0, more.err
    assert Path(more.last_line) == first
    lines = (first / "history.jsonl").read_text().splitlines()
    epochs = [json.loads(line)["epoch"] for line in lines if json.loads(line)["fold"] == 0]
    assert max(epochs) <= 5
    assert epochs == sorted(set(epochs))
    other = quadrat(*arguments, "--resume", first, "--set", "seed=7")
    assert other.code == 1
    assert "seed: 42 then, 7 now" in other.err


def test_habits_of_training_and_a_refit_that_answers(
    quadrat: Callable[..., Outcome], pasture: PastureWorld, tmp_path: Path
):
    habits = [
        "average.swa=0.4", "sampling.kind=class", "sampling.column=State",
        "curriculum.kind=fractal", "curriculum.target=Dry_Total_g", "run.refit=true",
    ]  # fmt: skip
    overrides = [part for habit in habits for part in ("--set", habit)]
    done = quadrat("train", "pasture-frozen", "--out", tmp_path, *settings(pasture), *overrides)
    assert done.code == 0, done.err
    assert "for the mean of 2 states; the best state has" in done.err
    assert "refit on all samples" in done.err
    run = Path(done.last_line)
    (member,) = json.loads((run / "model.json").read_text())["members"]
    assert member["weights"] == "refit/model.safetensors"
    answers = quadrat("predict", run, "--data", pasture.test, "--out", tmp_path / "answers.csv")
    assert answers.code == 0, answers.err
    judged = quadrat("evaluate", run, "--data", pasture.truth, "--json")
    assert "learnt from all samples" in json.loads(judged.out)["protocol"]["words"]
