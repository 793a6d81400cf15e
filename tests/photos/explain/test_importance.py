"""The importance of metadata is what a score loses when they are exchanged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quadrat.photos.explain.importance import permutation_importance
from quadrat.photos.predictor import PhotosPredictor
from tests.photos.small import table
from tests.photos.test_predictor import make


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> PhotosPredictor:
    return PhotosPredictor.load(make(tmp_path_factory.mktemp("run")).folder, device="cpu")


def test_a_column_that_masses_depend_on_comes_first(predictor: PhotosPredictor, tmp_path: Path):
    path = tmp_path / "table.parquet"
    table().write_parquet(path)
    samples = predictor.samples(path)
    found = permutation_importance(predictor, samples)
    assert found is not None
    assert found["column"].to_list() == ["height_cm", "soil"]
    height, soil = found.rows(named=True)
    assert height["score"] == predictor.experiment.score.primary
    assert 0.0 < height["lower"] <= height["drop"] <= height["upper"]
    assert abs(soil["drop"]) < 0.2 * height["drop"], "the soil says nothing of the masses"


def test_without_truth_nothing_can_be_lost(predictor: PhotosPredictor, tmp_path: Path):
    path = tmp_path / "table.parquet"
    table().drop("green_g", "dead_g", "total_g").write_parquet(path)
    samples = predictor.samples(path)
    assert np.isnan(samples.targets).all()
    assert permutation_importance(predictor, samples) is None
