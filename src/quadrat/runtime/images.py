"""Photos from files to arrays: decoding what cameras and scanners write, resizing, normalising."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from quadrat._extras import require
from quadrat.errors import DataError, MissingExtraError
from quadrat.runtime.cleaning.photos import NOTHING, Cleaning

Fit = Literal["squash", "pad", "crop"]
"""How a photo of other proportions comes to a size; see `ImagePreprocessing`."""

Box = tuple[float, float, float, float]
"""Left, top, right and bottom of a part of a photo, as shares of its sides."""

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
"""All of a photo."""

MAX_PIXELS = 178_956_970
"""Photos of more pixels are refused as decompression bombs, as pillow does by default."""

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)
_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
# What pillow's readers raise on damaged files, besides OSError.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
)
# A reduction to at most twice the size needed is done by averaging whole blocks, which is fast.
_REDUCING_GAP = 2.0


class PhotoError(DataError):
    """A photo that cannot be read.

    Args:
        path: The file.
        why: What is wrong with it.
    """

    def __init__(self, path: Path | str, why: str) -> None:
        self.path = Path(path)
        self.why = why
        super().__init__(f"the photo {path} cannot be read: {why}.")


@dataclass(frozen=True)
class ImagePreprocessing:
    """How a photo becomes an encoder's input.

    Args:
        size: Height and width in pixels.
        fit: ``squash`` resizes whatever the proportions; ``pad`` keeps the photo whole, in the
            middle, with a border of the mean colour; ``crop`` takes the largest middle part of the
            right proportions.
        mean: Of red, green and blue, on a scale from 0 to 1.
        std: The same for the standard deviation.
        interpolation: ``nearest``, ``bilinear``, ``bicubic`` or ``lanczos``.
        clean: What is taken away from the photo before all this.

    Raises:
        ValueError: A value is not among these.
    """

    size: tuple[int, int]
    fit: Fit = "squash"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    interpolation: str = "bicubic"
    clean: Cleaning = NOTHING

    def __post_init__(self) -> None:
        if len(self.size) != 2 or min(self.size) < 1:
            raise ValueError(f"size must be (height, width) in pixels, not {self.size}")
        if self.fit not in get_args(Fit):
            raise ValueError(f"fit must be one of {get_args(Fit)}, not '{self.fit}'")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0.0:
            raise ValueError("mean and std must be three numbers each, with std above 0")
        if self.interpolation not in _RESAMPLING:
            known = ", ".join(_RESAMPLING)
            raise ValueError(f"interpolation must be one of {known}, not '{self.interpolation}'")

    @property
    def mean_colour(self) -> tuple[int, int, int]:
        """The colour that becomes 0, in 8 bits."""
        red, green, blue = (round(255 * value) for value in self.mean)
        return red, green, blue

    def to_json(self) -> dict[str, Any]:
        """The values as JSON holds them."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ImagePreprocessing:
        """The inverse of `to_json`."""
        known: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        if "clean" in known:  # older models say nothing of it: their photos were not cleaned
            known["clean"] = Cleaning.from_json(known["clean"])
        return cls(**known)


def open_photo(
    photo: Path | str | BinaryIO, *, at_least: tuple[int, int] | None, fit: Fit = "squash"
) -> Image.Image:
    """Decodes a photo, upright, in 8-bit RGB.

    HEIC photos need the extra ``phone``. Transparent pixels are laid on white. Greys of 16 bits
    are scaled to 8. Of animations and stacks the first picture is taken. Colour profiles are not
    applied.

    Args:
        photo: A file, or an open one.
        at_least: Height and width that the photo will be resized to. A JPEG is then decoded at the
            smallest of the scales 1, 1/2, 1/4, 1/8 that is not smaller. None: full size.
        fit: How it will be resized.

    Raises:
        PhotoError: The file is missing, damaged, truncated, no picture, too large, or its
            brightness has no defined scale.
    """
    name = photo if isinstance(photo, str | Path) else getattr(photo, "name", "(in memory)")
    try:
        with _opened(photo, name) as image:
            turn = _orientation(image)
            _refuse_bomb(image, name)
            if at_least is not None:
                _draft(image, at_least, fit, sideways=turn in _SIDEWAYS)
            upright = _rgb(image, name)
    except FileNotFoundError as error:
        raise PhotoError(name, "the file does not exist") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PhotoError(name, f"it has more pixels than the limit of {MAX_PIXELS:,}") from error
    except UnidentifiedImageError as error:
        raise PhotoError(name, "it is not a picture of a known format") from error
    except _DAMAGE as error:
        why = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise PhotoError(name, f"it is damaged ({why})") from error
    return upright.transpose(_TURNS[turn]) if turn in _TURNS else upright


