"""Columns of arrow tables as numpy arrays.

By way of polars: pyarrow's own conversions import pandas where it is installed, which takes longer
than reading the table.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray


def as_series(column: pa.Array | pa.ChunkedArray) -> pl.Series:
    """A column as a polars series."""
    return pl.Series(pl.from_arrow(column))


def as_floats(column: pa.Array | pa.ChunkedArray) -> NDArray[np.float64]:
    """Numbers ``(N,)``, NaN where they are missing."""
    return as_series(column).cast(pl.Float64).fill_null(np.nan).to_numpy().copy()


def as_counts(column: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
    """Whole numbers ``(N,)``, 0 where they are missing."""
    return as_series(column).cast(pl.Int64).fill_null(0).to_numpy().copy()
