"""Photos are varied by (seed, epoch, photo) alone, as far as asked, and keep their size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from quadrat.photos.augment.recolouring import Strength
from quadrat.photos.augment.variation import POLICIES, Variation, within
from quadrat.photos.schema import AugmentSection
from quadrat.photos.views.plan import SeenViews, View, ViewPlan
from quadrat.photos.views.supply import LiveViews
from quadrat.runtime.images import WHOLE, ImagePreprocessing

PREPROCESSING = ImagePreprocessing(size=(24, 32))


def photo() -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3)).astype(np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("policy", list(POLICIES))
def test_every_policy_keeps_the_size_and_depends_on_seed_epoch_and_photo_alone(policy: str):
    variation = Variation.of(AugmentSection(policy=policy), 5)
    looks = {
        key: np.asarray(variation.changes(*key, (0, 0, 0))(photo()))
        for key in ((0, 0), (0, 1), (1, 0))
    }
    assert all(look.shape == (24, 32, 3) for look in looks.values())
    again = np.asarray(variation.changes(0, 1, (0, 0, 0))(photo()))
    np.testing.assert_array_equal(again, looks[0, 1])
    same = [np.array_equal(looks[0, 0], looks[key]) for key in ((0, 1), (1, 0))]
    assert all(same) if policy == "none" else not any(same)


def test_a_gentle_change_is_small_and_a_key_overrules_its_policy():
    gentle = Variation.of(AugmentSection(policy="gentle"), 0)
    plain = np.asarray(photo(), dtype=float)
    changed = np.asarray(gentle.changes(0, 0, (0, 0, 0))(photo()), dtype=float)
    assert 0.0 < np.abs(changed - plain).mean() < 20.0
    still = Variation.of(AugmentSection(policy="gentle", colour=0.0, hue=0.0), 0)
    assert still.strength == Strength()


def test_shrinking_and_turning_fill_the_frame_with_the_given_colour():
    small = Strength(shrink=0.5)
    shrunk = np.asarray(small.draw(np.random.default_rng(1)).applied(photo(), (9, 8, 7)))
    assert (shrunk[0] == (9, 8, 7)).all() and (shrunk[12, 16] != (9, 8, 7)).any()
    turned = np.asarray(
        Strength(rotate=90.0).draw(np.random.default_rng(1)).applied(photo(), (9, 8, 7))
    )
    assert (turned[0, 0] == (9, 8, 7)).all()


def test_crops_keep_the_share_that_is_told_and_proportions():
    variation = Variation(crop=0.5, seed=3)
    boxes = np.array([variation.box(2, number) for number in range(200)])
    sides = boxes[:, 2:] - boxes[:, :2]
    np.testing.assert_allclose(sides[:, 0], sides[:, 1])
    areas = sides.prod(axis=1)
    assert 0.5 <= areas.min() < 0.55 and 0.95 < areas.max() <= 1.0
    assert boxes.min() >= 0.0 and boxes.max() <= 1.0 + 1e-9
    np.testing.assert_allclose(variation.share(2, np.arange(200)), areas, rtol=1e-5)
    assert Variation().box(0, 0) == WHOLE


def test_simulated_stamps_mark_the_edge_and_leave_all_else_to_its_own_chance():
    grey = Image.new("RGB", (320, 200), (90, 90, 90))
    marked = Variation.of(AugmentSection(policy="none", simulate_stamps=1.0), 5)
    looks = [np.asarray(marked.changes(epoch, 3, (0, 0, 0))(grey)) for epoch in (0, 1)]
    assert not np.array_equal(*looks)
    for look in looks:
        changed = (look != 90).any(axis=2)
        assert changed[:50].any() or changed[-50:].any()
        assert changed.mean() < 0.2
    seen = Variation.of(AugmentSection(policy="strong", crop=0.5, simulate_stamps=1e-9), 5)
    plain = Variation.of(AugmentSection(policy="strong", crop=0.5), 5)
    assert seen.box(2, 3) == plain.box(2, 3)
    pair = [np.asarray(one.changes(2, 3, (0, 0, 0))(grey)) for one in (seen, plain)]
    np.testing.assert_array_equal(*pair)


def test_live_views_bear_the_same_stamps_in_an_epoch_that_is_seen_again(tmp_path: Path):
    path = tmp_path / "a.png"
    Image.new("RGB", (320, 200), (120, 90, 60)).save(path)
    seen = SeenViews((View(path, 0),), np.zeros(1, np.int64), np.arange(1))

    def view(probability: float, epoch: int) -> torch.Tensor:
        section = AugmentSection(policy="none", simulate_stamps=probability)
        variation = Variation.of(section, 1)
        preprocessing = ImagePreprocessing(size=(200, 320))
        live = LiveViews(seen, ViewPlan(), preprocessing, variation=variation)
        return live.take(torch.arange(1), epoch)[0][0]

    plain, first, second = view(0.0, 0), view(1.0, 0), view(1.0, 1)
    edges = torch.cat([(first - plain).abs()[:, :50], (first - plain).abs()[:, -50:]])
    assert edges.max() > 0.3
    assert not torch.equal(first, second)
    torch.testing.assert_close(view(1.0, 1), second, rtol=0.0, atol=0.0)


def test_a_part_of_a_part():
    assert within((0.5, 0.0, 1.0, 1.0), (0.5, 0.5, 1.0, 1.0)) == (0.75, 0.5, 1.0, 1.0)


def test_live_views_are_varied_alike_in_all_parts_and_anew_in_every_epoch(tmp_path: Path):
    path = tmp_path / "a.png"
    Image.new("RGB", (40, 30), (120, 90, 60)).save(path)
    plan = ViewPlan(((0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)))
    seen = SeenViews((View(path, 0), View(path, 1)), np.zeros(2, np.int64), np.arange(2))
    variation = Variation.of(AugmentSection(policy="strong", rotate=0.0), 1)
    live = LiveViews(seen, plan, PREPROCESSING, variation=variation)
    (first,) = live.take(torch.arange(2), 0)
    torch.testing.assert_close(first[0], first[1])
    (other,) = live.take(torch.arange(2), 1)
    assert not torch.allclose(first, other)
