"""A small table of pinned beetles: photos of several specimens an event, and a drought index."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image, ImageDraw

SPECIES = ("Carabus nemoralis", "Harpalus affinis", "Amara aenea")
_SIDE = 40


def make_beetles(folder: Path, *, events: int = 12, seed: int = 0) -> Path:
    """Paints beetles and writes their table; the index of an event shows in their colour.

    Args:
        folder: Where photos and table go.
        events: Number of events, three a site and six a domain.
        seed: The same seed makes the same files.

    Returns:
        The table, one row a photo.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for event in range(events):
        drought = rng.normal(size=3).round(3)
        for specimen in range(int(rng.integers(2, 5))):
            name = f"event{event}_{specimen}.png"
            _beetle(drought[0], rng).save(folder / name)
            rows.append(
                {
                    "file_path": name,
                    "eventID": f"event {event}",
                    "siteID": f"site {event // 3}",
                    "domainID": event // 6 + 1,
                    "scientificName": SPECIES[specimen % 2 if event else 2],
                    "SPEI_30d": drought[0],
                    "SPEI_1y": drought[1],
                    "SPEI_2y": drought[2],
                }
            )
    table = folder / "beetles.csv"
    pl.DataFrame(rows).write_csv(table)
    return table


def _beetle(drought: float, rng: np.random.Generator) -> Image.Image:
    """A dark oval on pale ground, the redder the drier."""
    image = Image.new("RGB", (_SIDE, _SIDE + 12), (225, 222, 214))
    left, top = (int(at) for at in rng.integers(4, 10, 2))
    red = int(np.clip(90 + 40 * drought, 0, 255))
    box = (left, top, left + 20, top + 34)
    ImageDraw.Draw(image).ellipse(box, fill=(red, 50, 40))
    return image
