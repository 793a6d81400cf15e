"""What was cleaned of photos: how many bore dates, and some of them before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from quadrat.photos.samples.quality import SIDE as LOOKED_AT
from quadrat.report import html
from quadrat.report.contents import Contents
from quadrat.report.html import Html, Section, element
from quadrat.report.thumbnails import jpeg
from quadrat.report.words import counted, number
from quadrat.runtime.cleaning.photos import Cleaning
from quadrat.runtime.images import Box, PhotoError, open_photo

if TYPE_CHECKING:
    import polars as pl

SHOWN = 6
"""Photos that are shown before and after; those of which most was filled in come first."""

_PROPORTIONS = 1.5
_LONGEST = 320
_AROUND = 1.3


def cleaning_section(contents: Contents) -> Section | None:
    """What cleaning did to the photos, where it was asked for.

    Args:
        contents: The run.
    """
    table = contents.table("cleaning.parquet")
    if table is None:
        return None
    facts = contents.check.get("facts") or {}
    told = [(name, text) for name, text in facts.items() if name.split(" ")[0] == "cleaning"]
    parts: list[str | None] = [html.facts(told)]
    if (contents.experiment.get("clean") or {}).get("stamps"):
        stamped = table.filter(table["boxes"].list.len() > 0)
        parts.append(_sheet(stamped, _folders(contents.experiment)) if stamped.height else None)
    return Section("cleaning", "What was cleaned", html.joined(parts))


def _sheet(stamped: pl.DataFrame, folders: Mapping[str, Path]) -> Html:
    """Dates before and after they were filled in, with a word on how many are not shown."""
    order = stamped.sort("inpainted", "table", "photo", descending=[True, False, False])
    items = [_item(row, folders) for row in order.head(SHOWN).iter_rows(named=True)]
    told = (
        "Dates before and after they were filled in, the largest first. What is filled in and is "
        "no date is an error: then leave clean.stamps out. cleaning.parquet lists all photos."
    )
    rest = stamped.height - len(items)
    more = element("p", f"{counted(rest, 'more photo')} with dates not shown.") if rest else None
    sheet = element("ul", *items, class_="photos")
    return html.joined([element("p", told), sheet, more])


def _folders(experiment: Mapping[str, Any]) -> dict[str, Path]:
    """Table as ``cleaning.parquet`` calls it → the folder below which its photos lie."""
    data = experiment.get("data") or {}
    tables = {"training": (data.get("table"), data), "test": (data.get("test"), data)}
    for section in experiment.get("external") or []:
        tables[Path(section["table"]).name] = section["table"], section
    return {
        name: Path(section.get("image_root") or Path(table).parent)
        for name, (table, section) in tables.items()
        if table
    }


def _item(row: Mapping[str, Any], folders: Mapping[str, Path]) -> Html:
    folder = folders.get(row["table"])
    path = None if folder is None else folder / row["photo"]
    pictures, why = before_and_after(path, row["boxes"])
    if why:
        shown = [element("div", why, class_="blank")]
    else:
        shown = [
            element(
                "img",
                src=html.data_uri(jpeg(np.asarray(picture)), "image/jpeg"),
                alt=f"photo {row['photo']} {when}",
                loading="lazy",
            )
            for picture, when in zip(pictures, ("before", "after"), strict=True)
        ]
    filled = f"{number(100 * row['inpainted'])} % filled in"
    return element(
        "li", *shown, element("span", row["photo"], class_="id"), element("span", filled)
    )


def before_and_after(
    path: Path | None, boxes: Sequence[Box]
) -> tuple[tuple[Image.Image, ...], str]:
    """The surroundings of dates before and after they are filled in.

    Args:
        path: The photo, or None where its path is not known.
        boxes: The dates, as shares of the photo's sides.

    Returns:
        Two small pictures and nothing, or none and the reason.
    """
    if path is None:
        return (), "path not known"
    clean = Cleaning(stamps=True)
    try:
        photo = open_photo(path, at_least=clean.decoded((LOOKED_AT, LOOKED_AT)))
    except PhotoError:
        return (), "photo not readable" if path.is_file() else "photo not found"
    window = _window(photo.size, boxes)
    pictures = [image.crop(window) for image in (photo, clean.clean(photo).image)]
    for picture in pictures:
        picture.thumbnail((_LONGEST, _LONGEST), Image.Resampling.LANCZOS)
    return tuple(pictures), ""


def _window(size: tuple[int, int], boxes: Sequence[Box]) -> tuple[int, int, int, int]:
    """The part of a photo around all boxes, of the proportions of the sheet where it fits."""
    width, height = size
    shares = np.array(boxes)
    left, top = shares[:, :2].min(axis=0) * size
    right, bottom = shares[:, 2:].max(axis=0) * size
    across = max(_AROUND * (right - left), _PROPORTIONS * _AROUND * (bottom - top))
    across = min(across, float(width))
    down = min(max(across / _PROPORTIONS, bottom - top), float(height))
    x = float(np.clip((left + right - across) / 2, 0.0, width - across))
    y = float(np.clip((top + bottom - down) / 2, 0.0, height - down))
    return round(x), round(y), round(x + across), round(y + down)
