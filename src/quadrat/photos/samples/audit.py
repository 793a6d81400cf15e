"""What is wrong with photos and targets, found before any training.

Photos that are missing, unreadable, blurred, dark or copies of each other; targets that break
their identities, never vary, are negative or lie far outside.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quadrat.errors import DataError
from quadrat.photos.cleaning.findings import Marks, marks_of
from quadrat.photos.samples.loading import Samples
from quadrat.photos.samples.quality import SIDE, Quality, by_name, quality_of, quality_warnings
from quadrat.photos.views.threads import in_threads
from quadrat.runtime.balance import Balance
from quadrat.runtime.cleaning.photos import NOTHING, Cleaning
from quadrat.runtime.images import PhotoError, open_photo
from quadrat.splits import Fold, Leak, find_leaks

_GLANCE = (SIDE, SIDE)
_FAR = 3.0
_ENOUGH = 20  # values without which 'far out' means little
_LISTED = 20


@dataclass(frozen=True)
class PhotoAudit:
    """What was found about the photos of B samples.

    Args:
        photos: Number of different files.
        unreadable: File → why it cannot be read.
        readable: Whether all photos of a sample can be read ``(B,)``.
        copies: ``(B,)`` name of the first of the photos that are byte by byte the same as one of
            the sample's, None where there is no other sample with such a photo.
        leaks: Copies that lie on two sides of a fold.
        qualities: Photo as the table names it → how sharp and bright it is.
        marks: File → what cleaning takes away from it, where that was asked for.
        hashes: File → hash of its contents.
    """

    photos: int
    unreadable: dict[Path, str]
    readable: NDArray[np.bool_]
    copies: NDArray[np.object_]
    leaks: tuple[Leak, ...] = ()
    qualities: Mapping[str, Quality] = field(default_factory=dict)
    marks: Mapping[Path, Marks] = field(default_factory=dict)
    hashes: Mapping[Path, str] = field(default_factory=dict)

    @property
    def share_readable(self) -> float:
        """Share of the files that can be read."""
        return 1.0 - len(self.unreadable) / max(self.photos, 1)

    def errors(self, min_readable: float) -> list[str]:
        """What forbids training, one line each."""
        return self.unreadable_lines() if self.share_readable < min_readable else []

    def warnings(self, min_readable: float) -> list[str]:
        """What a user should know, one line each."""
        lines = self.unreadable_lines() if self.share_readable >= min_readable else []
        copied = [name for name in dict.fromkeys(self.copies) if name is not None]
        for name in copied[:_LISTED]:
            count = int(np.sum(self.copies == name))
            lines.append(f"{count} samples have the same photo as '{name}'")
        if len(copied) > _LISTED:
            lines.append(f"{len(copied) - _LISTED} more photos stand in several samples")
        lines += quality_warnings(self.qualities)
        return lines + [str(leak) for leak in self.leaks]

    def unreadable_lines(self) -> list[str]:
        """The unreadable photos, one line each."""
        return [f"{path}: {why}" for path, why in self.unreadable.items()]


def audit_photos(
    samples: Samples,
    *,
    folds: Iterable[Fold] = (),
    clean: Cleaning = NOTHING,
    workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> PhotoAudit:
    """Opens and decodes every photo, small, looks at its quality, and compares contents.

    Args:
        samples: Whose photos.
        folds: Folds over the samples, to look for copies on both sides.
        clean: What photos are cleaned of, to note what that is.
        workers: Threads; 0 is one a core, at most eight.
        progress: Called with the number of photos done and of all.
    """
    shots = samples.shots()
    files = list(dict.fromkeys(path for shot in shots for paths in shot for path in paths))
    unreadable: dict[Path, str] = {}
    hashes: dict[Path, str] = {}
    qualities: dict[Path, Quality] = {}
    marks: dict[Path, Marks] = {}
    results = in_threads(partial(_look_at, clean=clean), files, workers=workers)
    for done, (path, (digest, seen)) in enumerate(zip(files, results, strict=True), start=1):
        if isinstance(seen, str):
            unreadable[path] = seen
        else:
            qualities[path] = seen.quality
            if seen.marks:
                marks[path] = seen.marks
        if digest:
            hashes[path] = digest
        if progress:
            progress(done, len(files))
    readable = [not any(path in unreadable for paths in shot for path in paths) for shot in shots]
    copies = _copies(samples, hashes)
    return PhotoAudit(
        photos=len(files),
        unreadable=unreadable,
        readable=np.array(readable, dtype=bool),
        copies=copies,
        leaks=tuple(find_leaks(folds, "the photo", copies)),
        qualities=by_name(samples, qualities),
        marks=marks,
        hashes=hashes,
    )


def keep_readable(samples: Samples, audit: PhotoAudit, min_readable: float) -> Samples:
    """The samples whose photos can all be read, where enough of the photos can.

    Args:
        samples: The samples that were audited.
        audit: The findings.
        min_readable: Share of the photos that must be readable.

    Raises:
        DataError: Fewer are, or no sample is left; lists the unreadable photos.
    """
    if audit.share_readable < min_readable or not audit.readable.any():
        raise DataError(
            f"{len(audit.unreadable)} of {audit.photos} photos cannot be read.",
            audit.unreadable_lines(),
            fix="correct data.image_root or these files; or lower data.min_readable to leave their "
            "samples out.",
        )
    return samples if audit.readable.all() else samples.take(audit.readable)


def audit_targets(samples: Samples, balance: Balance, *, tolerance: float) -> list[str]:
    """Warnings about targets, one line each: broken identities, constants, negatives, outliers.

    An outlier lies further from the middle half of the values than three times its width (Tukey
    1977: "far out"), on the square-root scale where no value is negative.

    Args:
        samples: With targets ``(B, T)``.
        balance: The identities between them, and their names.
        tolerance: Largest violation that passes, in the targets' unit.
    """
    lines = _broken_identities(samples, balance, tolerance)
    for name, values in zip(balance.targets, samples.targets.T, strict=True):
        lines += _odd_values(samples, name, values, bounded=name in _bounded(balance))
    return lines


class _Seen(NamedTuple):
    """A photo that can be read.

    Attributes:
        quality: Before it is cleaned.
        marks: What cleaning takes away, where anything is asked for.
    """

    quality: Quality
    marks: Marks | None


def _look_at(path: Path, clean: Cleaning) -> tuple[str, _Seen | str]:
    """The hash of a file's contents, and what is seen in it or why it cannot be read."""
    try:
        contents = path.read_bytes()
    except FileNotFoundError:
        return "", "the file does not exist"
    except OSError as error:
        return "", f"the file cannot be opened ({error.strerror})"
    digest = hashlib.sha256(contents).hexdigest()
    try:
        image = open_photo(io.BytesIO(contents), at_least=clean.decoded(_GLANCE))
    except PhotoError as error:
        return digest, error.why
    return digest, _Seen(quality_of(image), marks_of(image, clean) if clean else None)


