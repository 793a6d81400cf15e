from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from scipy import ndimage

from quadrat.photos.samples.audit import audit_photos
from quadrat.photos.samples.loading import load_samples
from quadrat.photos.samples.quality import (
    ENOUGH,
    SIDE,
    Quality,
    look_at_photos,
    quality_of,
    quality_warnings,
)
from tests.photos.tables import experiment, save, wide
from tests.runtime.cleaning.textures import GRASS, blades


def test_sharpness_is_the_variance_of_the_laplacian():
    grey = np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)
    found = quality_of(Image.fromarray(grey).convert("RGB"))
    laplacian = ndimage.laplace(grey.astype(float))[1:-1, 1:-1]
    assert found.sharpness == pytest.approx(laplacian.var())
    assert found.brightness == pytest.approx(grey.mean())


def test_more_pixels_are_no_sharper():
    image = Image.fromarray(blades(GRASS, seed=0))
    small = image.resize((SIDE, SIDE * 360 // 640), Image.Resampling.BOX)
    large = small.resize((4 * small.width, 4 * small.height), Image.Resampling.NEAREST)
    assert quality_of(large) == pytest.approx(quality_of(small))


def test_blur_and_darkness_are_seen_alone():
    image = Image.fromarray(blades(GRASS, seed=0))
    photos = {
        "sharp": quality_of(image),
        "blurred": quality_of(image.filter(ImageFilter.GaussianBlur(6))),
        "dark": quality_of(image.point(lambda value: value * 0.2)),
    }
    blurred, dark = quality_warnings(photos)
    assert blurred == "1 photo looks blurred and should be seen by a person: blurred"
    assert dark == "1 photo looks dark and should be seen by a person: dark"


def test_many_photos_are_judged_by_one_another():
    rng = np.random.default_rng(1)
    photos = {
        f"p{k}": Quality(40 * rng.uniform(0.8, 1.2), 20 * rng.uniform(0.8, 1.2))
        for k in range(ENOUGH)
    }
    assert quality_warnings(photos) == []
    photos["odd"] = Quality(4.0, 20.0)
    photos["night"] = Quality(40.0, 1.0)
    assert [line.partition(":")[2] for line in quality_warnings(photos)] == [" odd", " night"]


def test_photos_that_are_all_alike_are_no_finding():
    assert quality_warnings({f"p{k}": Quality(0.0, 0.0) for k in range(ENOUGH)}) == []
    assert quality_warnings({}) == []


def test_many_findings_are_one_line():
    lines = quality_warnings({f"p{k}": Quality(float(k), 100.0) for k in range(15)})
    assert lines == [
        "15 photos look blurred and should be seen by a person: "
        + ", ".join(f"p{k}" for k in range(10))
        + " and 5 more"
    ]


def test_an_audit_and_a_prediction_warn_alike(tmp_path: Path):
    table = wide(6)
    asked = experiment(save(table, tmp_path))
    (tmp_path / "photos").mkdir()
    for row, name in enumerate(table["image_path"]):
        image = Image.fromarray(blades(GRASS, seed=row))
        if row == 2:
            image = image.filter(ImageFilter.GaussianBlur(6))
        image.save(tmp_path / name)
    samples = load_samples(asked, asked.data.table, require_targets=True)
    expected = ["1 photo looks blurred and should be seen by a person: photos/2.png"]
    assert look_at_photos(samples) == expected
    audit = audit_photos(samples)
    assert audit.warnings(1.0) == expected
    assert audit.readable.all()
