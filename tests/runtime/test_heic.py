from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from quadrat.runtime.images import PhotoError, open_photo

pillow_heif = pytest.importorskip("pillow_heif", reason="the extra phone is not installed")


def heic(image: Image.Image, path: Path, orientation: int = 1) -> Path:
    """Writes a photo as phones do, upright once turned as its notes say."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    written = pillow_heif.from_pillow(image)
    written.save(path, quality=95, exif=exif.tobytes())
    return path


def halves() -> Image.Image:
    """Red above green, 64 wide and 32 high."""
    pixels = np.zeros((32, 64, 3), dtype=np.uint8)
    pixels[:16, :, 0] = pixels[16:, :, 1] = 200
    return Image.fromarray(pixels)


def test_a_photo_of_a_phone_is_read(tmp_path: Path):
    path = heic(halves(), tmp_path / "a.heic")
    found = np.asarray(open_photo(path, at_least=(8, 8))).astype(int)
    assert np.abs(found - np.asarray(halves())).mean() < 4
    assert np.array_equal(
        np.asarray(open_photo(io.BytesIO(path.read_bytes()), at_least=None)), found
    )


def test_it_is_turned_once(tmp_path: Path):
    upright = open_photo(heic(halves(), tmp_path / "a.heic", orientation=6), at_least=None)
    expected = np.asarray(halves().transpose(Image.Transpose.ROTATE_270)).astype(int)
    assert upright.size == (32, 64)
    assert np.abs(np.asarray(upright) - expected).mean() < 4


def test_a_truncated_one_is_damaged(tmp_path: Path):
    path = heic(halves(), tmp_path / "a.heic")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(PhotoError):
        open_photo(path, at_least=None)


def test_without_the_extra_it_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = heic(halves(), tmp_path / "a.heic")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != "HEIF"])
    with pytest.raises(PhotoError, match=r"quadrat\[phone\]"):
        open_photo(path, at_least=None)
