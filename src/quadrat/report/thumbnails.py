"""Small pictures of photos that may be large, turned, damaged or gone."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

Thumbnail = NDArray[np.uint8]


def thumbnail(path: Path | None, side: int = 320) -> tuple[Thumbnail | None, str]:
    """A small picture of a photo.

    Args:
        path: The photo, or None where its path is not known.
        side: Longest side in pixels.

    Returns:
        The picture ``(H, W, 3)`` and nothing, or None and the reason.
    """
    if path is None:
        return None, "path not known"
    if not path.is_file():
        return None, "photo not found"
    try:
        with Image.open(path) as photo:
            photo.draft("RGB", (side, side))
            upright = ImageOps.exif_transpose(photo).convert("RGB")
            upright.thumbnail((side, side), Image.Resampling.LANCZOS)
            return np.asarray(upright, dtype=np.uint8), ""
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError):
        return None, "photo not readable"


def jpeg(picture: Thumbnail) -> bytes:
    """A picture as a JPEG file; the same picture gives the same bytes."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="JPEG", quality=82, optimize=True)
    return buffer.getvalue()
