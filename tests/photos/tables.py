"""Small tables of photos, as users have them: long and wide, right and wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from quadrat.experiment import parse
from quadrat.photos.schema import PhotosExperiment

TARGETS = ("green_g", "dead_g", "total_g")


def wide(count: int = 6) -> pl.DataFrame:
    """One row a photo; the total is the sum of the others."""
    rng = np.random.default_rng(0)
    green, dead = rng.uniform(5, 50, (2, count)).round(2)
    return pl.DataFrame(
        {
            "sample_id": [f"q{row}" for row in range(count)],
            "image_path": [f"photos/{row}.png" for row in range(count)],
            "site": [f"site {row // 2}" for row in range(count)],
            "height_cm": rng.uniform(1, 30, count).round(1),
            "green_g": green,
            "dead_g": dead,
            "total_g": green + dead,
        }
    )


def long(count: int = 6) -> pl.DataFrame:
    """One row a target of a photo."""
    table = wide(count).unpivot(
        on=list(TARGETS),
        index=["sample_id", "image_path", "site", "height_cm"],
        variable_name="target_name",
        value_name="target",
    )
    named = pl.col("sample_id") + "__" + pl.col("target_name")
    return table.with_columns(sample_id=named).sort("image_path", maintain_order=True)


def experiment(table: Path, **sections: Mapping[str, Any] | None) -> PhotosExperiment:
    """The experiment that fits these tables, with keys changed; None drops a section."""
    content: dict[str, Any] = {
        "family": "photos",
        "data": {
            "table": str(table),
            "targets": list(TARGETS),
            "numeric": ["height_cm"],
            "categorical": ["site"],
        },
        "balance": [{"total": "total_g", "parts": ["green_g", "dead_g"]}],
        "split": {"kind": "group", "by": ["site"], "folds": 3},
    }
    for section, keys in sections.items():
        if keys is None:
            del content[section]
        else:
            content[section] = {**content.get(section, {}), **keys}
    parsed = parse(content)
    assert isinstance(parsed, PhotosExperiment)
    return parsed


def save(frame: pl.DataFrame, folder: Path, name: str = "train.csv") -> Path:
    """Writes a table by its suffix."""
    path = folder / name
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path)
    return path


def paint(folder: Path, count: int = 6, size: tuple[int, int] = (20, 30)) -> None:
    """Random photos where the tables expect them."""
    rng = np.random.default_rng(1)
    (folder / "photos").mkdir()
    for row in range(count):
        pixels = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{row}.png")
