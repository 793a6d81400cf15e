"""Maps are cut and mirrored as their photos are, view by view and epoch by epoch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from quadrat.photos.augment.recolouring import Strength
from quadrat.photos.augment.variation import Variation
from quadrat.photos.depth.views import DepthViews
from quadrat.photos.samples.loading import load_samples
from quadrat.photos.schema import ViewsSection
from quadrat.photos.views.plan import D4, MIRRORED, Flips, ViewPlan
from quadrat.photos.views.supply import CachedViews, LiveViews, photo_of
from quadrat.runtime.images import ImagePreprocessing, load_view
from tests.photos.tables import experiment, paint, save, wide

COUNT = 6
SIDE = 16
SEED = Variation(seed=5)


@pytest.mark.parametrize("mirrorings", [*MIRRORED.values(), D4], ids=[*MIRRORED, "d4"])
@pytest.mark.parametrize(
    ("kind", "size"), [("whole", (16, 16)), ("halves", (16, 8)), ("tiles", (8, 8))]
)
def test_maps_are_those_of_live_photos(
    tmp_path: Path, mirrorings: tuple[Flips, ...], kind: str, size: tuple[int, int]
):
    """Photos of the size of the maps: then no part is resized, and reds and maps must agree."""
    paint(tmp_path, COUNT, (SIDE, SIDE))
    table = save(wide(COUNT), tmp_path)
    samples = load_samples(experiment(table), table, require_targets=True)
    if mirrorings == D4 and kind == "halves":
        pytest.skip("photos that are not square are not turned")
    plan, preprocessing = ViewPlan.of(ViewsSection(kind=kind)), ImagePreprocessing(size=size)
    live = LiveViews(plan.see(samples), plan, preprocessing, mirrorings=mirrorings, variation=SEED)
    whole = ImagePreprocessing(size=(SIDE, SIDE))
    reds = np.stack([load_view(path, whole)[0] for (path,) in samples.paths])
    maps = DepthViews(reds, plan, mirrorings=mirrorings, variation=SEED)
    seen = set()
    for epoch in range(4):
        rows = torch.arange(COUNT * plan.slots)[2:]
        (photos,), depth = live.take(rows, epoch), maps.take(rows, epoch)
        assert depth.dtype == torch.float32
        assert depth.shape == (len(rows), 1, SIDE, SIDE)
        narrower = torch.nn.functional.adaptive_avg_pool2d(depth, size)
        enlarged = torch.nn.functional.interpolate(photos[:, :1], (SIDE, SIDE), mode="bilinear")
        expected = torch.nn.functional.adaptive_avg_pool2d(enlarged, size)
        inside = (..., slice(1, -1), slice(1, -1))  # at a cut, a map still sees its neighbour
        torch.testing.assert_close(narrower[inside], expected[inside], rtol=2e-3, atol=2e-3)
        seen |= {tuple(row.flatten().tolist()) for row in depth}
    assert (len(seen) > len(rows)) == (len(mirrorings) > 1)


def test_maps_are_mirrored_with_cached_vectors():
    names = MIRRORED["both"]
    flips = {"none": (), "horizontal": (2,), "vertical": (1,), "both": (1, 2)}
    maps = np.random.default_rng(0).normal(size=(COUNT, 3, 4)).astype(np.float16)
    vectors = [np.flip(maps, flips[name]).reshape(COUNT, -1).astype(np.float32) for name in names]
    photo = photo_of(ViewPlan(), COUNT)
    cached = CachedViews([(v,) for v in vectors], photo, seed=2)
    views = DepthViews(
        maps.astype(np.float32), mirrorings=MIRRORED["both"], variation=Variation(seed=2)
    )
    rows = torch.arange(COUNT)
    for epoch in range(3):
        taken = views.take(rows, epoch)
        assert taken.shape == (COUNT, 1, 3, 4)
        torch.testing.assert_close(taken.flatten(1), cached.take(rows, epoch)[0])


def test_maps_are_cropped_with_their_photos(tmp_path: Path):
    """A smooth photo, so that other ways of resizing say the same of a part."""
    paint(tmp_path, COUNT)
    across, down = np.meshgrid(np.arange(64), np.arange(64))
    for row in range(COUNT):
        reds = (3 * across + (row + 1) * 0.1 * down).astype(np.uint8)
        Image.fromarray(np.stack([reds] * 3, axis=2)).save(tmp_path / "photos" / f"{row}.png")
    table = save(wide(COUNT), tmp_path)
    samples = load_samples(experiment(table), table, require_targets=True)
    plan, variation = ViewPlan.of(ViewsSection(kind="halves")), Variation(crop=0.3, seed=4)
    size = ImagePreprocessing(size=(64, 64))
    live = LiveViews(
        plan.see(samples), plan, size, mirrorings=MIRRORED["both"], variation=variation
    )
    reds = np.stack([load_view(path, size)[0] for (path,) in samples.paths])
    maps = DepthViews(reds, plan, mirrorings=MIRRORED["both"], variation=variation)
    rows = torch.arange(COUNT * 2)
    for epoch in range(2):
        (photos,), depth = live.take(rows, epoch), maps.take(rows, epoch)
        inside = (..., slice(4, -4), slice(4, -4))
        assert (depth - photos[:, :1])[inside].abs().max() < 0.1 * reds.std()


@pytest.mark.parametrize(
    "strength", [{"rotate": 60.0}, {"shrink": 0.7}, {"rotate": 30.0, "shrink": 0.4}]
)
@pytest.mark.parametrize("size", [(64, 64), (64, 32)], ids=["whole", "halves"])
def test_maps_are_rotated_and_shrunk_with_their_photos(
    tmp_path: Path, size: tuple[int, int], strength: dict[str, float]
):
    """Smooth photos; around what is rotated they are black, and nothing can be compared."""
    paint(tmp_path, COUNT)
    across, down = np.meshgrid(np.arange(64), np.arange(64))
    for row in range(COUNT):
        reds = (40 + 2.0 * across + (row + 1) * 0.2 * down).astype(np.uint8)
        Image.fromarray(np.stack([reds] * 3, axis=2)).save(tmp_path / "photos" / f"{row}.png")
    table = save(wide(COUNT), tmp_path)
    samples = load_samples(experiment(table), table, require_targets=True)
    plan = ViewPlan.of(ViewsSection(kind="whole" if size[1] == 64 else "halves"))
    variation = Variation(Strength(**strength), seed=4)
    mirrorings = MIRRORED["both"]
    live = LiveViews(
        plan.see(samples),
        plan,
        ImagePreprocessing(size=size, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
        mirrorings=mirrorings,
        variation=variation,
    )
    square = ImagePreprocessing(size=(64, 64), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    reds = np.stack([load_view(path, square)[0] for (path,) in samples.paths])
    maps = DepthViews(
        reds, plan, mirrorings=mirrorings, variation=variation, aspect=size[1] / size[0]
    )
    still = DepthViews(reds, plan, mirrorings=mirrorings, variation=Variation(seed=4))
    rows = torch.arange(COUNT * plan.slots)
    moved = []
    for epoch in range(3):
        (photos,) = live.take(rows, epoch)
        depth = torch.nn.functional.interpolate(maps.take(rows, epoch), size, mode="area")
        before = torch.nn.functional.interpolate(still.take(rows, epoch), size, mode="area")
        inside = torch.nn.functional.max_pool2d((photos[:, :1] == 0.0).float(), 5, 1, 2) == 0.0
        assert inside.float().mean() > 0.15
        # What a rotated photo's edge blends with its surroundings cannot be told from its inside.
        assert (depth - photos[:, :1])[inside].abs().quantile(0.97) < 0.03
        moved.append((before - photos[:, :1])[inside].abs().quantile(0.97))
    assert max(moved) > 0.05
