"""Features are computed once, do not depend on their neighbours, and survive bad caches."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from quadrat.caches import cache_folder
from quadrat.engine import stops_gracefully
from quadrat.errors import DataError, Stopped
from quadrat.photos.encoders import PhotoEncoder, create_encoder
from quadrat.photos.features.cache import FeatureCache
from quadrat.photos.features.encoding import Encoding, HeldViews, content_hash, encode_views
from quadrat.photos.samples.loading import Samples, load_samples
from quadrat.photos.schema import CleanSection, EncoderSection, ViewsSection
from quadrat.photos.views.looks import Look
from quadrat.photos.views.plan import Flips
from quadrat.runtime.images import PhotoError, load_view
from tests.photos.tables import experiment, paint, save, wide

COUNT = 11


@pytest.fixture(scope="module")
def encoder() -> PhotoEncoder:
    section = EncoderSection(name="timm:test_efficientnet", weights="none")
    return create_encoder(section, ViewsSection(size=32))


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    paint(tmp_path, COUNT)
    path = save(wide(COUNT), tmp_path)
    return load_samples(experiment(path), path, require_targets=True)


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "cache")


def shards(cache: FeatureCache) -> list[Path]:
    return sorted(cache.folder.rglob("*.safetensors"))


def held(
    encoder: PhotoEncoder, samples: Samples, *, flip: Flips = "none", **options: Any
) -> HeldViews:
    """What the encoder holds, in batches of four."""
    encoding = Encoding(encoder.preprocessing, look=Look(flip), batch_size=4)
    return encode_views(encoder, samples, encoding, **options)


def matrix(*given: Any, **options: Any) -> np.ndarray:
    """The vectors that the encoder holds."""
    (vectors,) = held(*given, **options).arrays
    return vectors


def computed(encoder: PhotoEncoder, samples: Samples, cache: FeatureCache | None) -> int:
    """How many photos are computed."""
    seen = [0]
    held(encoder, samples, cache=cache, progress=lambda _, total: seen.append(total))
    return seen[-1]


def test_features_are_those_of_the_encoder(encoder: PhotoEncoder, samples: Samples):
    features = held(encoder, samples)
    assert features.arrays[0].shape == (COUNT, encoder.width)
    assert features.owner.tolist() == list(range(COUNT))
    views = np.stack([load_view(path[0], encoder.preprocessing) for path in samples.paths])
    with torch.no_grad():
        expected = encoder(torch.from_numpy(views)).vectors.numpy()
    np.testing.assert_allclose(features.arrays[0], expected, rtol=1e-4, atol=1e-5)


def test_a_photo_does_not_depend_on_its_neighbours(encoder: PhotoEncoder, samples: Samples):
    together = matrix(encoder, samples)
    for index in ([9], [5, 0], [10, 9, 8, 7, 6], list(range(COUNT))[::-1]):
        apart = matrix(encoder, samples.take(index))
        np.testing.assert_array_equal(apart, together[index])


def test_a_cache_changes_no_bit_whatever_it_holds(
    encoder: PhotoEncoder, samples: Samples, cache: FeatureCache
):
    plain = matrix(encoder, samples)
    held(encoder, samples.take([3, 7]), cache=cache)
    assert computed(encoder, samples, cache) == COUNT - 2
    assert computed(encoder, samples, cache) == 0
    cached = matrix(encoder, samples, cache=cache)
    np.testing.assert_array_equal(cached, plain)


def test_the_cache_goes_by_contents_and_not_by_name(
    encoder: PhotoEncoder, samples: Samples, cache: FeatureCache
):
    assert computed(encoder, samples, cache) == COUNT
    first, second = samples.paths[0][0], samples.paths[1][0]
    shutil.copy(second, first)
    assert computed(encoder, samples, cache) == 0
    vectors = matrix(encoder, samples, cache=cache)
    np.testing.assert_array_equal(vectors[0], vectors[1])
    Image.new("RGB", (20, 20), "green").save(first)
    assert computed(encoder, samples, cache) == 1


def test_whatever_decides_a_vector_is_a_space_of_its_own(samples: Samples, cache: FeatureCache):
    def counted(
        size: int = 32, fit: str = "squash", pool: str = "auto", seed: int = 0, crop: float = 0.0
    ) -> int:
        section = EncoderSection(name="timm:test_efficientnet", weights="none", pool=pool)
        clean = CleanSection(bottom_crop=crop)
        encoder = create_encoder(section, ViewsSection(size=size, fit=fit), clean, seed=seed)
        return computed(encoder, samples, cache)

    assert [counted() for _ in range(2)] == [COUNT, 0]
    assert counted(size=48) == counted(fit="pad") == counted(pool="max") == counted(seed=1) == COUNT
    assert counted(crop=0.1) == COUNT
    assert counted() == 0


def test_mirrored_photos_are_cached_apart(
    encoder: PhotoEncoder, samples: Samples, cache: FeatureCache
):
    upright = matrix(encoder, samples, cache=cache)
    mirrored = {}
    for flip in ("horizontal", "vertical", "both"):
        mirrored[flip] = matrix(encoder, samples, cache=cache, flip=flip)
        assert not np.allclose(mirrored[flip], upright)
    for (path,) in samples.paths:
        Image.open(path).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path)
    again = matrix(encoder, samples, cache=cache)
    np.testing.assert_allclose(again, mirrored["horizontal"], rtol=1e-3, atol=1e-4)


def test_sets_give_a_vector_for_each_photo(encoder: PhotoEncoder, tmp_path: Path):
    paint(tmp_path)
    path = save(wide().select("image_path", "site"), tmp_path)
    sets = load_samples(experiment(path, data={"sample": "site"}), path, require_targets=False)
    features = held(encoder, sets)
    assert features.arrays[0].shape == (6, encoder.width)
    assert features.owner.tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("damage", ["cut", "flipped", "text"])
def test_a_damaged_shard_is_computed_again(
    encoder: PhotoEncoder, samples: Samples, cache: FeatureCache, damage: str
):
    plain = matrix(encoder, samples, cache=cache)
    (shard,) = shards(cache)
    contents = bytearray(shard.read_bytes())
    if damage == "cut":
        contents = contents[:-100]
    elif damage == "flipped":
        contents[-100] ^= 1
    else:
        contents = bytearray(b"not a shard")
    shard.write_bytes(contents)
    with pytest.warns(UserWarning, match="is damaged"):
        again = matrix(encoder, samples, cache=cache)
    np.testing.assert_array_equal(again, plain)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert computed(encoder, samples, cache) == 0


def test_many_shards_are_merged(cache: FeatureCache):
    vectors = {f"{k:03d}": np.full(4, k, dtype=np.float32) for k in range(40)}
    for key, vector in vectors.items():
        cache.write("space", {key: vector})
    assert len(shards(cache)) < 20
    found = cache.read("space", vectors)
    assert found.keys() == vectors.keys()
    for key, vector in vectors.items():
        np.testing.assert_array_equal(found[key], vector)
    assert cache.read("other space", vectors) == {}


WRITER = """
import sys, warnings
from pathlib import Path
from typing import Any
import numpy as np
from quadrat.caches import cache_folder
from quadrat.photos.features.cache import FeatureCache

