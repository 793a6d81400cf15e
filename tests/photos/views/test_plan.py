"""The parts of photos: they cover what they should, and mirroring swaps them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from quadrat.photos.samples.loading import load_samples
from quadrat.photos.schema import ViewsSection
from quadrat.photos.views.plan import ViewPlan
from tests.photos.tables import experiment, paint, save, wide


def plan(**keys: object) -> ViewPlan:
    return ViewPlan.of(ViewsSection.model_validate(keys))


def test_halves_and_tiles_cover_a_photo_once():
    assert plan().boxes == ((0.0, 0.0, 1.0, 1.0),)
    assert plan(kind="halves").boxes == ((0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0))
    tiles = plan(kind="tiles", tiles=[2, 3])
    assert tiles.slots == 6
    area = sum((right - left) * (bottom - top) for left, top, right, bottom in tiles.boxes)
    assert area == pytest.approx(1.0)


def test_a_horizontal_mirroring_swaps_the_halves():
    halves = plan(kind="halves")
    assert halves.box(0, "horizontal") == halves.boxes[1]
    assert halves.box(0, "vertical") == halves.boxes[0]
    tiles = plan(kind="tiles")
    assert [tiles.boxes.index(tiles.box(slot, "both")) for slot in range(4)] == [3, 2, 1, 0]


def test_crops_lie_inside_and_are_the_same_every_time():
    crops = plan(kind="crops", crops=5, crop_side=0.3)
    assert crops == plan(kind="crops", crops=5, crop_side=0.3)
    boxes = np.array(crops.boxes[1:])
    assert crops.boxes[0] == (0.0, 0.0, 1.0, 1.0) and len(boxes) == 5
    assert boxes.min() >= 0.0 and boxes.max() <= 1.0
    np.testing.assert_allclose(boxes[:, 2:] - boxes[:, :2], 0.3)


def test_views_follow_their_samples(tmp_path: Path):
    paint(tmp_path, 4)
    path = save(wide(4), tmp_path)
    samples = load_samples(experiment(path), path, require_targets=True)
    seen = plan(kind="halves").see(samples)
    assert seen.owner.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert seen.slot.tolist() == [0, 1] * 4
    assert [view.path for view in seen.views[::2]] == [paths[0] for paths in samples.paths]


def test_keys_of_other_kinds_are_refused():
    with pytest.raises(ValidationError, match="no tiles"):
        ViewsSection(kind="halves", tiles=(3, 3))
