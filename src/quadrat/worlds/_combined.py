"""The combined table of an invented planet: a row a cell, with 48 weekly species lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quadrat.worlds._fauna import WEEKS
from quadrat.worlds._globe import Globe

if TYPE_CHECKING:
    import pyarrow as pa

TARGET_KM = (2500, 950, 350, 150, 50)  # nominal cell size of H3 resolutions 0 to 4

_ROWS_AT_ONCE = 8192  # cells a row group: bounds the memory that species codes take as text


@dataclass(frozen=True, eq=False)
class Detections:
    """The records of one week, ascending by cell and, within a cell, by species.

    Attributes:
        cell: (R,) rows of cells.
        species: (R,) rows of species.
    """

    cell: NDArray[np.int32]
    species: NDArray[np.int32]


def write_combined(
    path: Path,
    globe: Globe,
    resolution: int,
    codes: Sequence[str],
    weeks: Sequence[Detections],
) -> None:
    """Write the table as parquet, a row group at a time.

    Args:
        path: The file.
        globe: Cells and their environment; NaN is written as null, as data frames do.
        resolution: H3 resolution of the cells.
        codes: Species codes that ``Detections.species`` points into.
        weeks: The records of weeks 1 to 48.
    """
    import pyarrow as pa
    from pyarrow import parquet

    text = pa.array(codes, pa.string())
    schema = pa.schema(
        [
            ("h3_index", pa.string()),
            *((name, pa.float64()) for name in globe.environment),
            ("target_km", pa.int64()),
            ("h3_resolution", pa.int64()),
            *((f"week_{week}", pa.list_(pa.string())) for week in range(1, WEEKS + 1)),
        ]
    )
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, len(globe.cells), _ROWS_AT_ONCE):
            stop = min(start + _ROWS_AT_ONCE, len(globe.cells))
            size = stop - start
            columns = [
                pa.array(globe.cells[start:stop], pa.string()),
                *(
                    pa.array(values[start:stop], from_pandas=True)
                    for values in globe.environment.values()
                ),
                pa.array(np.full(size, TARGET_KM[resolution])),
                pa.array(np.full(size, resolution)),
                *(_lists(records, start, stop, text) for records in weeks),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def _lists(records: Detections, start: int, stop: int, text: pa.StringArray) -> pa.ListArray:
    """Species lists of the cells from ``start`` to before ``stop``."""
    import pyarrow as pa

    bounds = np.searchsorted(records.cell, np.arange(start, stop + 1))
    species = records.species[bounds[0] : bounds[-1]]
    return pa.ListArray.from_arrays(
        pa.array((bounds - bounds[0]).astype(np.int32)), text.take(pa.array(species))
    )
