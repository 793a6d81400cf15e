"""Depth from the experiment file to a run that answers, with frozen and with learning encoders."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image
from torch import Tensor, nn

from quadrat.engine import Backend
from quadrat.errors import ExperimentError
from quadrat.photos.checking import check
from quadrat.photos.depth.maps import DepthSource
from quadrat.photos.encoders import create_encoder
from quadrat.photos.features.source import FeatureSource
from quadrat.photos.learner import NetworkLearner, Part
from quadrat.photos.predictor import PhotosPredictor
from quadrat.photos.samples.loading import Samples, load_samples
from quadrat.photos.schema import PhotosExperiment
from quadrat.photos.training import train
from quadrat.runs import Run, read_json
from quadrat.scoring import regression_scores
from tests.photos.small import small, table
from tests.photos.tables import experiment, paint, save, wide

pytest.importorskip("transformers")

COUNT = 12
DEPTH = {"model": "tiny", "weights": "none", "size": 28, "map_size": 16}


def given(folder: Path, depth: Mapping[str, Any] | None = None, **encoder: Any) -> PhotosExperiment:
    paint(folder, COUNT)
    path = save(wide(COUNT), folder)
    return experiment(
        path,
        encoder={"name": "timm:test_efficientnet", "weights": "none", **encoder},
        views={"size": 32},
        augment={"flips": "horizontal"},
        depth=DEPTH | {**(depth or {})},
        optimiser={"epochs": 2, "batch_size": 4, "precision": "fp32", "learning_rate": 1e-2},
        run={"device": "cpu"},
        fusion={"hidden": 16},
        head={"hidden": [8]},
        score={"bootstrap": 20},
    )


def trained(asked: PhotosExperiment, folder: Path) -> Run:
    run = Run.create(folder / "runs", asked)
    train(asked, run, history=run.history())
    return run


@pytest.mark.parametrize("fusion", ["concat", "add", "attention"])
def test_a_run_with_depth_answers_wherever_it_is_copied(tmp_path: Path, fusion: str):
    run = trained(given(tmp_path, {"fusion": fusion}), tmp_path)
    asked = tmp_path / "asked.csv"
    wide(COUNT).select("image_path", "sample_id").write_csv(asked)
    first = PhotosPredictor.load(run.folder).predict(asked)
    shutil.move(run.folder, tmp_path / "moved")
    (tmp_path / "train.csv").unlink()
    moved = PhotosPredictor.load(tmp_path / "moved")
    np.testing.assert_array_equal(moved.predict(asked).raw, first.raw)
    moved.save(tmp_path / "saved")
    saved = PhotosPredictor.load(tmp_path / "saved")
    np.testing.assert_array_equal(saved.predict(asked).raw, first.raw)
    for folder in ("moved", "saved"):
        (place,) = (tmp_path / folder / "depth").iterdir()
        assert {path.name for path in place.iterdir()} == {"config.json", "model.safetensors"}


def test_held_out_rows_are_predicted_with_their_maps(tmp_path: Path):
    run = trained(given(tmp_path), tmp_path)
    predictor = PhotosPredictor.load(run.folder)
    samples = predictor.samples(tmp_path / "train.csv")
    held_out = pl.read_parquet(run.path("folds/0/held_out.parquet"))
    rows = [place for place, name in enumerate(samples.ids) if name in set(held_out["sample"])]
    one = PhotosPredictor(predictor.experiment, predictor.members[:1], predictor.source)
    again = one.predict_samples(samples.take(rows))
    told = held_out.filter(pl.col("target") == "green_g").sort("sample")
    order = np.argsort(again.ids)
    np.testing.assert_allclose(told["raw"], again.raw[order, 0], rtol=1e-5)


def test_what_a_client_needs_is_described(tmp_path: Path):
    run = trained(given(tmp_path), tmp_path)
    described = read_json(run.path("preprocessing.json"))
    assert (described["depth"]["size"], described["depth"]["map"]) == (28, [16, 16])
    assert described["depth"]["unit"] == "disparity without a unit"
    scales = [member["depth"] for member in described["members"]]
    assert {scale["kind"] for scale in scales} == {"dataset"}
    assert len({scale["mean"] for scale in scales}) == 3
    assert read_json(run.path("model.json"))["depth"]["model"] == "tiny"


def learner_of(asked: PhotosExperiment) -> tuple[NetworkLearner, Samples]:
    samples = load_samples(asked, asked.data.table, require_targets=True)
    return NetworkLearner(asked, Backend.create("cpu", "fp32")), samples


def test_only_training_photos_decide_the_scale(tmp_path: Path):
    learner, samples = learner_of(given(tmp_path))
    parts = [Part(samples.take(rows)) for rows in (np.arange(8), np.arange(8, 10))]
    member = learner.fit(*parts).member
    assert learner.source.depth is not None
    maps = learner.source.depth.of(samples.take(np.arange(8))).astype(np.float64)
    assert member.depth is not None
    assert member.depth.mean == pytest.approx(maps.mean(), rel=1e-12)
    assert member.depth.sd == pytest.approx(maps.std(), rel=1e-12)


@pytest.mark.parametrize("scale", ["dataset", "image"])
def test_a_learning_encoder_takes_maps_too(tmp_path: Path, scale: str):
    asked = given(tmp_path, {"scale": scale}, train="all", learning_rate=1e-3)
    run = trained(asked, tmp_path)
    predictor = PhotosPredictor.load(run.folder)
    assert {member.depth.kind for member in predictor.members} == {scale}
    found = predictor.predict(tmp_path / "train.csv").raw
    np.testing.assert_array_equal(predictor.predict(tmp_path / "train.csv").raw, found)
    for member in predictor.members:
        nn.init.normal_(member.network.depth.join.out.weight)
    assert not np.allclose(predictor.predict(tmp_path / "train.csv").raw, found)


class Brightness(nn.Module):
    """A network whose depth is the brightness of the photo."""

    patch, metric = 14, False

    def forward(self, photos: Tensor) -> Tensor:
        return photos.mean(dim=1)

    def fingerprint(self) -> str:
        return "brightness"


def _bright_world(folder: Path, count: int) -> pl.DataFrame:
    """Photos that are evenly bright, and grams that say how bright; their vectors know nothing."""
    rng = np.random.default_rng(3)
    frame, level = table(count), rng.uniform(0, 1, count)
    (folder / "photos").mkdir()
    for row, value in enumerate(level):
        pixels = np.clip(255 * value + rng.normal(0, 8, (28, 28, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{row}.png")
    green, dead = 40 * level, 20 * (1 - level)
    return frame.with_columns(
        green_g=pl.Series(green),
        dead_g=pl.Series(dead),
        total_g=pl.Series(green + dead),
        height_cm=pl.Series(rng.uniform(1, 30, count)),
    )


@pytest.mark.parametrize("fusion", ["concat", "add", "attention"])
def test_what_only_the_maps_show_is_learnt(tmp_path: Path, fusion: str):
    frame = _bright_world(tmp_path, 60)
    asked = small(
        tmp_path,
        frame,
        data={"numeric": [], "categorical": []},
        depth=DEPTH | {"fusion": fusion, "cache": False},
        optimiser={"epochs": 12, "learning_rate": 3e-3, "batch_size": 8},
        fusion={"dropout": 0.0, "hidden": 32},
    )
    backend = Backend.create("cpu", "fp32")
    encoder = create_encoder(asked.encoder, asked.views)
    depth = DepthSource(Brightness(), size=28, map_size=16, cache=False)  # type: ignore[arg-type]
    learner = NetworkLearner(asked, backend, FeatureSource(encoder, cache=False, depth=depth))
    samples = load_samples(asked, asked.data.table, require_targets=True)
    train_, inner, held = (samples.take(np.arange(*ends)) for ends in ((36,), (36, 46), (46, 60)))
    member = learner.fit(Part(train_), Part(inner)).member
    answer = member.answer(held, learner.source).prediction()
    assert regression_scores(held.targets, answer.mean)["r2"] > 0.7
    plain = asked.model_copy(update={"depth": None})
    blind = NetworkLearner(plain, backend, FeatureSource(encoder, cache=False))
    guess = blind.fit(Part(train_), Part(inner)).member.answer(held, blind.source).prediction()
    assert regression_scores(held.targets, guess.mean)["r2"] < 0.3


def test_training_sets_out_from_the_network_without_depth(tmp_path: Path):
    asked = given(tmp_path)
    still = asked.optimiser.model_copy(update={"epochs": 1, "learning_rate": 1e-12})
    asked = asked.model_copy(update={"optimiser": still})
    plain = asked.model_copy(update={"depth": None})
    answers = []
    for one in (asked, plain):
        learner, samples = learner_of(one)
        member = learner.fit(Part(samples.take(np.arange(8))), Part(samples.take([8, 9]))).member
        answers.append(member.answer(samples, learner.source).prediction().mean)
    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-5)


def test_a_network_that_takes_maps_demands_them(tmp_path: Path):
    learner, samples = learner_of(given(tmp_path))
    member = learner.fit(Part(samples.take(np.arange(8))), Part(samples.take([8, 9]))).member
    learner.source.depth = None
    with pytest.raises(ValueError, match="takes depth maps, and was given none"):
        member.answer(samples, learner.source)


def test_a_check_tells_what_depth_will_cost(tmp_path: Path):
    facts = check(given(tmp_path)).facts
    assert "12 maps of 16 × 16 pixels" in facts["depth"]
    report = check(given_again(tmp_path, {"scale": "metric"}))
    assert any("needs a network that says metres" in error for error in report.errors)


def given_again(folder: Path, depth: Mapping[str, Any]) -> PhotosExperiment:
    return experiment(folder / "train.csv", encoder={"weights": "bundled"}, depth=DEPTH | depth)


def test_an_unknown_key_of_depth_is_refused(tmp_path: Path):
    paint(tmp_path)
    path = save(wide(), tmp_path)
    with pytest.raises(ExperimentError, match=r"depth\.scal: unknown key\. Did you mean 'scale'"):
        experiment(path, depth={"scal": "image"})
