"""Decoding: what cameras and scanners write comes out upright, in 8-bit RGB, or as an error."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from quadrat.runtime.images import (
    MAX_PIXELS,
    ImagePreprocessing,
    PhotoError,
    load_view,
    open_photo,
    prepare,
)


@pytest.fixture
def scene() -> Image.Image:
    """A smooth scene whose corners differ: red above left, blue below right."""
    down, across = np.mgrid[0:60, 0:120] / [[[60.0]], [[120.0]]]
    colours = np.stack([1.0 - across, down * (1 - across), down * across], axis=-1)
    return Image.fromarray((colours * 255).astype(np.uint8))


def colour(image: Image.Image, x: float, y: float) -> tuple[int, ...]:
    pixel = image.getpixel((int(x * (image.width - 1)), int(y * (image.height - 1))))
    assert isinstance(pixel, tuple)
    return pixel


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
        (3, Image.Transpose.ROTATE_180),
        (4, Image.Transpose.FLIP_TOP_BOTTOM),
        (5, Image.Transpose.TRANSPOSE),
        (6, Image.Transpose.ROTATE_90),
        (7, Image.Transpose.TRANSVERSE),
        (8, Image.Transpose.ROTATE_270),
    ],
)
def test_a_turned_camera_gives_an_upright_photo(
    scene: Image.Image, tmp_path: Path, orientation: int, turn: Image.Transpose
):
    exif = Image.Exif()
    exif[0x0112] = orientation
    scene.transpose(turn).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    upright = open_photo(tmp_path / "turned.jpg", at_least=None)
    assert upright.size == scene.size
    error = np.abs(np.asarray(upright, float) - np.asarray(scene, float))
    assert error.mean() < 3.0


def test_sixteen_bits_are_scaled_and_not_cut(tmp_path: Path):
    greys = np.array([[0, 128, 257, 32768, 65535]], dtype=np.uint16)
    for name in ("grey.png", "grey.tif"):
        Image.fromarray(greys).save(tmp_path / name)
        opened = np.asarray(open_photo(tmp_path / name, at_least=None))
        np.testing.assert_array_equal(opened[0, :, 0], [0, 0, 1, 128, 255])
        assert opened.shape == (1, 5, 3)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparency_is_laid_on_white(mode: str, tmp_path: Path):
    layer = Image.new("RGBA", (4, 2), (0, 0, 0, 0))
    layer.putpixel((0, 0), (10, 10, 10, 255))
    suffix = "tif" if mode == "PA" else "png"
    if mode == "PA":
        layer = layer.quantize()
        layer.save(tmp_path / "layer.png", transparency=layer.getpixel((1, 1)))
        suffix = "png"
    else:
        layer.convert(mode).save(tmp_path / f"layer.{suffix}")
    opened = np.asarray(open_photo(tmp_path / f"layer.{suffix}", at_least=None))
    assert opened[1, 3].tolist() == [255, 255, 255]
    assert opened[0, 0].tolist() == [10, 10, 10]


@pytest.mark.parametrize(
    ("mode", "suffix"), [("L", "png"), ("1", "png"), ("P", "png"), ("CMYK", "jpg"), ("CMYK", "tif")]
)
def test_every_mode_becomes_rgb(scene: Image.Image, tmp_path: Path, mode: str, suffix: str):
    scene.convert(mode).save(tmp_path / f"photo.{suffix}")
    opened = open_photo(tmp_path / f"photo.{suffix}", at_least=None)
    assert opened.mode == "RGB"
    if mode in ("P", "CMYK"):
        red, _, blue = colour(opened, 0.05, 0.5)
        assert red > blue + 100


def test_floats_without_a_scale_are_refused(tmp_path: Path):
    Image.fromarray(np.ones((3, 3), dtype=np.float32)).save(tmp_path / "height.tif")
    with pytest.raises(PhotoError, match="no defined white"):
        open_photo(tmp_path / "height.tif", at_least=None)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_truncated_files_are_refused(scene: Image.Image, tmp_path: Path, suffix: str):
    path = tmp_path / f"photo.{suffix}"
    scene.save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(PhotoError, match="damaged") as caught:
        open_photo(path, at_least=None)
    assert str(path) in str(caught.value)
    assert caught.value.path == path


def test_what_is_no_photo_says_why(tmp_path: Path):
    (tmp_path / "text.jpg").write_text("not a photo")
    with pytest.raises(PhotoError, match="known format"):
        open_photo(tmp_path / "text.jpg", at_least=None)
    with pytest.raises(PhotoError, match="does not exist"):
        open_photo(tmp_path / "absent.jpg", at_least=None)
    with pytest.raises(PhotoError, match="damaged"):
        open_photo(tmp_path, at_least=None)


def test_bombs_are_refused_with_the_limit_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    Image.new("L", (50, 50)).save(tmp_path / "bomb.png")
    monkeypatch.setattr("quadrat.runtime.images.MAX_PIXELS", 2499)
    with pytest.raises(PhotoError, match=r"50 by 50 pixels; the limit is 2,499"):
        open_photo(tmp_path / "bomb.png", at_least=None)
    monkeypatch.setattr("quadrat.runtime.images.MAX_PIXELS", MAX_PIXELS)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # pillow's own refusal, at twice this
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(PhotoError, match="limit of 178,956,970"):
            open_photo(tmp_path / "bomb.png", at_least=None)


@pytest.mark.parametrize(
    ("needed", "fit", "expected"),
    [
        ((100, 200), "squash", (200, 100)),
        ((101, 200), "squash", (400, 200)),
        ((400, 800), "squash", (800, 400)),
        ((500, 900), "squash", (800, 400)),
        ((200, 200), "squash", (400, 200)),
        ((200, 200), "pad", (200, 100)),
        ((200, 200), "crop", (400, 200)),
    ],
)
def test_a_jpeg_is_decoded_at_the_smallest_scale_that_suffices(
    tmp_path: Path, needed: tuple[int, int], fit: str, expected: tuple[int, int]
):
    Image.new("RGB", (800, 400), "green").save(tmp_path / "photo.jpg")
    opened = open_photo(tmp_path / "photo.jpg", at_least=needed, fit=fit)  # type: ignore[arg-type]
    assert opened.size == expected


def test_the_scale_counts_for_the_upright_photo(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (800, 400), "green").save(tmp_path / "photo.jpg", exif=exif)
    assert open_photo(tmp_path / "photo.jpg", at_least=(200, 100)).size == (100, 200)


def test_reduced_decoding_looks_like_full_decoding(scene: Image.Image, tmp_path: Path):
    scene.resize((960, 480), Image.Resampling.BICUBIC).save(tmp_path / "photo.jpg", quality=95)
    preprocessing = ImagePreprocessing((56, 112), mean=(0.0,) * 3, std=(1.0,) * 3)
    reduced = load_view(tmp_path / "photo.jpg", preprocessing)
    full = prepare(open_photo(tmp_path / "photo.jpg", at_least=None), preprocessing)
    assert np.abs(reduced - full).mean() < 0.01


def test_normalisation_is_that_of_the_formula():
    image = Image.new("RGB", (10, 10), (255, 0, 51))
    preprocessing = ImagePreprocessing((4, 6), mean=(0.5, 0.4, 0.3), std=(0.5, 0.2, 0.1))
    prepared = prepare(image, preprocessing)
    assert prepared.shape == (3, 4, 6)
    assert prepared.dtype == np.float32
    np.testing.assert_allclose(prepared[:, 2, 3], [1.0, -2.0, -1.0], atol=1e-6)


def test_pad_keeps_the_photo_whole_within_a_border_of_zero(scene: Image.Image):
    prepared = prepare(scene, ImagePreprocessing((64, 64), fit="pad"))
    assert not prepared[:, :16].any()
    assert not prepared[:, 48:].any()
    inner = prepare(scene, ImagePreprocessing((32, 64)))
    np.testing.assert_array_equal(prepared[:, 16:48], inner)


def test_crop_takes_the_middle(scene: Image.Image):
    prepared = prepare(scene, ImagePreprocessing((30, 30), fit="crop"))
    middle = scene.crop((30, 0, 90, 60))
    # At the edges the filter also sees what lies outside the box: two of 255 levels.
    np.testing.assert_allclose(prepared, prepare(middle, ImagePreprocessing((30, 30))), atol=0.04)


@given(
    photo=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    fit=st.sampled_from(["squash", "pad", "crop"]),
)
def test_any_photo_comes_to_any_size(photo: tuple[int, int], size: tuple[int, int], fit: str):
    values = np.random.default_rng(0).integers(0, 256, (*photo, 3)).astype(np.uint8)
    prepared = prepare(Image.fromarray(values), ImagePreprocessing(size, fit=fit))  # type: ignore[arg-type]
    assert prepared.shape == (3, *size)
    assert np.isfinite(prepared).all()
    assert prepared.any()


def test_preprocessing_survives_json():
    preprocessing = ImagePreprocessing((3, 4), "pad", (0.1, 0.2, 0.3), (1.0, 2.0, 3.0), "bilinear")
    assert ImagePreprocessing.from_json(preprocessing.to_json()) == preprocessing


@pytest.mark.parametrize(
    "wrong",
    [{"size": (0, 4)}, {"fit": "stretch"}, {"std": (0.0, 1.0, 1.0)}, {"interpolation": "cubic"}],
)
def test_impossible_preprocessing_is_refused(wrong: dict[str, object]):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ImagePreprocessing(**({"size": (4, 4)} | wrong))  # type: ignore[arg-type]


def test_an_open_file_is_a_photo_too(scene: Image.Image):
    held = io.BytesIO()
    scene.save(held, format="PNG")
    held.seek(0)
    np.testing.assert_array_equal(np.asarray(open_photo(held, at_least=None)), np.asarray(scene))
    with pytest.raises(PhotoError, match="in memory"):
        open_photo(io.BytesIO(b"nothing"), at_least=None)


@pytest.mark.real_data
def test_real_photos_are_read(real_data: Path):
    for path in sorted((real_data / "csiro_biomass" / "images_small").glob("*.jpg"))[:4]:
        view = load_view(path, ImagePreprocessing((96, 192)))
        assert view.std() > 0.2
