"""Training into a run folder: files, honest folds, resuming to the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from quadrat.errors import DataError, RunError, UsageError
from quadrat.photos import training
from quadrat.photos.schema import PhotosExperiment
from quadrat.photos.training import train
from quadrat.runs import History, Run
from tests.photos.small import small, table

FILES = {
    "check.json",
    "experiment.toml",
    "history.jsonl",
    "metrics.json",
    "model.json",
    "oof.parquet",
    "preprocessing.json",
}
OF_A_FOLD = {"fold.json", "held_out.parquet", "model.safetensors"}


def start(given: PhotosExperiment, folder: Path) -> Run:
    return Run.create(folder / "runs", given)


def trained(given: PhotosExperiment, folder: Path) -> tuple[Run, dict[str, Any]]:
    run = start(given, folder)
    return run, train(given, run, history=run.history())


def oof(run: Run) -> pl.DataFrame:
    return pl.read_parquet(run.path("oof.parquet"))


def contents(run: Run) -> dict[str, bytes]:
    """What a run says; without the times in the history."""
    names = ["metrics.json", "oof.parquet", "model.json", "preprocessing.json"]
    names += [f"folds/{k}/{name}" for k in range(3) for name in OF_A_FOLD]
    return {name: run.path(name).read_bytes() for name in names}


def test_a_run_leaves_its_files(tmp_path: Path):
    run, metrics = trained(small(tmp_path), tmp_path)
    assert {path.name for path in run.folder.iterdir() if path.is_file()} == FILES
    for fold in range(3):
        assert {path.name for path in run.fold(fold).iterdir()} >= OF_A_FOLD
    assert json.loads(run.path("metrics.json").read_text()) == metrics
    model = json.loads(run.path("model.json").read_text())
    assert (model["kind"], model["format_version"]) == ("photos-network", 1)
    assert [member["weights"] for member in model["members"]] == [
        f"folds/{fold}/model.safetensors" for fold in range(3)
    ]
    assert len(run.history().records()) == 3 * 5  # the start and four epochs


def test_the_out_of_fold_table_has_every_sample_and_target_once(tmp_path: Path):
    given = small(tmp_path)
    run, _ = trained(given, tmp_path)
    found = oof(run)
    assert found.columns == [
        "sample", "fold", "target", "truth", "raw", "balanced", "sigma", "lower", "upper"
    ]  # fmt: skip
    assert set(found.dtypes[3:]) == {pl.Float64}
    frame = table()
    expected = frame.unpivot(on=list(given.data.targets), index="image_path").sort(
        "image_path", "variable"
    )
    mine = found.sort("sample", "target")
    assert mine["sample"].to_list() == expected["image_path"].to_list()
    np.testing.assert_array_equal(mine["truth"], expected["value"])
    sites = dict(zip(frame["image_path"], frame["site"], strict=True))
    by_site = found.with_columns(site=pl.col("sample").replace_strict(sites))
    assert by_site.group_by("site").agg(pl.col("fold").n_unique())["fold"].max() == 1


def test_balanced_predictions_add_up_and_are_not_negative(tmp_path: Path):
    run, _ = trained(small(tmp_path), tmp_path)
    wide = oof(run).pivot("target", index="sample", values="balanced")
    gap = (wide["total_g"] - wide["green_g"] - wide["dead_g"]).abs().max()
    assert gap is not None and gap < 1e-6
    assert oof(run)["balanced"].min() >= 0  # type: ignore[operator]
    assert not oof(run)["raw"].equals(oof(run)["balanced"])


def test_predictions_stay_as_they_are_without_balance(tmp_path: Path):
    run, _ = trained(small(tmp_path, balance_method={"kind": "none"}), tmp_path)
    assert oof(run)["raw"].equals(oof(run)["balanced"])


def test_a_fold_never_sees_the_truth_of_its_held_out_samples(tmp_path: Path):
    """Whatever is written into a fold's targets and metadata, its model stays the same."""
    kind: Mapping[str, Any] = {"kind": "project-covariance"}
    run, _ = trained(small(tmp_path, balance_method=kind, split={"inner": 0.3}), tmp_path)
    before = oof(run)
    mine = before.filter(pl.col("fold") == 1)["sample"].unique().to_list()
    hidden = pl.col("image_path").is_in(mine)
    frame = table()
    changed = frame.with_columns(
        [pl.when(hidden).then(pl.col(t) * 3 + 500).otherwise(pl.col(t)) for t in
         ("green_g", "dead_g", "total_g")]
    )  # fmt: skip
    other = small(tmp_path, changed, balance_method=kind, split={"inner": 0.3})
    again = oof(trained(other, tmp_path)[0])
    for column in ("raw", "balanced"):
        first, second = (f.filter(pl.col("fold") == 1)[column] for f in (before, again))
        assert first.equals(second)
    others = before.filter(pl.col("fold") == 0)["raw"]
    assert not others.equals(again.filter(pl.col("fold") == 0)["raw"])


