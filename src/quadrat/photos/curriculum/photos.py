"""The box-counting dimension of the photos of samples."""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from quadrat.photos.curriculum.fractal import edges, fractal_dimension
from quadrat.photos.samples.loading import Samples
from quadrat.photos.views.threads import in_threads
from quadrat.runtime.cleaning.photos import NOTHING, Cleaning
from quadrat.runtime.images import PhotoError, open_cleaned

SIDE = 256
"""Shorter side in pixels at which boxes are counted, so that no camera has finer edges."""


def dimensions(
    samples: Samples, *, clean: Cleaning = NOTHING, workers: int = 0
) -> NDArray[np.float64]:
    """The box-counting dimension of the edges of each sample's photos, their mean.

    Args:
        samples: N samples.
        clean: What is taken away from photos first.
        workers: Threads that decode, as in ``run.workers``.

    Returns:
        ``(N,)``.

    Raises:
        PhotoError: A photo cannot be read, or is too small.
    """
    paths = [path for views in samples.paths for path in views]
    look = partial(photo_dimension, clean=clean)
    found = iter(list(in_threads(look, paths, workers=workers)))
    return np.array([np.mean([next(found) for _ in views]) for views in samples.paths])


def photo_dimension(path: Path, clean: Cleaning = NOTHING) -> float:
    """The box-counting dimension of the edges of one photo.

    Args:
        path: The photo.
        clean: What is taken away from it first.

    Raises:
        PhotoError: It cannot be read, or is too small.
    """
    changed = path.stat().st_mtime_ns if path.exists() else 0
    return _dimension(path, changed, clean)


@lru_cache(maxsize=100_000)
def _dimension(path: Path, changed: int, clean: Cleaning) -> float:
    """Folds and the trainings of a search share the photos, so they are looked at only once."""
    photo = open_cleaned(path, clean, at_least=(SIDE, SIDE), fit="crop").convert("L")
    scale = SIDE / min(photo.size)
    if scale < 1.0:
        width, height = (max(1, round(side * scale)) for side in photo.size)
        photo = photo.resize((width, height), Image.Resampling.BOX)
    try:
        return fractal_dimension(edges(np.asarray(photo, dtype=np.float32)))
    except ValueError as error:
        raise PhotoError(path, str(error)) from error
