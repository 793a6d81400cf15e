"""Small combined parquets made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from quadrat.geo import all_cells, format_cells

Lists = list[list[list[str] | None]]
"""Species lists by cell and week."""


def random_lists(cells: int, codes: Sequence[str], seed: int = 0, mean: float = 2.0) -> Lists:
    """Lists with repeats of a species, empty lists and missing lists."""
    rng = np.random.default_rng(seed)

    def one() -> list[str] | None:
        if rng.random() < 0.05:
            return None
        return rng.choice(codes, rng.poisson(mean)).tolist()

    return [[one() for _ in range(48)] for _ in range(cells)]


def columns(lists: Lists, **more: Any) -> dict[str, Any]:
    """The columns of a combined parquet: cells, two environment columns, 48 weeks."""
    n = len(lists)
    cells = format_cells(all_cells(1)[:n])
    weeks = {f"week_{w + 1}": [row[w] for row in lists] for w in range(48)}
    rng = np.random.default_rng(1)
    environment = {
        "elevation_m": rng.normal(300, 100, n).tolist(),
        "water_fraction": rng.uniform(0, 1, n).tolist(),
        "landcover_class": (np.arange(n) % 3 + 1.0).tolist(),
    }
    return {"h3_index": cells, **environment, "target_km": [350] * n, **weeks, **more}


def write(
    path: Path,
    table: Mapping[str, Any],
    *,
    week_type: pa.DataType | None = None,
    row_group_size: int | None = None,
) -> Path:
    """Writes columns as parquet; columns that are None are left out."""
    kinds = {f"week_{w}": week_type or pa.list_(pa.string()) for w in range(1, 49)}
    arrays = {
        name: pa.array(values, kinds.get(name))
        for name, values in table.items()
        if values is not None
    }
    pq.write_table(pa.table(arrays), path, row_group_size=row_group_size)
    return path
