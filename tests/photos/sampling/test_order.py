from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from quadrat.errors import DataError, Stopped
from quadrat.photos.curriculum.photos import dimensions
from quadrat.photos.samples.loading import load_samples
from quadrat.photos.sampling.order import sample_order
from quadrat.photos.training import train
from quadrat.runs import Run
from quadrat.runtime.cleaning.photos import Cleaning
from quadrat.runtime.images import PhotoError
from tests.photos.small import small, table
from tests.photos.tables import experiment, save, wide


def samples_of(given):
    return load_samples(given, given.data.table, require_targets=True)


def photos(folder: Path, blades: list[int]) -> pl.DataFrame:
    """A table whose photos show so many blades of grass each."""
    rng = np.random.default_rng(0)
    (folder / "photos").mkdir()
    for row, count in enumerate(blades):
        grey = np.full((300, 400), 60, dtype=np.uint8)
        for _ in range(count):
            top, left = rng.integers(0, 260), rng.integers(0, 400)
            grey[top : top + 40, left] = 220
        Image.fromarray(grey).convert("RGB").save(folder / "photos" / f"{row}.png")
    return wide(len(blades))


def test_a_plain_shuffle_has_no_order(tmp_path):
    given = small(tmp_path)
    assert sample_order(given, samples_of(given)) is None


def test_classes_come_equally_often(tmp_path):
    soils = ["clay"] * 40 + ["sand"] * 6 + [None] * 2
    given = small(
        tmp_path,
        table().with_columns(soil=pl.Series(soils)),
        sampling={"kind": "class", "column": "soil", "power": 1.0},
    )
    samples = samples_of(given)
    order = sample_order(given, samples)
    assert order is not None
    drawn = samples.column("soil")[order.indices(0, 3).numpy()].tolist()
    assert [drawn.count(soil) for soil in ("clay", "sand", None)] == [
        pytest.approx(23, abs=2),
        pytest.approx(23, abs=2),
        pytest.approx(2, abs=1),
    ]


def test_targets_are_drawn_by_rarity(tmp_path):
    given = small(tmp_path, sampling={"kind": "target", "column": "dead_g", "power": 1.0})
    samples = samples_of(given)
    order = sample_order(given, samples)
    assert order is not None and order.weights is not None
    dead = samples.targets[:, given.data.targets.index("dead_g")]
    inner = np.abs(dead - np.median(dead)) < 2
    assert order.weights[dead >= np.sort(dead)[-2]].min() > 2 * order.weights[inner].mean()


def test_simple_photos_of_little_come_first(tmp_path):
    frame = photos(tmp_path, [900, 3, 300, 30, 600, 100])
    given = experiment(
        save(frame, tmp_path, "train.csv"),
        curriculum={"kind": "fractal", "target": "green_g", "stages": 3},
        optimiser={"epochs": 6},
    )
    samples = samples_of(given)
    found = dimensions(samples, workers=1)
    assert np.argsort(found).tolist() == [1, 3, 5, 2, 4, 0]
    order = sample_order(given, samples)
    assert order is not None and order.stages is not None
    assert np.bincount(order.stages).tolist() == [2, 2, 2]
    ranks = np.argsort(np.argsort(found)) + np.argsort(np.argsort(samples.targets[:, 0]))
    assert order.stages.tolist() == [int(np.searchsorted(np.quantile(ranks, [1 / 3, 2 / 3]), r))
                                     for r in ranks]  # fmt: skip


def test_what_is_cut_off_does_not_count_as_intricate(tmp_path):
    frame = photos(tmp_path, [3])
    path = tmp_path / "photos" / "0.png"
    pixels = np.asarray(Image.open(path)).copy()
    pixels[150:] = np.random.default_rng(0).integers(0, 256, pixels[150:].shape)
    Image.fromarray(pixels).save(path)
    given = experiment(save(frame, tmp_path, "train.csv"))
    whole = dimensions(samples_of(given), workers=1)
    upper = dimensions(samples_of(given), clean=Cleaning(bottom_crop=0.5), workers=1)
    assert upper[0] < whole[0] - 0.3
    Image.fromarray(pixels[:150]).save(path)
    assert dimensions(samples_of(given), workers=1) == upper


def test_a_photo_too_small_for_boxes_is_named(tmp_path):
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (40, 20)).save(tmp_path / "photos" / "0.png")
    given = experiment(save(wide(1), tmp_path, "train.csv"))
    with pytest.raises(PhotoError, match=r"0\.png cannot be read: a picture of 40 x 20 pixels"):
        dimensions(samples_of(given), workers=1)


def test_an_empty_stage_ends_the_training_before_it_begins(tmp_path):
    frame = table().with_columns(green_g=pl.lit(3.0), total_g=pl.col("dead_g") + 3.0)
    given = small(tmp_path, frame, curriculum={"kind": "target", "target": "green_g"})
    run = Run.create(tmp_path / "runs", given)
    with pytest.raises(DataError, match="has no samples"):
        train(given, run, history=run.history())
    assert not run.history().records()


def test_a_stopped_run_with_stages_ends_in_the_same_weights(tmp_path):
    given = small(
        tmp_path,
        sampling={"kind": "class", "column": "soil"},
        curriculum={"kind": "target", "target": "dead_g", "stages": 2},
        average={"swa": 0.5},
        run={"save_every": 1},
    )
    run, other = (Run.create(tmp_path / name, given) for name in ("one", "two"))
    train(given, run, history=run.history())

    def interrupt(record):
        if (record["fold"], record["epoch"]) == (1, 3):
            raise Stopped("as a signal would")

    with pytest.raises(Stopped):
        train(given, other, history=other.history(), on_epoch=interrupt)
    train(given, other, history=other.history())
    for name in ("metrics.json", "oof.parquet", "folds/1/model.safetensors"):
        assert run.path(name).read_bytes() == other.path(name).read_bytes()
