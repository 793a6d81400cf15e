"""Photos that are blurred or dark, named so that a person can look at them again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from quadrat.photos.samples.loading import Samples
from quadrat.photos.views.threads import in_threads
from quadrat.runtime.images import open_photo

SIDE = 384
"""Longest side at which photos are judged, so that resolution does not count as sharpness."""

ENOUGH = 20
"""Photos from which on a photo is compared with the others."""

_FAR = 3.5
_AS_NORMAL = 1.4826  # the median absolute deviation of a normal distribution, as its sd
_BLURRED = 50.0
_DARK = 30.0
_LISTED = 10


class Quality(NamedTuple):
    """How sharp and how bright a photo is.

    Attributes:
        sharpness: Variance of the Laplacian of its grey values (Pech-Pacheco et al. 2000,
            doi:10.1109/ICPR.2000.903548).
        brightness: Mean grey value, 0 to 255.
    """

    sharpness: float
    brightness: float


def quality_of(image: Image.Image) -> Quality:
    """Judges a photo, reduced to `SIDE` pixels where it is larger."""
    scale = SIDE / max(image.size)
    if scale < 1.0:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.BOX)
    grey = np.asarray(image.convert("L"), dtype=np.float64)
    if min(grey.shape) < 3:
        return Quality(0.0, float(grey.mean()))
    middle = grey[1:-1, 1:-1]
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return Quality(float((around - 4.0 * middle).var()), float(grey.mean()))


def look_at_photos(samples: Samples, *, workers: int = 0) -> list[str]:
    """Warnings about the photos of samples, all of which can be read; see `quality_warnings`.

    Args:
        samples: Whose photos.
        workers: Threads, as in ``run.workers``.

    Raises:
        PhotoError: A photo cannot be read after all.
    """
    files = list(dict.fromkeys(path for views in samples.paths for path in views))
    seen = in_threads(_quality_of_file, files, workers=workers)
    return quality_warnings(by_name(samples, dict(zip(files, seen, strict=True))))


def by_name(samples: Samples, qualities: Mapping[Path, Quality]) -> dict[str, Quality]:
    """Qualities by what the table calls the photo, instead of by its file."""
    return {
        image: qualities[path]
        for images, paths in zip(samples.images, samples.paths, strict=True)
        for image, path in zip(images, paths, strict=True)
        if path in qualities
    }


def quality_warnings(photos: Mapping[str, Quality]) -> list[str]:
    """Names the photos that are blurred or dark; none is left out for it.

    Among at least `ENOUGH` photos, one stands out whose value is less than half the median and
    whose logarithm lies more than 3.5 robust standard deviations below the others' (the modified
    z-score of Iglewicz and Hoaglin 1993). Among fewer, one whose sharpness is below 50, or whose
    mean grey is below 30 of 255.

    Args:
        photos: Name → quality.
    """
    names = list(photos)
    lines = []
    for place, least, word in ((0, _BLURRED, "blurred"), (1, _DARK, "dark")):
        values = np.array([quality[place] for quality in photos.values()])
        low = np.flatnonzero(_far_below(values) if len(values) >= ENOUGH else values < least)
        low = low[np.argsort(values[low], kind="stable")]
        if len(low):
            listed = ", ".join(names[row] for row in low[:_LISTED])
            more = f" and {len(low) - _LISTED} more" if len(low) > _LISTED else ""
            count = "1 photo looks" if len(low) == 1 else f"{len(low)} photos look"
            lines.append(f"{count} {word} and should be seen by a person: {listed}{more}")
    return lines


def _quality_of_file(path: Path) -> Quality:
    return quality_of(open_photo(path, at_least=(SIDE, SIDE)))


def _far_below(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    logs = np.log1p(values)
    middle = np.median(logs)
    spread = _AS_NORMAL * np.median(np.abs(logs - middle))
    found: NDArray[np.bool_] = (logs < middle - _FAR * spread) & (values < np.median(values) / 2)
    return found
