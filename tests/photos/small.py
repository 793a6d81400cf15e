"""A small problem with a known answer: vectors that hold the masses, metadata that add to them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from quadrat.photos.schema import PhotosExperiment
from tests.photos.tables import experiment, save

COUNT = 48
WIDTH = 12


def table(count: int = COUNT) -> pl.DataFrame:
    """One row a photo, three a site; green depends on the vector and on height, dead on both."""
    rng = np.random.default_rng(5)
    vectors = vectors_of(count)
    height = rng.uniform(1, 30, count)
    green = 30 + 6 * vectors[:, 0] + 3 * vectors[:, 1] + 0.4 * height + rng.normal(0, 1, count)
    dead = np.maximum(15 + 5 * vectors[:, 2] - 2 * vectors[:, 0] + rng.normal(0, 1, count), 0)
    return pl.DataFrame(
        {
            "image_path": [f"photos/{row}.png" for row in range(count)],
            "site": [f"site {row // 3}" for row in range(count)],
            "soil": [("clay", "sand", "loam")[row % 3] for row in range(count)],
            "height_cm": height,
            "row": np.arange(count),
            "green_g": green,
            "dead_g": dead,
            "total_g": green + dead,
        }
    )


def vectors_of(count: int = COUNT) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What an encoder would say of the photos."""
    return np.random.default_rng(4).normal(size=(count, WIDTH))


def small(
    folder: Path, frame: pl.DataFrame | None = None, **sections: Mapping[str, Any]
) -> PhotosExperiment:
    """Writes table and vectors, and gives the experiment that fits them."""
    frame = table() if frame is None else frame
    path = save(frame, folder, "train.parquet")
    np.save(folder / "vectors.npy", vectors_of(frame.height).astype(np.float32))
    given: dict[str, Mapping[str, Any]] = {
        "data": {"categorical": ["soil"]},
        "encoder": {"name": f"precomputed:{folder}/vectors.npy", "rows": "column:row"},
        "optimiser": {"epochs": 4, "batch_size": 8, "precision": "fp32"},
        "run": {"device": "cpu"},
        "fusion": {"hidden": 16},
        "head": {"hidden": [8]},
        "score": {"bootstrap": 50},
    }
    for name, keys in sections.items():
        given[name] = {**given.get(name, {}), **keys}
    return experiment(path, **given)
