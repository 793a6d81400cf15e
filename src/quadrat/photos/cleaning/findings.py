"""What cleaning does to each photo, so that a person can look at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import polars as pl
from PIL import Image

from quadrat.experiment import CheckReport
from quadrat.photos.samples.loading import Samples
from quadrat.runtime.cleaning.photos import NOTHING, Cleaning
from quadrat.runtime.images import Box

_MUCH = 0.03
_LISTED = 10


class Marks(NamedTuple):
    """What is taken away from one photo.

    Attributes:
        boxes: The dates that are filled in, as shares of the photo's sides.
        inpainted: Share of the pixels that are filled in.
        cropped: Share of the height that is cut off at the bottom.
    """

    boxes: tuple[Box, ...]
    inpainted: float
    cropped: float


class CleanedPhoto(NamedTuple):
    """A photo as tables name it, and what is taken away from it.

    Attributes:
        table: ``training``, ``test``, or the file name of another data set's table.
        sample: Its sample.
        photo: The photo.
        marks: What is taken away.
    """

    table: str
    sample: str
    photo: str
    marks: Marks


def marks_of(image: Image.Image, clean: Cleaning) -> Marks:
    """What cleaning takes away from a photo.

    Args:
        image: Upright, in RGB.
        clean: What is asked for.
    """
    cleaned = clean.clean(image)
    width, height = image.size
    boxes = tuple(
        (left / width, top / height, right / width, bottom / height)
        for left, top, right, bottom in (stamp.box for stamp in cleaned.stamps)
    )
    return Marks(boxes, cleaned.inpainted, cleaned.rows_cropped / height)


@dataclass(frozen=True)
class CleaningLog:
    """Gathers what cleaning does, table by table.

    Attributes:
        clean: What is looked for; nothing is gathered where it is nothing.
        photos: What was found.
    """

    clean: Cleaning = NOTHING
    photos: list[CleanedPhoto] = field(default_factory=list)

    def add(self, table: str, samples: Samples, marks: Mapping[Path, Marks]) -> None:
        """Notes the photos of samples.

        Args:
            table: What their table is called.
            samples: The samples, all of whose photos were looked at.
            marks: File → what is taken away; empty where nobody asked.
        """
        if not self.clean:
            return
        for sample, images, paths in zip(samples.ids, samples.images, samples.paths, strict=True):
            self.photos.extend(
                CleanedPhoto(table, sample, image, marks[path])
                for image, path in zip(images, paths, strict=True)
            )

    def tell(self, report: CheckReport) -> None:
        """Counts in a report what is done, and names photos of which much is filled in."""
        for table in dict.fromkeys(photo.table for photo in self.photos):
            name = "cleaning" if table == "training" else f"cleaning of {table}"
            here = [photo for photo in self.photos if photo.table == table]
            report.facts[name] = self._words(here)
        much = [photo.photo for photo in self.photos if photo.marks.inpainted > _MUCH]
        if much:
            more = f" and {len(much) - _LISTED} more" if len(much) > _LISTED else ""
            report.warnings.append(
                f"clean.stamps fills in more than {100 * _MUCH:.0f} % of a photo, in "
                f"{len(much)} that should be seen by a person: {', '.join(much[:_LISTED])}{more}"
            )

    def _words(self, photos: Sequence[CleanedPhoto]) -> str:
        words = []
        if self.clean.stamps:
            stamped = [photo.marks.inpainted for photo in photos if photo.marks.boxes]
            most = f", at most {100 * max(stamped):.1f} % of a photo" if stamped else ""
            words.append(f"dates filled in {len(stamped):,} of {len(photos):,} photos{most}")
        if self.clean.bottom_crop > 0.0:
            words.append(
                f"{100 * self.clean.bottom_crop:.0f} % of the height cut off at the bottom"
            )
        return "; ".join(words)


def cleaning_table(photos: Sequence[CleanedPhoto]) -> pl.DataFrame:
    """One row a photo, as ``cleaning.parquet`` holds it.

    Columns: ``table, sample, photo``; ``boxes``, a list of left, top, right and bottom of each
    date as shares of the photo's sides; ``inpainted``, the share of its pixels that is filled in;
    ``cropped``, the share of its height that is cut off at the bottom.
    """
    return pl.DataFrame(
        {
            "table": [photo.table for photo in photos],
            "sample": [photo.sample for photo in photos],
            "photo": [photo.photo for photo in photos],
            "boxes": [[list(box) for box in photo.marks.boxes] for photo in photos],
            "inpainted": [photo.marks.inpainted for photo in photos],
            "cropped": [photo.marks.cropped for photo in photos],
        },
        schema_overrides={"boxes": pl.List(pl.List(pl.Float64))},
    )