folder, offset = Path(sys.argv[1]), int(sys.argv[2])
warnings.simplefilter("error")
cache = FeatureCache(folder)
for k in range(40):
    number = (k * 7 + offset) % 40
    cache.write("space", {f"{number:03d}": (np.full(8, number, dtype=np.float32),)})
    for key, (vector,) in cache.read("space", ["000", f"{number:03d}"]).items():
        assert (vector == int(key)).all()
"""


def test_processes_share_a_cache(tmp_path: Path):
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    workers = [subprocess.Popen([*command, str(20 * k)]) for k in range(2)]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    found = FeatureCache(tmp_path).read("space", [f"{k:03d}" for k in range(40)])
    assert sorted(found) == [f"{k:03d}" for k in range(40)]
    assert all((vector == int(key)).all() for key, (vector,) in found.items())
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser can write anywhere")
def test_a_cache_that_cannot_be_written_is_a_warning(
    encoder: PhotoEncoder, samples: Samples, tmp_path: Path
):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.warns(UserWarning, match="QUADRAT_CACHE"):
        held(encoder, samples, cache=FeatureCache(tmp_path / "locked"))


def test_a_file_in_the_place_of_a_cache_is_a_warning(
    encoder: PhotoEncoder, samples: Samples, tmp_path: Path
):
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match="QUADRAT_CACHE"):
        features = held(encoder, samples, cache=FeatureCache(tmp_path / "file"))
    assert features.arrays[0].shape[0] == COUNT


def test_the_cache_lies_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("QUADRAT_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    assert FeatureCache().folder == tmp_path / "features"
    monkeypatch.delenv("QUADRAT_CACHE")
    assert cache_folder().name == "quadrat"


def test_unreadable_photos_are_named(encoder: PhotoEncoder, samples: Samples, cache: FeatureCache):
    samples.paths[4][0].write_text("no photo")
    with pytest.raises(PhotoError, match=r"4\.png"):
        held(encoder, samples)
    samples.paths[5][0].unlink()
    with pytest.raises(PhotoError, match=r"5\.png cannot be read: the file does not exist"):
        held(encoder, samples, cache=cache)
    with pytest.raises(PhotoError, match="cannot be opened"):
        content_hash(samples.paths[0][0].parent)


def test_an_encoder_that_overflows_is_an_error(samples: Samples):
    section = EncoderSection(name="timm:test_efficientnet", weights="none")
    encoder = create_encoder(section, ViewsSection(size=32))
    encoder.model.bn2.weight.fill_(float("inf"))
    with pytest.raises(DataError, match=r"0\.png is not finite"):
        held(encoder, samples)


def test_a_learning_encoder_keeps_its_mode_and_its_statistics(samples: Samples):
    section = EncoderSection(name="timm:test_efficientnet", weights="none", train="all")
    encoder = create_encoder(section, ViewsSection(size=32)).train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    first = held(encoder, samples)
    assert encoder.training
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        second = held(encoder, samples)
    np.testing.assert_array_equal(first.arrays[0], second.arrays[0])


def test_a_wish_to_stop_keeps_what_is_encoded(
    encoder: PhotoEncoder, samples: Samples, cache: FeatureCache
):
    with stops_gracefully(), pytest.raises(Stopped, match=f"1 of {len(samples)}"):
        signal.raise_signal(signal.SIGTERM)
        held(encoder, samples, cache=cache)
    assert len(shards(cache)) == 1
    assert computed(encoder, samples, cache) == len(samples) - 1