def test_scores_stand_beside_baselines(tmp_path: Path):
    _, metrics = trained(small(tmp_path), tmp_path)
    assert metrics["primary"] == "weighted_r2"
    assert set(metrics["baselines"]) == {"mean", "metadata", "photo_alone"}
    assert metrics["scores"]["weighted_r2"] > metrics["baselines"]["photo_alone"]["weighted_r2"]
    assert metrics["baselines"]["photo_alone"]["weighted_r2"] > 0.7
    assert metrics["baselines"]["mean"]["r2"] < 0.05
    low, high = metrics["intervals"]["weighted_r2"]
    assert low <= metrics["scores"]["weighted_r2"] <= high
    assert len(metrics["folds"]) == 3
    assert metrics["protocol"]["groups"] == 16


def test_photos_alone_have_no_metadata_baselines(tmp_path: Path):
    given = small(tmp_path, data={"numeric": [], "categorical": []})
    _, metrics = trained(given, tmp_path)
    assert set(metrics["baselines"]) == {"mean"}


def test_the_same_run_gives_the_same_bytes(tmp_path: Path):
    runs = [trained(small(tmp_path), tmp_path)[0] for _ in range(2)]
    assert contents(runs[0]) == contents(runs[1])


def test_a_seed_changes_the_numbers(tmp_path: Path):
    given = small(tmp_path, split={"seed": 1})
    _, first = trained(given, tmp_path)
    _, second = trained(given.model_copy(update={"seed": 7}), tmp_path)
    assert first["raw"] != second["raw"]


class _StoppingHistory(History):
    """Fails after some records, as if the machine did."""

    def __init__(self, path: Path, left: int) -> None:
        super().__init__(path)
        self.left = left

    def append(self, record: Mapping[str, object]) -> None:
        super().append(record)
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("left", [3, 5, 8, 15])
def test_a_run_that_broke_off_ends_in_the_same_bytes(tmp_path: Path, left: int):
    given = small(tmp_path, run={"save_every": 1})
    whole, _ = trained(given, tmp_path)
    broken = start(given, tmp_path)
    history = _StoppingHistory(broken.path("history.jsonl"), left)
    with pytest.raises(KeyboardInterrupt):
        train(given, broken, history=history)
    assert not broken.path("metrics.json").exists()
    train(given, broken, history=broken.history())
    assert contents(whole) == contents(broken)
    told = [
        [{k: v for k, v in record.items() if k != "seconds"} for record in run.history().records()]
        for run in (whole, broken)
    ]
    assert told[0] == told[1]


def test_a_finished_fold_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    given = small(tmp_path)
    run, _ = trained(given, tmp_path)
    before = contents(run)
    (run.fold(1) / "fold.json").unlink()
    fitted = []
    learner = training.NetworkLearner
    fit = learner.fit

    def counted(self: Any, *parts: Any, fold: int = 0, **options: Any) -> Any:
        fitted.append(fold)
        return fit(self, *parts, fold=fold, **options)

    monkeypatch.setattr(learner, "fit", counted)
    train(given, run, history=run.history())
    assert fitted == [1]
    assert contents(run) == before


