"""Batches: the right views, metadata and targets for the right samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from quadrat.photos.batches import SampleBatches, view_rows
from quadrat.photos.fusion import Metadata
from quadrat.photos.views.plan import SeenViews, View, ViewPlan
from quadrat.photos.views.supply import CachedViews, LiveViews
from quadrat.runtime.images import ImagePreprocessing, PhotoError, load_view

OWNER = np.array([0, 0, 1, 2, 2, 2, 3], dtype=np.int64)
PHOTOS = np.arange(7)
NAMES = ("a", "b", "c", "d")
PREPROCESSING = ImagePreprocessing(size=(8, 10))


def metadata(rows: int = 4) -> Metadata:
    numeric = torch.arange(float(rows))[:, None]
    return Metadata(numeric, torch.zeros(rows, 1), torch.zeros(rows, 0, dtype=torch.int64))


def targets() -> np.ndarray:
    return np.arange(4.0)[:, None]


def seen(paths: Sequence[Path] = ()) -> SeenViews:
    places = paths or [Path(f"{k}.png") for k in PHOTOS]
    views = tuple(View(path, 0) for path in places)
    return SeenViews(views, OWNER, np.zeros(7, dtype=np.int64))


def batches(**options: object) -> SampleBatches:
    matrix = np.arange(7, dtype=np.float32)[:, None]
    views = CachedViews([[matrix], [matrix + 100]], PHOTOS, seed=3)
    given = {"batch_size": 3, "seed": 3, "shuffle": True, **options}
    return SampleBatches(views, seen(), metadata(), targets(), NAMES, **given)  # type: ignore[arg-type]


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{k}.png" for k in range(7)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (9, 12, 3)).astype(np.uint8)).save(path)
    return paths


@given(st.lists(st.integers(1, 4), min_size=1, max_size=8), st.data())
def test_rows_and_owners_agree_with_a_loop(counts: list[int], data: st.DataObject):
    index = data.draw(st.lists(st.integers(0, len(counts) - 1), min_size=1, max_size=10))
    starts = [sum(counts[:k]) for k in range(len(counts))]
    rows, owner = view_rows(torch.tensor(starts), torch.tensor(counts), torch.tensor(index))
    expected = [(starts[k] + v, b) for b, k in enumerate(index) for v in range(counts[k])]
    assert list(zip(rows.tolist(), owner.tolist(), strict=True)) == expected


def test_an_epoch_brings_every_sample_once_with_what_belongs_to_it():
    seen = []
    for batch in batches().epoch(0):
        for place, name in enumerate(batch.sample_ids()):
            sample = NAMES.index(name)
            mine = batch.views[0][batch.owner == place, 0] % 100
            assert mine.tolist() == np.flatnonzero(sample == OWNER).tolist()
            assert float(batch.targets[place]) == sample
            assert float(batch.metadata.numeric[place]) == sample
            seen.append(name)
    assert sorted(seen) == list(NAMES)


def test_weights_come_with_their_samples():
    for batch in batches(weights=np.array([1.0, 0.5, 0.25, 2.0])).epoch(0):
        assert batch.weights is not None
        wanted = [(1.0, 0.5, 0.25, 2.0)[NAMES.index(name)] for name in batch.sample_ids()]
        assert batch.weights.tolist() == wanted
    assert next(batches().epoch(0)).weights is None


def test_an_epoch_can_be_taken_up_in_its_middle():
    whole = [batch.views[0] for batch in batches().epoch(5)]
    rest = [batch.views[0] for batch in batches().epoch(5, start=1)]
    assert len(whole) == len(batches()) == 2
    torch.testing.assert_close(rest[0], whole[1])


def test_samples_can_come_twice_with_other_metadata():
    known = metadata()
    twice = SampleBatches(
        CachedViews([[np.arange(7, dtype=np.float32)[:, None]]], PHOTOS, seed=0),
        seen(),
        known.joined(known.hidden()),
        targets(),
        NAMES,
        batch_size=4,
    )
    first, second = twice.epoch(0)
    torch.testing.assert_close(first.views[0], second.views[0])
    torch.testing.assert_close(first.targets, second.targets)
    assert first.sample_ids() == second.sample_ids() == list(NAMES)
    assert (second.metadata.missing == 1).all()
    assert (first.metadata.missing == 0).all()


def test_two_processes_share_an_epoch():
    halves = [batches(rank=rank, world=2) for rank in range(2)]
    names = [name for half in halves for batch in half.epoch(1) for name in batch.sample_ids()]
    assert sorted(names) == list(NAMES)


def test_a_state_of_another_order_is_refused():
    with pytest.raises(ValueError, match="not this one"):
        batches().load_state_dict(batches(seed=4).state_dict())


def test_live_batches_come_in_order_though_they_are_made_ahead(photos: list[Path]):
    views = LiveViews(seen(photos), ViewPlan(), PREPROCESSING)
    live = SampleBatches(views, seen(photos), metadata(), targets(), NAMES, batch_size=3)
    made = list(live.epoch(0))
    assert [batch.sample_ids() for batch in made] == [["a", "b", "c"], ["d"]]
    assert made[0].views[0].shape == (6, 3, 8, 10)
    np.testing.assert_array_equal(made[1].views[0][0].numpy(), load_view(photos[6], PREPROCESSING))


def test_a_photo_that_cannot_be_read_is_named(photos: list[Path]):
    photos[3].write_bytes(b"no photo")
    views = LiveViews(seen(photos), ViewPlan(), PREPROCESSING)
    live = SampleBatches(views, seen(photos), metadata(), targets(), NAMES, batch_size=2)
    made = live.epoch(0)
    assert next(made).sample_ids() == ["a", "b"]
    with pytest.raises(PhotoError, match=r"3\.png"):
        next(made)
