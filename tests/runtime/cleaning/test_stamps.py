from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import rgb_to_hsv
from PIL import Image, ImageDraw

from quadrat.runtime.cleaning.colours import FAMILIES, belongs, hue_saturation_value
from quadrat.runtime.cleaning.inpainting import inpaint
from quadrat.runtime.cleaning.stamps import find_stamps
from tests.runtime.cleaning.textures import GRASS, STRAW, blades, compressed, difference, stamped

TEXTS = ("15.01.2015 11:58", "'98 10 24", "2015/09/04", "24-11-2026")


def test_colours_are_those_of_matplotlib():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    pixels[0] = pixels[0, :, :1]  # greys
    hue, saturation, value = hue_saturation_value(pixels)
    theirs = rgb_to_hsv(pixels / 255.0)
    np.testing.assert_allclose(hue / 360.0, theirs[..., 0], atol=1e-5)
    np.testing.assert_allclose(saturation, theirs[..., 1], atol=1e-5)
    np.testing.assert_allclose(value, theirs[..., 2], atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_typical_colour_belongs_to_its_family_alone(name):
    pixels = np.array([[FAMILIES[name].draw]], dtype=np.uint8)
    hsv = hue_saturation_value(pixels)
    assert [other for other in FAMILIES if belongs(hsv, FAMILIES[other]).all()] == [name]


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(("row", "text"), list(enumerate(TEXTS)))
def test_a_date_on_grass_is_found_and_covered(name, row, text):
    corner = (row % 2, row // 2)
    clear = blades(GRASS, seed=row)
    drawn, truth = stamped(clear, text, FAMILIES[name].draw, corner=corner)
    photo = compressed(drawn)
    stamps, mask = find_stamps(photo)
    assert [stamp.colour for stamp in stamps] == [name]
    left, top, right, bottom = stamps[0].box
    assert not mask[:top].any() and not mask[bottom:].any()
    assert not mask[:, :left].any() and not mask[:, right:].any()
    assert mask[truth].mean() > 0.97
    assert mask.mean() < 4 * truth.mean()
    gone = inpaint(photo, mask)
    assert difference(gone[truth], clear[truth]) < 0.5 * difference(photo[truth], clear[truth])


@pytest.mark.parametrize("name", ["orange", "red", "green"])
def test_a_date_on_straw_is_found(name):
    drawn, truth = stamped(blades(STRAW, seed=5), TEXTS[0], FAMILIES[name].draw, height=26)
    stamps, mask = find_stamps(compressed(drawn))
    assert len(stamps) == 1
    assert mask[truth].mean() > 0.9


@pytest.mark.parametrize("size", [(480, 270), (1600, 900), (2400, 1350)])
def test_a_date_is_found_at_any_size_of_photo(size):
    clear = np.asarray(Image.fromarray(blades(GRASS, seed=1)).resize(size))
    drawn, truth = stamped(clear, TEXTS[0], FAMILIES["orange"].draw, height=round(0.06 * size[1]))
    stamps, mask = find_stamps(drawn)
    assert len(stamps) == 1
    assert stamps[0].box[2] <= size[0] and stamps[0].box[3] <= size[1]
    assert mask.shape == truth.shape
    assert mask[truth].mean() > 0.97


@pytest.mark.parametrize("colours", [GRASS, STRAW])
@pytest.mark.parametrize("seed", range(6))
def test_grass_and_straw_bear_no_date(colours, seed):
    stamps, mask = find_stamps(compressed(blades(colours, seed=100 + seed, count=4000)))
    assert not stamps
    assert not mask.any()


@pytest.mark.parametrize("turns", [1, 3])
@pytest.mark.parametrize(("name", "text"), list(zip(FAMILIES, (*TEXTS, TEXTS[0]), strict=True)))
def test_a_date_that_runs_up_a_side_is_found_like_a_level_one(name, text, turns):
    drawn, truth = stamped(blades(GRASS, seed=7), text, FAMILIES[name].draw)
    photo = compressed(np.rot90(drawn, turns))
    stamps, mask = find_stamps(photo)
    assert [stamp.colour for stamp in stamps] == [name]
    assert mask[np.rot90(truth, turns)].mean() > 0.97
    left, top, right, bottom = stamps[0].box
    assert mask[top:bottom, left:right].sum() == mask.sum()


def test_one_wide_part_is_no_row_of_figures():
    image = Image.fromarray(blades(GRASS, seed=8))
    draw = ImageDraw.Draw(image)
    for left, right in ((60, 110), (114, 164)):
        draw.rectangle((left, 20, right, 40), outline=FAMILIES["orange"].draw, width=3)
    assert not find_stamps(np.asarray(image))[0]


def test_a_row_of_red_dots_is_no_date():
    image = Image.fromarray(blades(GRASS, seed=3))
    canvas = ImageDraw.Draw(image)
    for x in range(60, 600, 40):
        canvas.ellipse([x, 20, x + 16, 36], fill=(250, 30, 40))
    assert not find_stamps(np.asarray(image))[0]


def test_text_in_the_middle_is_left_alone():
    clear = blades(GRASS, seed=4)
    drawn, _ = stamped(clear[:190], TEXTS[0], FAMILIES["orange"].draw)
    below = np.concatenate([drawn, clear[190:]])
    assert not find_stamps(below)[0]


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (64, 64)])
def test_tiny_photos_bear_no_date(shape):
    pixels = np.full((*shape, 3), 255, dtype=np.uint8)
    stamps, mask = find_stamps(pixels)
    assert not stamps
    assert mask.shape == shape


@pytest.mark.real_data
def test_the_real_date_is_found_and_real_photos_without_one_are_not_touched(real_data: Path):
    with_date = real_data / "csiro_biomass" / "stamp" / "ID670276799.jpg"
    photo = np.asarray(Image.open(with_date).convert("RGB"))
    stamps, mask = find_stamps(photo)
    assert [(stamp.colour, stamp.figures >= 8) for stamp in stamps] == [("orange", True)]
    left, top, right, bottom = stamps[0].box
    assert left < 540 and right > 750 and 300 < top < 322 and 350 < bottom < 370
    assert 0.005 < mask.mean() < 0.02
    filled = hue_saturation_value(inpaint(photo, mask))
    before = belongs(hue_saturation_value(photo), FAMILIES["orange"])[top:bottom, 530:760]
    after = belongs(filled, FAMILIES["orange"])[top:bottom, 530:760]
    assert after.sum() < 0.05 * before.sum()
    for turns in (1, 3):
        turned, covered = find_stamps(np.rot90(photo, turns))
        assert [(stamp.colour, stamp.figures >= 8) for stamp in turned] == [("orange", True)]
        assert covered[np.rot90(mask, turns)].mean() > 0.95
    others = sorted((real_data / "csiro_biomass" / "images_small").glob("*.jpg"))
    assert len(others) == 17
    for path in others:
        assert not find_stamps(np.asarray(Image.open(path).convert("RGB")))[0], path


@pytest.mark.real_data
def test_printed_labels_beside_a_beetle_are_no_dates(real_data: Path):
    path = real_data / "beetle_parts" / "images" / "0020.jpg"
    assert not find_stamps(np.asarray(Image.open(path).convert("RGB")))[0]
