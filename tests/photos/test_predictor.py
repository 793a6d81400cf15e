"""A run folder answers on its own: for tables with or without metadata, anywhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import polars as pl
import pytest
from PIL import Image
from safetensors.torch import load_file

from quadrat.engine import Progress, report_progress
from quadrat.errors import DataError, RunError
from quadrat.photos.predictor import PhotosPredictor
from quadrat.photos.training import train
from quadrat.runs import Run
from tests.photos.small import small, table
from tests.photos.tables import experiment, paint, save, wide


class Told(Progress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def make(folder: Path, **sections: Any) -> Run:
    given = small(folder, optimiser={"epochs": 2}, **sections)
    run = Run.create(folder / "runs", given)
    train(given, run, history=run.history())
    return run


def make_from_photos(folder: Path, clean: dict[str, Any] | None = None, **encoder: Any) -> Run:
    """A run with a real encoder on painted photos, three of them a sample."""
    paint(folder, 36)
    frame = wide(36).with_columns(
        plot=pl.Series([f"plot {k // 3}" for k in range(36)]),
        site=pl.Series([f"site {k // 6}" for k in range(36)]),
        height_cm=pl.Series([float(k // 3) for k in range(36)]),
        **{name: wide(36)[name].gather([k // 3 * 3 for k in range(36)]) for name in
           ("green_g", "dead_g", "total_g")},
    )  # fmt: skip
    given = experiment(
        save(frame, folder),
        data={"sample": "plot"},
        encoder={"name": "timm:test_efficientnet", "weights": "none", **encoder},
        views={"size": 32},
        clean=clean or {},
        optimiser={"epochs": 2, "batch_size": 4, "precision": "fp32"},
        run={"device": "cpu"},
        score={"bootstrap": 0},
    )
    run = Run.create(folder / "runs", given)
    train(given, run, history=run.history())
    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("predictor")


@pytest.fixture(scope="module")
def predictor(folder: Path) -> PhotosPredictor:
    return PhotosPredictor.load(make(folder).folder, device="cpu")


def test_the_mean_of_the_folds_answers(predictor: PhotosPredictor):
    samples = predictor.samples(table())
    single = [
        member.answer(samples, predictor.source).prediction().mean for member in predictor.members
    ]
    assert len(single) == 3
    np.testing.assert_allclose(
        predictor.predict_samples(samples).raw, np.mean(single, axis=0), rtol=1e-12
    )


def test_balanced_answers_obey_the_identity_and_are_not_negative(predictor: PhotosPredictor):
    rng = np.random.default_rng(0)
    frame = table().with_columns(height_cm=pl.Series(rng.normal(0, 300, 48)))
    found = predictor.predict(frame)
    columns = [found.targets.index(name) for name in ("total_g", "green_g", "dead_g")]
    total, green, dead = found.balanced[:, columns].T
    assert np.abs(total - green - dead).max() < 1e-6
    assert found.balanced.min() >= 0.0
    assert found.balanced.dtype == np.float64
    assert np.isnan(found.sigma).all()


def test_metadata_may_be_absent(predictor: PhotosPredictor):
    bare = predictor.predict(table().select("image_path", "row"))
    hidden = predictor.predict(table(), hide_metadata=True)
    np.testing.assert_array_equal(bare.raw, hidden.raw)
    seen = predictor.predict(table())
    truth = table().select(predictor.experiment.data.targets).to_numpy()
    errors = [np.abs(answer.raw - truth).mean() for answer in (seen, bare)]
    assert errors[0] < errors[1] < 2.5 * errors[0]


def test_one_column_may_be_absent(predictor: PhotosPredictor):
    some = predictor.predict(table().drop("soil"))
    assert np.isfinite(some.raw).all()
    assert not np.array_equal(some.raw, predictor.predict(table()).raw)


def test_metadata_that_a_table_lacks_are_told(predictor: PhotosPredictor):
    told = Told()
    with report_progress(told):
        predictor.predict(table().rename({"soil": "soils"}))
        predictor.predict(table().select("image_path", "row"))
        predictor.predict(table().select("image_path", "row"), hide_metadata=True)
    one, all_of_them = told.warnings
    assert one == "the table has no soil: it is unknown. Did you mean 'soils'?"
    assert "has no height_cm, soil: the answer rests on photos alone" in all_of_them


def test_an_unknown_category_counts_as_unknown_and_is_told(predictor: PhotosPredictor):
    told = Told()
    with report_progress(told):
        strange = predictor.predict(table().with_columns(soil=pl.lit("chalk")))
    none = predictor.predict(table().with_columns(soil=pl.lit(None, dtype=pl.String)))
    np.testing.assert_array_equal(strange.raw, none.raw)
    assert told.warnings == ["soil: 'chalk' were not in the training table and count as unknown"]


def test_rows_do_not_depend_on_each_other(predictor: PhotosPredictor):
    together = predictor.predict(table()).raw
    alone = predictor.predict(table()[7:8]).raw
    np.testing.assert_allclose(alone[0], together[7], rtol=1e-5)


def test_saving_and_loading_changes_nothing(predictor: PhotosPredictor, tmp_path: Path):
    predictor.save(tmp_path / "copy")
    copy = PhotosPredictor.load(tmp_path / "copy", device="cpu")
    np.testing.assert_array_equal(
        copy.predict(table()).balanced, predictor.predict(table()).balanced
    )


def test_a_run_answers_without_its_training_data(tmp_path: Path):
    run = make_from_photos(tmp_path)
    new = tmp_path / "new"
    new.mkdir()
    paint(new, 3)
    images = [f"photos/{k}.png" for k in range(3)]
    path = save(pl.DataFrame({"plot": ["p", "p", "q"], "image_path": images}), new)
    before = PhotosPredictor.load(run.folder, device="cpu").predict(path)
    shutil.copytree(run.folder, tmp_path / "elsewhere")
    for name in ("photos", "runs"):
        shutil.rmtree(tmp_path / name)
    (tmp_path / "train.csv").unlink()
    after = PhotosPredictor.load(tmp_path / "elsewhere", device="cpu").predict(path)
    assert after.ids == ("p", "q")
    np.testing.assert_array_equal(after.raw, before.raw)


def test_frozen_weights_are_stored_once_and_checked(tmp_path: Path):
    run = make_from_photos(tmp_path)
    stored = list((run.folder / "encoder").iterdir())
    assert len(stored) == 1
    for path in run.folder.glob("folds/*/model.safetensors"):
        assert not [name for name in load_file(path) if name.startswith("encoder.")]
    model = json.loads(run.path("model.json").read_text())
    model["encoder"]["fingerprint"] = "0" * 64
    run.path("model.json").write_text(json.dumps(model))
    with pytest.raises(RunError, match="other weights than when"):
        PhotosPredictor.load(run.folder, device="cpu")


def test_a_trained_encoder_lies_with_each_member(tmp_path: Path):
    run = make_from_photos(tmp_path, train="all", learning_rate=1e-3)
    assert not (run.folder / "encoder").exists()
    predictor = PhotosPredictor.load(run.folder, device="cpu")
    assert all(member.network.encoder.learns for member in predictor.members)
    found = predictor.predict(tmp_path / "train.csv")
    assert len(found) == 12
    oof = pl.read_parquet(run.path("oof.parquet"))
    one = oof.filter((pl.col("fold") == 0) & (pl.col("target") == "green_g"))
    samples = predictor.samples(tmp_path / "train.csv")
    mine = [samples.ids.index(name) for name in one["sample"]]
    member = predictor.members[0]
    answer = member.answer(samples.take(mine), predictor.source).prediction()
    np.testing.assert_allclose(answer.mean[:, 0], one["raw"], rtol=1e-5)


def test_last_blocks_lie_with_each_member_and_the_blocks_before_them_once(tmp_path: Path):
    run = make_from_photos(
        tmp_path, train_last_blocks=2, freeze_epochs=1, layers=[0, -1], pool=["gem", "mean"]
    )
    (stored,) = (run.folder / "encoder").iterdir()
    frozen = set(load_file(stored))
    for path in run.folder.glob("folds/*/model.safetensors"):
        trained = {n for n in load_file(path) if n.startswith("encoder.")}
        assert "encoder.powers.4" in trained
        assert not frozen & {n.removeprefix("encoder.model.") for n in trained}
    predictor = PhotosPredictor.load(run.folder, device="cpu")
    oof = pl.read_parquet(run.path("oof.parquet"))
    one = oof.filter((pl.col("fold") == 0) & (pl.col("target") == "green_g"))
    samples = predictor.samples(tmp_path / "train.csv")
    mine = [samples.ids.index(name) for name in one["sample"]]
    answer = predictor.members[0].answer(samples.take(mine), predictor.source).prediction()
    np.testing.assert_allclose(answer.mean[:, 0], one["raw"], rtol=1e-5)
    predictor.save(tmp_path / "again")
    again = PhotosPredictor.load(tmp_path / "again", device="cpu")
    table = tmp_path / "train.csv"
    np.testing.assert_array_equal(again.predict(table).raw, predictor.predict(table).raw)


def test_a_tower_answers_from_its_folder_without_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    vision = {"image_size": 32, "layers": 1, "width": 24, "head_width": 12, "patch_size": 16}
    config = tmp_path / "open_clip_config.json"
    config.write_text(json.dumps({"model_cfg": {"embed_dim": 20, "vision_cfg": vision}}))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda repository, file: config)
    run = make_from_photos(tmp_path, name="open_clip:hf-hub:museum/beetles")
    table = tmp_path / "train.csv"
    before = PhotosPredictor.load(run.folder, device="cpu").predict(table).raw
    monkeypatch.undo()
    config.unlink()
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", None)
    after = PhotosPredictor.load(run.folder, device="cpu").predict(table).raw
    np.testing.assert_array_equal(after, before)


def test_sets_of_photos_are_one_sample(tmp_path: Path):
    run = make_from_photos(tmp_path)
    assert pl.read_parquet(run.path("oof.parquet"))["sample"].n_unique() == 12
    predictor = PhotosPredictor.load(run.folder, device="cpu")
    three = pl.DataFrame({"plot": ["a"] * 3, "image_path": [f"photos/{k}.png" for k in (0, 1, 2)]})
    turned = predictor.predict(three[::-1]).raw
    np.testing.assert_allclose(predictor.predict(three).raw, turned, rtol=1e-5)
    assert not np.allclose(predictor.predict(three[:2]).raw, turned, rtol=1e-5)


def test_photos_that_cannot_be_read_are_all_listed(tmp_path: Path):
    predictor = PhotosPredictor.load(make_from_photos(tmp_path).folder, device="cpu")
    Image.new("RGB", (9, 9)).save(tmp_path / "photos" / "good.png")
    (tmp_path / "photos" / "bad.png").write_bytes(b"no photo")
    names = ["good", "bad", "gone"]
    frame = pl.DataFrame({"plot": names, "image_path": [f"photos/{n}.png" for n in names]})
    with pytest.raises(DataError) as caught:
        predictor.predict(frame)
    assert "2 of 3 photos cannot be read" in str(caught.value)
    assert "bad.png" in str(caught.value) and "gone.png" in str(caught.value)


def test_some_unreadable_photos_may_be_left_out(tmp_path: Path):
    run = make_from_photos(tmp_path)
    text = run.path("experiment.toml").read_text()
    run.path("experiment.toml").write_text(text.replace("min_readable = 1.0", "min_readable = 0.6"))
    predictor = PhotosPredictor.load(run.folder, device="cpu")
    images = [f"photos/{name}.png" for name in ("0", "gone", "1")]
    frame = pl.DataFrame({"plot": ["a", "b", "c"], "image_path": images})
    told = Told()
    with report_progress(told):
        found = predictor.predict(frame)
    assert found.ids == ("a", "c")
    (left_out,) = (line for line in told.warnings if "left out" in line)
    assert "gone.png" in left_out
    dark = Image.new("RGB", (64, 48), (4, 5, 3))
    dark.save(tmp_path / "photos" / "night.png")
    with report_progress(told):
        found = predictor.predict(pl.DataFrame({"plot": ["d"], "image_path": ["photos/night.png"]}))
    assert len(found) == 1, "a dark photo is named, and answered for"
    assert any("looks dark" in line and "photos/night.png" in line for line in told.warnings)


def test_a_matrix_that_changed_is_told(tmp_path: Path):
    run = make(tmp_path)
    matrix = np.load(tmp_path / "vectors.npy")
    np.save(tmp_path / "vectors.npy", np.vstack([matrix, matrix[:1]]))
    told = Told()
    with report_progress(told):
        predictor = PhotosPredictor.load(run.folder, device="cpu")
    assert "is not the matrix of the training any more" in told.warnings[0]
    again = table()[:1].with_columns(image_path=pl.lit("photos/new.png"), row=pl.lit(48))
    expected = predictor.predict(table()[:1])
    np.testing.assert_allclose(predictor.predict(again).raw, expected.raw)


def test_covariances_of_the_members_are_averaged(tmp_path: Path):
    run = make(tmp_path, balance_method={"kind": "project-covariance"})
    predictor = PhotosPredictor.load(run.folder, device="cpu")
    covariances = [member.covariance for member in predictor.members]
    found = predictor.predict(table())
    expected = predictor.balance.project(found.raw, np.mean(covariances, axis=0))  # type: ignore[arg-type]
    np.testing.assert_array_equal(found.balanced, expected)
    assert not np.allclose(found.balanced, predictor.balance.project(found.raw))


def test_everything_a_client_needs_is_written(tmp_path: Path):
    run = make_from_photos(tmp_path, clean={"stamps": True, "bottom_crop": 0.1})
    client = json.loads(run.path("preprocessing.json").read_text())
    assert client["image"]["size"] == [32, 32]
    assert set(client["image"]) >= {"mean", "std", "fit", "interpolation"}
    assert client["image"]["clean"] == {"stamps": True, "bottom_crop": 0.1}
    assert client["numeric"] == ["height_cm"]
    assert client["targets"] == ["green_g", "dead_g", "total_g"]
    assert client["balance"]["identities"][0]["total"] == "total_g"
    member = client["members"][0]
    assert member["metadata"]["numeric"][0]["name"] == "height_cm"
    assert len(member["metadata"]["categorical"][0]["values"]) > 1
    assert set(member["targets"]) == {"transform", "mean", "sd"}
    assert member["floor"] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "occurrence-network"}, "a model of the kind 'occurrence-network'"),
        ({"format_version": 99}, "Install a newer quadrat"),
    ],
)
def test_other_models_are_refused(
    predictor: PhotosPredictor, tmp_path: Path, change: dict[str, Any], message: str
):
    predictor.save(tmp_path)
    model = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(model | change))
    with pytest.raises(RunError, match=message):
        PhotosPredictor.load(tmp_path, device="cpu")


def test_damaged_weights_are_named(predictor: PhotosPredictor, tmp_path: Path):
    predictor.save(tmp_path)
    weights = tmp_path / "folds/1/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(RunError, match=r"folds/1/model\.safetensors does not hold"):
        PhotosPredictor.load(tmp_path, device="cpu")
