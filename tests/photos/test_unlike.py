"""Samples that are unlike the training data are told apart by the vectors of their photos."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from quadrat.photos.predictor import PhotosPredictor
from quadrat.photos.unlike import Likeness, mean_distance
from quadrat.runs import Run
from quadrat.worlds.pasture import PastureWorld
from tests.photos.small import table
from tests.photos.test_predictor import make


def cloud(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 6)).astype(np.float32)


def by_hand(known: np.ndarray, groups: np.ndarray, new: np.ndarray) -> list[float]:
    """Distances one by one, in double precision."""
    unit = [row / np.linalg.norm(row) for row in known.astype(float)]
    own = []
    for one, group in zip(unit, groups, strict=True):
        others = [two for two, other in zip(unit, groups, strict=True) if other != group]
        own.append(sorted(np.linalg.norm(one - two) for two in others)[4])
    found = [
        sorted(np.linalg.norm(row / np.linalg.norm(row) - two) for two in unit)[4]
        for row in new.astype(float)
    ]
    return [float(value / np.quantile(own, 0.99)) for value in found]


def test_distances_are_those_of_a_search_by_hand():
    known, new = cloud(40), cloud(9, 1)
    groups = np.array([f"g{row // 4}" for row in range(40)])
    likeness = Likeness.fit(known, groups)
    assert likeness is not None
    np.testing.assert_allclose(likeness.distance(new), by_hand(known, groups, new), atol=2e-3)
    np.testing.assert_allclose(likeness.distance(7 * new), likeness.distance(new), rtol=1e-6)


def test_near_duplicates_of_a_group_do_not_make_other_groups_unlike():
    rng = np.random.default_rng(3)
    places = np.repeat(cloud(12), 8, axis=0)
    known = (places + rng.normal(0, 1e-3, places.shape)).astype(np.float32)
    groups = np.repeat([f"g{place}" for place in range(12)], 8)
    with_groups = Likeness.fit(known, groups)
    without = Likeness.fit(known, np.arange(len(known)).astype(str))
    assert with_groups is not None and without is not None
    new = cloud(20, 4)
    assert (without.distance(new) > 1).all()
    assert (with_groups.distance(new) > 1).mean() < 0.2


def test_what_cannot_be_compared_is_not_known():
    assert Likeness.fit(cloud(5), np.array(["a"] * 5)) is None
    assert Likeness.fit(np.ones((5, 3), np.float32), np.array(list("abcde"))) is None
    assert Likeness.fit(cloud(0), np.array([], dtype=str)) is None
    assert mean_distance([None, None]) is None
    np.testing.assert_array_equal(mean_distance([np.array([1.0]), None, np.array([3.0])]), [2.0])  # type: ignore[arg-type]


def test_few_samples_are_kept_of_many():
    likeness = Likeness.fit(cloud(3000), np.arange(3000).astype(str))
    assert likeness is not None and likeness.points.shape == (1000, 6)
    assert (likeness.distance(cloud(500, 5)) > 1).mean() < 0.05


def test_a_run_knows_its_training_rows_after_it_is_read(tmp_path: Path):
    run = make(tmp_path)
    predictor = PhotosPredictor.load(run.folder, device="cpu")
    expected = predictor.predict(table()).distance
    assert expected is not None and (expected <= 1).mean() > 0.9
    predictor.save(tmp_path / "copy")
    found = PhotosPredictor.load(tmp_path / "copy", device="cpu").predict(table()).distance
    np.testing.assert_array_equal(found, expected)  # type: ignore[arg-type]


def test_a_run_of_before_answers_without(tmp_path: Path):
    run = make(tmp_path)
    forget(run)
    found = PhotosPredictor.load(run.folder, device="cpu").predict(table())
    assert found.distance is None
    assert np.isfinite(found.raw).all()
    assert found.frame()["unlike"].is_null().all()


def forget(run: Run) -> None:
    """Leaves of a run what was written before there was a distance."""
    path = run.path("preprocessing.json")
    described = json.loads(path.read_text())
    for member in described["members"]:
        del member["unlike"]
    path.write_text(json.dumps(described))
    for path in run.folder.glob("folds/*/model*.safetensors"):
        save_file({k: v for k, v in load_file(path).items() if k != "unlike.points"}, path)


@pytest.fixture(scope="module")
def trained(pasture: PastureWorld, tmp_path_factory: pytest.TempPathFactory) -> Run:
    from quadrat import workflow

    keys = ["views.size=64", "optimiser.epochs=1", "split.folds=3", "score.bootstrap=0"]
    keys.append(f"data.table={pasture.train}")
    return workflow.train("pasture-frozen", out=tmp_path_factory.mktemp("runs"), overrides=keys)


def test_held_out_photos_are_mostly_like_and_no_photos_are_not(
    trained: Run, pasture: PastureWorld, tmp_path: Path
):
    predictor = PhotosPredictor.load(trained.folder, device="cpu")
    samples = predictor.samples(pasture.train)
    oof = pl.read_parquet(trained.path("oof.parquet"))
    unlike = []
    for fold, member in enumerate(predictor.members):
        mine = oof.filter(pl.col("fold") == fold)["sample"].unique().to_list()
        answer = member.answer(samples.take([i in mine for i in samples.ids]), predictor.source)
        assert answer.distance is not None
        unlike += (answer.distance > 1).tolist()
    assert len(unlike) == len(samples) and np.mean(unlike) < 0.25
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        pixels = rng.integers(0, 256, (60, 120, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"noise-{name}.png")
        colour = tuple(int(value) for value in rng.integers(0, 256, 3))
        Image.new("RGB", (120, 60), colour).save(tmp_path / f"plain-{name}.png")
    strange = pl.DataFrame({"image_path": sorted(path.name for path in tmp_path.glob("*.png"))})
    found = predictor.predict(strange, image_root=tmp_path)
    assert found.distance is not None and (found.distance > 1).all()
