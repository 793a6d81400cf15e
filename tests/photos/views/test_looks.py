"""Looks: the symmetries of a square, corners and sizes; a run says what several of them gain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from pydantic import ValidationError

import quadrat
from quadrat.photos.encoders import create_encoder
from quadrat.photos.features.source import FeatureSource
from quadrat.photos.predictor import PhotosPredictor
from quadrat.photos.samples.loading import load_samples
from quadrat.photos.schema import EncoderSection, TtaSection, ViewsSection
from quadrat.photos.views.looks import Look, looks_of
from quadrat.photos.views.plan import D4, mirrored
from quadrat.runtime.images import WHOLE
from quadrat.scoring import regression_scores
from tests.photos.tables import experiment, paint, save, wide


def test_the_eight_symmetries_are_different_and_closed():
    view = np.random.default_rng(0).random((3, 6, 6)).astype(np.float32)
    turned = {flip: mirrored(view, flip) for flip in D4}
    assert len({array.tobytes() for array in turned.values()}) == 8
    quarter = np.rot90(view, axes=(1, 2))
    assert any(np.array_equal(quarter, array) for array in turned.values())


def test_looks_are_the_product_of_kind_and_sizes():
    assert looks_of(TtaSection()) == (Look(),)
    assert [look.flip for look in looks_of(TtaSection(kind="d4"))] == list(D4)
    crops = looks_of(TtaSection(kind="crops", sizes=(64, (32, 48))))
    assert len(crops) == 15 and crops[0].crop == WHOLE
    assert [look.size for look in crops[::5]] == [None, (64, 64), (32, 48)]


@pytest.mark.parametrize(
    "look", [Look("transposed"), Look(size=(48, 64)), Look(crop=(0, 0, 0.5, 0.5))]
)
def test_kept_and_live_encoders_see_the_same_look(tmp_path: Path, look: Look):
    paint(tmp_path, 3)
    path = save(wide(3), tmp_path)
    samples = load_samples(experiment(path), path, require_targets=True)
    section = EncoderSection(name="timm:test_efficientnet", weights="none")
    encoder = create_encoder(section, ViewsSection(size=32))
    (kept,) = FeatureSource(encoder, cache=True).held(samples, look=look).arrays
    live = FeatureSource(encoder, cache=False).views(samples, look=look)
    np.testing.assert_allclose(live.take(torch.arange(3), 0)[0], kept, rtol=1e-4, atol=1e-5)
    (plain,) = FeatureSource(encoder, cache=False).held(samples).arrays
    assert not np.allclose(plain, kept)


def test_a_run_says_what_looking_several_times_gained(tmp_path: Path):
    paint(tmp_path, 18)
    sections: dict[str, Any] = {
        "encoder": {"name": "timm:test_efficientnet", "weights": "none"},
        "views": {"size": 32},
        "optimiser": {"epochs": 1, "batch_size": 6},
        "run": {"device": "cpu"},
        "tta": {"kind": "flips"},
        "score": {"primary": "r2", "bootstrap": 0},
    }
    run = quadrat.train(experiment(save(wide(18), tmp_path), **sections), out=tmp_path / "runs")
    metrics = run.metrics()
    assert metrics["tta"]["looks"] == 4
    oof = pl.read_parquet(run.path("oof.parquet"))
    truth, found = (oof[name].to_numpy().reshape(-1, 3) for name in ("truth", "balanced"))
    assert metrics["scores"]["r2"] == pytest.approx(regression_scores(truth, found)["r2"])
    gain = metrics["scores"]["r2"] - metrics["tta"]["one_look"]["r2"]
    assert metrics["tta"]["gain"]["r2"] == pytest.approx(gain) and gain != 0.0
    predictor = PhotosPredictor.load(run.folder, device="cpu")
    samples = predictor.samples(tmp_path / "train.csv")
    four = predictor.predict_samples(samples)
    each = [predictor.predict_samples(samples, looks=[Look(flip)]).raw for flip in D4[:4]]
    np.testing.assert_allclose(four.raw, np.mean(each, axis=0))
    assert not np.allclose(each[0], each[1])


def test_looks_that_cannot_be_are_refused(tmp_path: Path):
    path = tmp_path / "train.csv"
    with pytest.raises((ValidationError, quadrat.errors.ExperimentError), match="square"):
        experiment(path, views={"size": [32, 64]}, tta={"kind": "d4"})
    with pytest.raises((ValidationError, quadrat.errors.ExperimentError), match="elsewhere"):
        experiment(path, views={"kind": "halves"}, tta={"kind": "d4"})
