"""Large activations stay in files, in half precision by choice, and train the same network."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from quadrat.errors import DataError
from quadrat.photos.encoders import create_encoder
from quadrat.photos.features import cache as caching
from quadrat.photos.features import rows as large
from quadrat.photos.features.cache import FeatureCache
from quadrat.photos.features.rows import Rows, chosen, gathered, joined
from quadrat.photos.features.source import FeatureSource
from quadrat.photos.samples.loading import Samples, load_samples
from quadrat.photos.schema import EncoderSection, ViewsSection
from quadrat.photos.views.supply import CachedViews
from tests.photos.tables import experiment, paint, save, wide


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QUADRAT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "LARGE_BYTES", 1)
    monkeypatch.setattr(caching, "LARGE_BYTES", 1)


def samples(folder: Path, count: int = 6) -> Samples:
    paint(folder, count)
    path = save(wide(count), folder)
    return load_samples(experiment(path), path, require_targets=True)


def source(**options: Any) -> FeatureSource:
    section = EncoderSection(name="timm:test_vit", weights="none", train_last_blocks=1)
    return FeatureSource(create_encoder(section, ViewsSection(size=32)), **options)


def test_rows_stand_where_an_array_would():
    array = np.arange(24.0).reshape(6, 2, 2)
    rows = Rows(list(array))
    assert len(rows) == 6 and rows.shape == array.shape
    np.testing.assert_array_equal(rows[1:3], array[1:3])
    places = np.array([5, 0, 5])
    np.testing.assert_array_equal(rows[places], array[places])
    np.testing.assert_array_equal(chosen(rows, places)[:], array[places])
    np.testing.assert_array_equal(joined(rows, rows)[:], np.concatenate([array, array]))
    assert isinstance(gathered(list(array)), np.ndarray)
    assert isinstance(gathered([np.zeros(2**15)]), Rows)


def test_what_is_large_is_mapped_and_says_the_same(tmp_path: Path, everything_is_large: None):
    there = samples(tmp_path)
    plain = source(cache=True)
    mapped = plain.held(there).arrays[0]
    assert isinstance(mapped, Rows)
    assert all(isinstance(row.base, np.memmap) or isinstance(row, np.memmap) for row in mapped.rows)
    section = EncoderSection(name="timm:test_vit", weights="none", train_last_blocks=1)
    views = CachedViews([[mapped], [mapped]], np.arange(6), seed=0)
    assert views.ahead
    taken = views.take(torch.tensor([4, 1]), 0)[0]
    encoder = create_encoder(section, ViewsSection(size=32))
    live = FeatureSource(encoder, cache=False).views(there).take(torch.tensor([4, 1]), 0)[0]
    torch.testing.assert_close(taken, live, rtol=1e-5, atol=1e-5)


def test_half_precision_rounds_at_the_fourth_digit_and_keeps_vectors_whole(tmp_path: Path):
    there = samples(tmp_path)
    full, half = source(half=False).held(there), source(half=True).held(there)
    assert half.arrays[0].dtype == np.float16  # type: ignore[union-attr]
    np.testing.assert_allclose(half.arrays[0][:], full.arrays[0][:], rtol=2e-3, atol=2e-3)
    assert not np.array_equal(half.arrays[0][:], full.arrays[0][:])
    taken = source(half=True).views(there).take(torch.arange(2), 0)
    assert all(part.dtype == torch.float32 for part in taken)


def test_too_little_room_is_told_before_anything_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(DataError, match="GB left") as caught:
        source().held(samples(tmp_path))
    assert "QUADRAT_CACHE" in str(caught.value)
    assert not list((tmp_path / "cache").rglob("*.safetensors"))


def test_a_truncated_file_is_computed_again(tmp_path: Path, everything_is_large: None):
    cache = FeatureCache(tmp_path)
    cache.write(
        "space", {"a": (np.ones((3, 4), np.float32),), "b": (np.zeros((3, 4), np.float32),)}
    )
    (shard,) = tmp_path.rglob("*.safetensors")
    found = cache.read("space", ["a", "b"])
    np.testing.assert_array_equal(found["a"][0], np.ones((3, 4)))
    del found
    shard.write_bytes(shard.read_bytes()[:-8])
    with pytest.warns(UserWarning, match="damaged"):
        assert cache.read("space", ["a"]) == {}