def open_cleaned(
    photo: Path | str | BinaryIO, clean: Cleaning, *, at_least: tuple[int, int], fit: Fit = "squash"
) -> Image.Image:
    """Decodes and cleans a photo: what every look at it starts from.

    Args:
        photo: A file, or an open one.
        clean: What is taken away.
        at_least: As for `open_photo`.
        fit: As for `open_photo`.

    Raises:
        PhotoError: As `open_photo`.
    """
    return clean.clean(open_photo(photo, at_least=clean.decoded(at_least), fit=fit)).image


def read_exif(photo: Path) -> Image.Exif | None:
    """What a camera noted in a photo; None where the notes are damaged.

    Raises:
        PhotoError: The file is missing or no picture.
    """
    try:
        with _opened(photo, photo) as image:
            return _notes(image)
    except FileNotFoundError as error:
        raise PhotoError(photo, "the file does not exist") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PhotoError(photo, f"it has more pixels than the limit of {MAX_PIXELS:,}") from error
    except OSError as error:
        raise PhotoError(photo, "it is not a picture of a known format") from error


def _notes(image: Image.Image) -> Image.Exif | None:
    try:
        exif = image.getexif()
        for place in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            exif.get_ifd(place)  # kept in it, so that it can be read once the file is closed
    except _DAMAGE:
        return None
    return exif


def _opened(photo: Path | str | BinaryIO, name: Path | str) -> Image.Image:
    """Opens a photo; one of a phone (HEIC) with a reader that is loaded only then."""
    try:
        return Image.open(photo)
    except UnidentifiedImageError:
        if not _is_heic(photo):
            raise
    try:
        reader = require("pillow_heif", extra="phone", purpose="a HEIC photo")
    except MissingExtraError as error:
        raise PhotoError(name, str(error).rstrip(".")) from error
    reader.register_heif_opener()
    return Image.open(photo)


def _is_heic(photo: Path | str | BinaryIO) -> bool:
    if isinstance(photo, str | Path):
        with Path(photo).open("rb") as handle:
            start = handle.read(12)
    else:
        photo.seek(0)
        start = photo.read(12)
        photo.seek(0)
    return start[4:8] == b"ftyp" and start[8:12] in _HEIC


def prepare(
    image: Image.Image,
    preprocessing: ImagePreprocessing,
    change: Callable[[Image.Image], Image.Image] | None = None,
) -> NDArray[np.float32]:
    """Resizes and normalises a photo.

    Args:
        image: In RGB.
        preprocessing: The size, the fit and the normalisation.
        change: What is done to the resized photo, without changing its size.

    Returns:
        ``(3, H, W)``: (value / 255 - mean) / std; borders are 0.
    """
    height, width = preprocessing.size
    resampling = _RESAMPLING[preprocessing.interpolation]
    box = _middle(image.size, (height, width)) if preprocessing.fit == "crop" else None
    inner = (height, width)
    if preprocessing.fit == "pad":
        inner = _inside((image.height, image.width), (height, width))
    resized = image
    if (image.height, image.width) != inner or box is not None:
        resized = image.resize(inner[::-1], resampling, box=box, reducing_gap=_REDUCING_GAP)
    if change is not None:
        resized = change(resized)
    normal = _normalised(resized, preprocessing)
    if inner == (height, width):
        return normal
    padded = np.zeros((3, height, width), dtype=np.float32)
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    padded[:, top : top + inner[0], left : left + inner[1]] = normal
    return padded