def test_more_epochs_go_on_from_the_state(tmp_path: Path):
    constant = {"schedule": "none", "learning_rate": 0.01}
    run, _ = trained(small(tmp_path, optimiser={"epochs": 2, **constant}), tmp_path)
    more = small(tmp_path, optimiser={"epochs": 5, **constant})
    train(more, run, history=run.history())
    whole, _ = trained(more, tmp_path)
    assert contents(run) == contents(whole)
    assert len(run.history().records()) == 3 * 6


def test_a_changed_table_is_noticed(tmp_path: Path):
    given = small(tmp_path)
    run, _ = trained(given, tmp_path)
    small(tmp_path, table()[::-1])
    with pytest.raises(RunError, match="training table has changed"):
        train(given, run, history=run.history())


def test_repeats_are_folds_of_their_own(tmp_path: Path):
    run, metrics = trained(small(tmp_path, split={"repeats": 2, "folds": 2}), tmp_path)
    found = oof(run)
    assert sorted(found["fold"].unique()) == [0, 1, 2, 3]
    assert set(found.group_by("sample", "target").len()["len"]) == {2}
    assert len(metrics["folds"]) == 4


def test_a_column_may_tell_what_is_held_out(tmp_path: Path):
    frame = table().with_columns(
        part=pl.when(pl.col("row") < 36).then(pl.lit("train")).otherwise(pl.lit("test"))
    )
    split = {"kind": "column", "column": "part", "test": ["test"], "by": [], "folds": 5}
    run, metrics = trained(small(tmp_path, frame, split=split), tmp_path)
    assert oof(run)["sample"].unique().len() == 12
    assert metrics["protocol"]["sizes"] == [12]


def test_gaussian_heads_are_scored_by_crps_and_coverage(tmp_path: Path):
    run, metrics = trained(small(tmp_path, head={"distribution": "gaussian"}), tmp_path)
    assert {"crps", "coverage_90"} <= set(metrics["scores"])
    found = oof(run)
    assert (found["lower"] <= found["raw"]).all() and (found["raw"] <= found["upper"]).all()
    assert (found["sigma"] > 0).all()


def test_covariance_needs_inner_rows(tmp_path: Path):
    given = small(tmp_path, balance_method={"kind": "project-covariance"}, split={"inner": 0.0})
    with pytest.raises(DataError, match=r"needs the errors on inner rows; raise split\.inner"):
        trained(given, tmp_path)


@pytest.mark.parametrize(
    ("primary", "message"),
    [
        ("pred_density_r", "cannot choose a model"),
        ("geoscore", "is not computed for photos"),
        ("crps", r"Set head\.distribution = 'gaussian' for it"),
    ],
)
def test_a_score_that_cannot_be_is_refused_before_anything_is_read(
    tmp_path: Path, primary: str, message: str
):
    given = small(tmp_path, score={"primary": primary})
    (tmp_path / "train.parquet").unlink()
    with pytest.raises(UsageError, match=message):
        trained(given, tmp_path)


def test_test_rows_are_predicted_and_submitted(tmp_path: Path):
    asked = table().select("image_path", "row")[40:44]
    long = pl.concat(
        [
            asked.with_columns(
                target_name=pl.lit(target), sample_id=pl.col("image_path") + f"__{target}"
            )
            for target in ("total_g", "green_g", "dead_g")
        ]
    )
    long.write_csv(tmp_path / "test.csv")
    run, _ = trained(small(tmp_path, data={"test": str(tmp_path / "test.csv")}), tmp_path)
    predictions = pl.read_parquet(run.path("predictions.parquet"))
    assert (
        predictions["sample"].unique(maintain_order=True).to_list() == asked["image_path"].to_list()
    )
    submission = pl.read_csv(run.path("submission.csv"))
    assert submission["sample_id"].to_list() == long["sample_id"].to_list()
    warnings = json.loads(run.path("check.json").read_text())["warnings"]
    assert any("the test table has no height_cm, soil" in line for line in warnings)