def _copies(samples: Samples, hashes: dict[Path, str]) -> NDArray[np.object_]:
    """Joins samples that share a photo, directly or through others, under the first one's name."""
    group = list(range(len(samples)))

    def root(place: int) -> int:
        while group[place] != place:
            group[place] = group[group[place]]
            place = group[place]
        return place

    first: dict[str, int] = {}
    for place, views in enumerate(samples.paths):
        for path in views:
            if path in hashes:
                earlier = first.setdefault(hashes[path], place)
                group[max(root(place), root(earlier))] = min(root(place), root(earlier))
    roots = np.array([root(place) for place in range(len(samples))], dtype=np.int64)
    sizes = np.bincount(roots, minlength=len(samples))
    names = [samples.images[place][0] if sizes[place] > 1 else None for place in roots]
    copies = np.empty(len(samples), dtype=object)
    copies[:] = names
    return copies


def _broken_identities(samples: Samples, balance: Balance, tolerance: float) -> list[str]:
    """The samples that break an identity most, and how many there are besides."""
    violations = balance.violations(samples.targets, tolerance)
    lines = []
    for identity, amounts in zip(balance.identities, violations.amounts.T, strict=True):
        size = np.abs(np.nan_to_num(amounts))
        broken = np.flatnonzero(size > tolerance)
        worst = np.sort(broken[np.argsort(-size[broken], kind="stable")][:_LISTED])
        lines += [
            f"{_where(samples, violations.rows[k])}: {identity} is off by {amounts[k]:.4g}"
            for k in worst
        ]
        if others := len(broken) - len(worst):
            lines.append(
                f"{identity} is off in {others} more samples: {len(broken)} of {len(samples)} in "
                "all. Compare [[balance]] with what the targets of this table mean."
            )
    return lines


def _odd_values(
    samples: Samples, name: str, values: NDArray[np.float64], *, bounded: bool
) -> list[str]:
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return []
    lines = []
    if len(known) > 1 and np.ptp(known) == 0.0:
        lines.append(f"the target '{name}' is {known[0]:g} in every sample")
    if bounded and (known < 0.0).any():
        place = int(np.nanargmin(values))
        lines.append(
            f"{_where(samples, place)}: '{name}' is {values[place]:g}; targets of a balance are "
            "never predicted below 0"
        )
    scaled = values if (known < 0.0).any() else np.sqrt(values)
    low, high = np.nanquantile(scaled, [0.25, 0.75])
    margin = _FAR * (high - low)
    if margin > 0.0 and len(known) >= _ENOUGH:
        far = np.flatnonzero((scaled < low - margin) | (scaled > high + margin))
        lines += [
            f"{_where(samples, place)}: '{name}' is {values[place]:g}, far from most other values"
            for place in far[:_LISTED]
        ]
    return lines


def _bounded(balance: Balance) -> set[str]:
    return {name for i in balance.identities for name in (i.total, *i.parts)}


def _where(samples: Samples, place: int) -> str:
    row = f"row {samples.rows[place]}, " if samples.rows else ""
    return f"{row}sample '{samples.ids[place]}'"
