"""Features that were computed elsewhere: ``encoder.name = 'precomputed:FILE.npy'``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from quadrat.errors import DataError, UsageError, closest
from quadrat.photos.encoders.base import Held, PhotoEncoder, encoders, reason
from quadrat.photos.samples.loading import Samples
from quadrat.photos.schema import CleanSection, EncoderSection, ViewsSection
from quadrat.runtime.images import ImagePreprocessing

_HINTS = 5  # looking for the closest of many names is slow
# A photo and a line agree in the first of these forms in which they do.
_FORMS: tuple[Callable[[str], str], ...] = (
    lambda image: image,
    lambda image: Path(image).name,
    lambda image: Path(image).stem,
)


class PrecomputedEncoder(PhotoEncoder):
    """Stands where a network would: its vectors are the rows of a matrix.

    Args:
        path: A ``.npy`` file of shape (rows, D).
        rows: What the rows are: a text file with one photo a line, or ``column:NAME``.

    Raises:
        DataError: The file is not such a matrix.
    """

    def __init__(self, path: Path, rows: str) -> None:
        super().__init__(read_matrix(path).shape[1], frozen=True)
        self.path = path
        self.rows = rows

    @property
    def preprocessing(self) -> ImagePreprocessing:
        """There is none.

        Raises:
            UsageError: Always: photos cannot go through features computed elsewhere.
        """
        raise UsageError(
            f"encoder.name: {self.path.name} holds features, and photos cannot go through it; only "
            "photos in encoder.rows can be predicted."
        )

    @property
    def predict_preprocessing(self) -> ImagePreprocessing:
        """There is none; see `preprocessing`."""
        return self.preprocessing

    def hold(self, views: Tensor) -> Held:
        """The vectors as they are ``(V, D)``."""
        return (views,)

    def fingerprint(self) -> str:
        """A hash of the matrix."""
        with self.path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()


def read_matrix(path: Path) -> NDArray[np.generic]:
    """Opens a matrix of features without reading it.

    Raises:
        DataError: The file is missing, no ``.npy`` file, or not a matrix of numbers.
    """
    try:
        matrix: NDArray[np.generic] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise DataError(f"encoder.name: {path} does not exist.", fix="check the path.") from error
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"encoder.name: {path} is no .npy file of numbers: {reason(error)}",
            fix="write it with numpy.save(FILE, matrix).",
        ) from error
    if not isinstance(matrix, np.ndarray) or matrix.ndim != 2 or 0 in matrix.shape:
        shape = getattr(matrix, "shape", "several arrays")
        raise DataError(
            f"encoder.name: {path} must hold one matrix (rows, width), not {shape}.",
            fix="write it with numpy.save(FILE, matrix).",
        )
    if not np.issubdtype(matrix.dtype, np.number) or np.iscomplexobj(matrix):
        raise DataError(f"encoder.name: {path} holds {matrix.dtype}, not real numbers.")
    return matrix


def find_rows(
    rows: str, samples: Samples, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Finds the rows of a matrix that belong to samples.

    Args:
        rows: As `PrecomputedEncoder` takes it.
        samples: Their photos, or their column of row numbers.
        count: Number of rows of the matrix.

    Returns:
        The row and the sample of each vector, both ``(V,)``.

    Raises:
        DataError: Lists the photos that have no row, or more than one.
    """
    if rows.startswith("column:"):
        return _numbered(rows.partition(":")[2], samples, count)
    return _named(Path(rows), samples, count)


@encoders.register("precomputed", summary="a matrix of features with one row a photo")
def build(section: EncoderSection, views: ViewsSection, clean: CleanSection) -> PrecomputedEncoder:
    """Opens a matrix of features.

    Raises:
        DataError: The file is not such a matrix.
    """
    return PrecomputedEncoder(Path(section.name.partition(":")[2]), str(section.rows))


def _numbered(
    column: str, samples: Samples, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    numbers = samples.column(column)
    owner = np.arange(len(samples), dtype=np.int64)
    if numbers.dtype == object or not np.isfinite(numbers.astype(float)).all():
        raise DataError(f"encoder.rows: column '{column}' must hold a row number for each sample.")
    places = numbers.astype(np.int64)
    bad = np.flatnonzero((places != numbers) | (places < 0) | (places >= count))
    if len(bad):
        raise DataError(
            f"encoder.rows: column '{column}' must hold whole numbers from 0 to {count - 1}.",
            [f"sample '{samples.ids[row]}': {numbers[row]}" for row in bad],
        )
    return places, owner


def _named(path: Path, samples: Samples, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Matches photos with lines: by their path, then by file name, then by its stem."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"encoder.rows: {path} cannot be read: {error}") from error
    names = [line for line in lines if line]
    if len(names) != count:
        raise DataError(
            f"encoder.rows: {path} names {len(names)} photos, and the matrix has {count} rows.",
            fix="give one line a row, in the same order.",
        )
    tables = [_places(names, form) for form in _FORMS]
    places, problems = [], []
    for image in (image for views in samples.images for image in views):
        found = (table.get(form(image)) for form, table in zip(_FORMS, tables, strict=True))
        matches = next((hits for hits in found if hits), [])
        if len(matches) == 1:
            places.append(matches[0])
        elif matches:
            listed = ", ".join(str(place + 1) for place in matches)
            problems.append(f"'{image}' is in lines {listed}")
        else:
            hint = closest(image, names) if len(problems) < _HINTS else ""
            problems.append(f"'{image}' is in no line.{hint}")
    if problems:
        raise DataError(
            f"encoder.rows: {path} does not name each photo once.",
            problems,
            fix="compute the features of these photos too, and add their names.",
        )
    return np.array(places, dtype=np.int64), samples.owner()


def _places(names: Sequence[str], form: Callable[[str], str]) -> dict[str, list[int]]:
    table: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        table.setdefault(form(name), []).append(place)
    return table
