"""Maps are those of the network, are computed once a photo, and survive bad caches."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

from quadrat.engine import Progress, report_progress, stops_gracefully
from quadrat.errors import DataError, Stopped, UsageError
from quadrat.photos.depth.architectures import TINY
from quadrat.photos.depth.maps import DepthSource, depth_cache, make_depth_source, seen_size
from quadrat.photos.depth.model import DepthModel, load_depth_model
from quadrat.photos.samples.loading import Samples
from quadrat.runtime.cleaning.photos import Cleaning
from quadrat.runtime.images import ImagePreprocessing, PhotoError, load_view
from tests.photos.tables import experiment, paint

pytest.importorskip("transformers")

COUNT = 7


@pytest.fixture(scope="module")
def model() -> DepthModel:
    return load_depth_model(TINY, "none", seed=3)


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    paint(tmp_path, COUNT, (40, 60))
    return [tmp_path / "photos" / f"{row}.png" for row in range(COUNT)]


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QUADRAT_CACHE", str(tmp_path / "cache"))


def samples(photos: list[Path]) -> Samples:
    """Each photo a sample."""
    nothing = np.zeros((len(photos), 0))
    return Samples(
        ids=tuple(str(row) for row in range(len(photos))),
        images=tuple((path.name,) for path in photos),
        paths=tuple((path,) for path in photos),
        targets=nothing,
        numeric=nothing,
        categorical=nothing.astype(object),
        frame=pl.DataFrame(),
    )


def source(model: DepthModel, *, size: int = 56, map_size: int = 16, cache: bool = True):
    return DepthSource(model, size=size, map_size=map_size, cache=cache)


class Counted(Progress):
    """Sums up the maps that are computed."""

    def __init__(self) -> None:
        self.total = 0

    def task(self, label: str, total: int):
        assert label == "photos to depth maps"
        self.total += total
        return super().task(label, total)


def computed(model: DepthModel, photos: list[Path], **keys: int) -> int:
    counted = Counted()
    with report_progress(counted):
        source(model, **keys).of(samples(photos))
    return counted.total


def test_a_map_is_what_the_network_says_of_the_whole_photo(model: DepthModel, photos: list[Path]):
    maps = source(model, cache=False).of(samples(photos))
    assert (maps.shape, maps.dtype) == ((COUNT, 16, 16), np.float16)
    seen = load_view(photos[2], ImagePreprocessing(size=(42, 70)))
    with torch.inference_mode():
        depth = model(torch.from_numpy(seen[None]))[0].numpy()
    # every pixel of the map is the mean of those it covers, whole or in part
    rows = [slice(int(k * 42 // 16), -int(-(k + 1) * 42 // 16)) for k in range(16)]
    columns = [slice(int(k * 70 // 16), -int(-(k + 1) * 70 // 16)) for k in range(16)]
    expected = np.array([[depth[r, c].mean() for c in columns] for r in rows])
    np.testing.assert_allclose(maps[2], expected, rtol=2e-3, atol=2e-3)
    assert expected.std() > 0.01


@pytest.mark.parametrize(
    ("photo", "expected"),
    [((500, 500), (518, 518)), ((1000, 2000), (364, 728)), ((10, 4000), (28, 10360))],
)
def test_a_photo_keeps_its_proportions(photo: tuple[int, int], expected: tuple[int, int]):
    assert seen_size(photo, 518, 14) == expected


def test_maps_do_not_depend_on_their_neighbours_nor_on_the_cache(
    model: DepthModel, photos: list[Path]
):
    plain = source(model, cache=False).of(samples(photos))
    source(model).of(samples([photos[3], photos[5]]))
    assert computed(model, photos) == COUNT - 2
    assert computed(model, photos) == 0
    kept = source(model)
    np.testing.assert_array_equal(kept.of(samples(photos)), plain)
    np.testing.assert_array_equal(
        kept.of(samples(photos[::-1] + photos[:1])), plain[[*range(COUNT)[::-1], 0]]
    )


def test_the_cache_goes_by_contents_model_and_sizes(model: DepthModel, photos: list[Path]):
    assert computed(model, photos) == COUNT
    shutil.copy(photos[1], photos[0])
    assert computed(model, photos) == 0
    assert computed(model, photos, size=70) == computed(model, photos, map_size=8) == COUNT - 1
    assert computed(load_depth_model(TINY, "none", seed=4), photos) == COUNT - 1
    Image.new("RGB", (20, 20), "green").save(photos[0])
    assert computed(model, photos) == 1


def test_a_damaged_shard_is_computed_again(model: DepthModel, photos: list[Path]):
    plain = source(model).of(samples(photos))
    (shard,) = depth_cache().folder.rglob("*.safetensors")
    contents = bytearray(shard.read_bytes())
    contents[-100] ^= 1
    shard.write_bytes(contents)
    with pytest.warns(UserWarning, match="is damaged"):
        again = source(model).of(samples(photos))
    np.testing.assert_array_equal(again, plain)
    assert computed(model, photos) == 0


def test_a_cache_that_cannot_be_written_is_a_warning(
    model: DepthModel, photos: list[Path], tmp_path: Path
):
    (tmp_path / "cache").write_text("")
    with pytest.warns(UserWarning, match=r"depth\.cache = false"):
        maps = source(model).of(samples(photos))
    assert len(maps) == COUNT


def test_a_wish_to_stop_keeps_what_is_computed(model: DepthModel, photos: list[Path]):
    with stops_gracefully(), pytest.raises(Stopped, match=f"1 of {COUNT} depth maps"):
        signal.raise_signal(signal.SIGTERM)
        source(model).of(samples(photos))
    assert computed(model, photos) == COUNT - 1


def test_what_cannot_be_used_is_named(model: DepthModel, photos: list[Path]):
    photos[4].write_text("no photo")
    with pytest.raises(PhotoError, match=r"4\.png"):
        source(model).of(samples(photos))
    broken = load_depth_model(TINY, "none", seed=3)
    broken.network.head.conv3.bias.fill_(1e6)
    with pytest.raises(DataError, match=r"0\.png is not finite, or beyond 65,504"):
        source(broken, cache=False).of(samples(photos[:1]))


def test_photos_are_cleaned_first(model: DepthModel, photos: list[Path]):
    cropped = DepthSource(
        model, size=56, map_size=16, clean=Cleaning(bottom_crop=0.25), cache=False
    )
    found = cropped.of(samples(photos[:1]))
    image = Image.open(photos[0])
    image.crop((0, 0, 60, 30)).save(photos[1])
    np.testing.assert_array_equal(found, source(model).of(samples(photos[1:2])))
    assert not np.array_equal(found, source(model).of(samples(photos[:1])))


def test_an_experiment_makes_its_source_and_metres_need_a_network_that_says_them(tmp_path: Path):
    depth = {"model": TINY, "weights": "none", "size": 28, "map_size": 16, "cache": False}
    asked = experiment(tmp_path / "t.csv", depth=depth, clean={"bottom_crop": 0.1})
    made = make_depth_source(asked)
    assert made is not None
    assert (made.size, made.map_size, made.cache) == (28, 16, None)
    assert made.clean == Cleaning(bottom_crop=0.1)
    expected = load_depth_model(TINY, "none", seed=asked.seed)
    assert made.model.fingerprint() == expected.fingerprint()
    assert make_depth_source(experiment(tmp_path / "t.csv")) is None
    with pytest.raises(UsageError, match=r"depth\.scale: 'metric' needs a network"):
        make_depth_source(experiment(tmp_path / "t.csv", depth=depth | {"scale": "metric"}))