def _normalised(image: Image.Image, preprocessing: ImagePreprocessing) -> NDArray[np.float32]:
    """(value / 255 - mean) / std, ``(3, H, W)``: one product and one sum a colour."""
    colours = np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))
    std = np.asarray(preprocessing.std, dtype=np.float64)
    factor = (1.0 / (255.0 * std)).astype(np.float32)
    shift = (np.asarray(preprocessing.mean, dtype=np.float64) / std).astype(np.float32)
    normal = colours * factor[:, None, None]
    normal -= shift[:, None, None]
    return normal


def load_view(
    photo: Path | str | BinaryIO, preprocessing: ImagePreprocessing
) -> NDArray[np.float32]:
    """Decodes, cleans and prepares a photo in one go: ``(3, H, W)``.

    Raises:
        PhotoError: As `open_photo`.
    """
    return load_parts(photo, [WHOLE], preprocessing)[0]


def load_parts(
    photo: Path | str | BinaryIO,
    boxes: Sequence[Box],
    preprocessing: ImagePreprocessing,
    change: Callable[[Image.Image], Image.Image] | None = None,
) -> list[NDArray[np.float32]]:
    """Decodes and cleans a photo once and prepares parts of it, each ``(3, H, W)``.

    Args:
        photo: A file, or an open one.
        boxes: The parts, of what cleaning leaves.
        preprocessing: What each part goes through.
        change: What is done to each part once it is resized.

    Raises:
        PhotoError: As `open_photo`.
    """
    height, width = preprocessing.size
    least = (
        math.ceil(max(height / (bottom - top) for _, top, _, bottom in boxes)),
        math.ceil(max(width / (right - left) for left, _, right, _ in boxes)),
    )
    image = open_cleaned(photo, preprocessing.clean, at_least=least, fit=preprocessing.fit)
    return [prepare(_part(image, box), preprocessing, change) for box in boxes]


def _part(image: Image.Image, box: Box) -> Image.Image:
    if box == WHOLE:
        return image
    sides = (image.width, image.height, image.width, image.height)
    left, top, right, bottom = (round(at * side) for at, side in zip(box, sides, strict=True))
    return image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))


def _orientation(image: Image.Image) -> int:
    """The turn that a camera noted; a note that cannot be read counts as none."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except _DAMAGE:
        return 1


def _refuse_bomb(image: Image.Image, name: Path | str) -> None:
    if image.width * image.height > MAX_PIXELS:
        size = f"{image.width} by {image.height}"
        raise PhotoError(name, f"it has {size} pixels; the limit is {MAX_PIXELS:,} in all")


def _draft(image: Image.Image, at_least: tuple[int, int], fit: Fit, *, sideways: bool) -> None:
    height, width = at_least[::-1] if sideways else at_least
    if fit == "pad":
        height, width = _inside((image.height, image.width), (height, width))
    if image.format in ("JPEG", "MPO"):
        image.draft("RGB" if image.mode != "CMYK" else image.mode, (width, height))


def _inside(photo: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """The largest (height, width) of a photo's proportions within a size."""
    scale = min(size[0] / photo[0], size[1] / photo[1])
    height, width = (max(1, round(side * scale)) for side in photo)
    return min(height, size[0]), min(width, size[1])


def _middle(photo: tuple[int, int], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """The largest box (left, top, right, bottom) of a size's proportions within (width, height)."""
    width, height = photo
    scale = min(width / size[1], height / size[0])
    across, down = size[1] * scale, size[0] * scale
    # Rounding may carry a side a hair beyond the photo, which pillow refuses.
    left, top = max(0.0, (width - across) / 2), max(0.0, (height - down) / 2)
    return left, top, min(left + across, width), min(top + down, height)


def _rgb(image: Image.Image, name: Path | str) -> Image.Image:
    image.load()
    mode = image.mode
    if mode.startswith("I;16") or (mode == "I" and image.format == "PNG"):
        return _from_16_bits(image)
    if mode in ("I", "F"):
        raise PhotoError(
            name,
            f"its pixels have 32 bits (mode {mode}) with no defined white; save it with 8 or 16",
        )
    if mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image if mode == "RGB" else image.convert("RGB")


def _from_16_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.uint32)
    greys = np.minimum((values + 128) // 257, 255).astype(np.uint8)
    return Image.fromarray(greys).convert("RGB")
