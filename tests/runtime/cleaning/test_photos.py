from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from quadrat.runtime.cleaning.photos import NOTHING, Cleaning
from quadrat.runtime.images import ImagePreprocessing, load_view, open_photo, prepare
from tests.runtime.cleaning.textures import GRASS, blades, difference, stamped

ORANGE = (240, 110, 20)


def test_a_photo_without_a_date_is_the_same_object():
    image = Image.fromarray(blades(GRASS, seed=0))
    cleaned = Cleaning(stamps=True).clean(image)
    assert cleaned.image is image
    assert (cleaned.stamps, cleaned.inpainted, cleaned.rows_cropped) == ((), 0.0, 0)


def test_what_was_done_is_told():
    drawn, truth = stamped(blades(GRASS, seed=0), "15.01.2015 11:58", ORANGE, corner=(1, 0))
    cleaned = Cleaning(stamps=True, bottom_crop=0.1).clean(Image.fromarray(drawn))
    assert len(cleaned.stamps) == 1
    assert cleaned.inpainted > truth.mean()
    assert cleaned.rows_cropped == 36
    assert cleaned.image.size == (640, 324)


def test_cropping_takes_rows_from_the_bottom():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    cleaned = Cleaning(bottom_crop=0.25).clean(Image.fromarray(pixels))
    np.testing.assert_array_equal(np.asarray(cleaned.image), pixels[:30])


def test_a_photo_of_one_row_keeps_it():
    cleaned = Cleaning(bottom_crop=0.5).clean(Image.new("RGB", (3, 1)))
    assert cleaned.image.size == (3, 1)


def test_views_are_cleaned_before_they_are_prepared(tmp_path: Path):
    clear = blades(GRASS, seed=0)
    drawn, _ = stamped(clear, "15.01.2015 11:58", ORANGE)
    for name, pixels in (("clear", clear), ("drawn", drawn)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    plain = ImagePreprocessing((90, 160))
    cleaning = ImagePreprocessing((90, 160), clean=Cleaning(stamps=True))
    wanted = load_view(tmp_path / "clear.png", plain)
    np.testing.assert_array_equal(load_view(tmp_path / "clear.png", cleaning), wanted)
    left = difference(load_view(tmp_path / "drawn.png", cleaning), wanted)
    assert left < 0.3 * difference(load_view(tmp_path / "drawn.png", plain), wanted)
    cropping = ImagePreprocessing((90, 160), clean=Cleaning(bottom_crop=0.5))
    upper = open_photo(tmp_path / "clear.png", at_least=None).crop((0, 0, 640, 180))
    np.testing.assert_array_equal(
        load_view(tmp_path / "clear.png", cropping), prepare(upper, plain)
    )


def test_dates_are_looked_for_in_photos_of_enough_pixels():
    assert Cleaning(stamps=True).decoded((224, 224)) == (768, 768)
    assert Cleaning(stamps=True).decoded((1024, 1024)) == (1024, 1024)
    assert Cleaning(bottom_crop=0.2).decoded((224, 224)) == (280, 224)
    assert NOTHING.decoded((224, 224)) == (224, 224)


@pytest.mark.parametrize("clean", [NOTHING, Cleaning(stamps=True, bottom_crop=0.1)])
def test_settings_go_through_json(clean: Cleaning):
    preprocessing = ImagePreprocessing((8, 8), clean=clean)
    assert ImagePreprocessing.from_json(preprocessing.to_json()) == preprocessing
    assert bool(clean) == (clean != NOTHING)


def test_models_of_before_clean_nothing():
    values = ImagePreprocessing((8, 8)).to_json()
    del values["clean"]
    assert ImagePreprocessing.from_json(values).clean == NOTHING
