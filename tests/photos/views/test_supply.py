"""Views: mirrored by (seed, epoch, photo) alone, a photo's parts together, decoded once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from quadrat.photos.augment.variation import Variation
from quadrat.photos.schema import ViewsSection
from quadrat.photos.views.plan import MIRRORED, SeenViews, View, ViewPlan, mirrored
from quadrat.photos.views.supply import CachedViews, LiveViews, draw, photo_of
from quadrat.runtime.images import ImagePreprocessing, load_view, open_photo, prepare

PREPROCESSING = ImagePreprocessing(size=(8, 10))


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{k}.png" for k in range(7)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (9, 12, 3)).astype(np.uint8)).save(path)
    return paths


def seen(paths: Sequence[Path], slots: int = 1) -> SeenViews:
    """One sample a photo."""
    views = tuple(View(path, slot) for path in paths for slot in range(slots))
    owner = np.repeat(np.arange(len(paths)), slots)
    return SeenViews(views, owner, np.tile(np.arange(slots), len(paths)))


def test_drawing_depends_on_seed_and_epoch_alone_and_uses_all_choices():
    torch.manual_seed(1)
    photo = torch.arange(1000)
    first = draw(4, photo, 7, 2)
    torch.manual_seed(2)
    torch.testing.assert_close(first, draw(4, photo, 7, 2))
    assert (torch.bincount(first) > 200).all()
    assert not torch.equal(first, draw(4, photo, 7, 3))
    assert not torch.equal(first, draw(4, photo, 8, 2))


def test_mirrorings():
    view = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    np.testing.assert_array_equal(mirrored(view, "none"), view)
    np.testing.assert_array_equal(mirrored(view, "horizontal"), view[:, :, ::-1])
    np.testing.assert_array_equal(mirrored(view, "vertical"), view[:, ::-1])
    np.testing.assert_array_equal(mirrored(view, "both"), view[:, ::-1, ::-1])
    assert [len(MIRRORED[flips]) for flips in ("none", "horizontal", "vertical", "both")] == [
        1, 2, 2, 4
    ]  # fmt: skip


def test_live_photos_are_decoded_and_mirrored(photos: list[Path]):
    views = LiveViews(
        seen(photos),
        ViewPlan(),
        PREPROCESSING,
        mirrorings=MIRRORED["both"],
        variation=Variation(seed=1),
        workers=2,
    )
    rows = torch.tensor([4, 0, 2, 6, 5])
    drawn = draw(4, torch.arange(7), 1, 3)[rows].tolist()
    assert len(set(drawn)) > 1
    (taken,) = views.take(rows, epoch=3)
    for place, (row, choice) in enumerate(zip(rows.tolist(), drawn, strict=True)):
        view = load_view(photos[row], PREPROCESSING)
        expected = mirrored(view, MIRRORED["both"][choice])
        np.testing.assert_array_equal(taken[place].numpy(), expected)


def test_the_parts_of_a_photo_are_cut_mirrored_and_kept_together(photos: list[Path]):
    plan = ViewPlan.of(ViewsSection(kind="halves"))
    live = LiveViews(
        seen(photos, 2),
        plan,
        PREPROCESSING,
        mirrorings=MIRRORED["horizontal"],
        variation=Variation(seed=1),
    )
    rows = torch.tensor([0, 1, 8, 9, 5])
    drawn = draw(2, torch.from_numpy(photo_of(plan, 14)), 1, 3)
    assert (drawn[::2] == drawn[1::2]).all() and len(set(drawn.tolist())) == 2
    (taken,) = live.take(rows, epoch=3)
    for part, row in zip(taken.numpy(), rows.tolist(), strict=True):
        photo = open_photo(photos[row // 2], at_least=None)
        if drawn[row]:
            photo = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        half = photo.crop((0, 0, 6, 9) if row % 2 == 0 else (6, 0, 12, 9))
        np.testing.assert_allclose(part, prepare(half, PREPROCESSING), atol=0.03)


def test_what_is_kept_is_drawn_photo_by_photo():
    arrays = [np.arange(8, dtype=np.float32)[:, None] + 100 * variant for variant in range(4)]
    photo = np.repeat(np.arange(4), 2)
    views = CachedViews([[array, 2 * array] for array in arrays], photo, seed=2)
    rows = torch.arange(8)
    first, second = views.take(rows, epoch=1)
    drawn = draw(4, torch.from_numpy(photo), 2, 1)
    assert first[:, 0].tolist() == [100 * int(drawn[row]) + row for row in range(8)]
    torch.testing.assert_close(second, 2 * first)
