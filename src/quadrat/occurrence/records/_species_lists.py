"""The 48 lists of species of a combined parquet, straight from arrow's offsets and codes.

No Python object is made for a positive.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from quadrat.errors import DataError
from quadrat.occurrence.labels.matrix import LabelMatrix
from quadrat.occurrence.records._arrow import as_counts, as_series
from quadrat.runtime.weeks import WEEKS
from quadrat.tables import FIRST_ROW

WEEK_COLUMNS = tuple(f"week_{week}" for week in range(1, WEEKS + 1))

_UNSAFE = re.compile(r"[\t\r\n]|^\s|\s$|^$")


def check_week_columns(schema: pa.Schema, path: Path) -> None:
    """Checks that every week is there, as a list of texts.

    Raises:
        DataError: Names the weeks that are not.
    """
    missing = [name for name in WEEK_COLUMNS if name not in schema.names]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise DataError(
            f"the table {path} has no column '{missing[0]}'{more}.",
            [f"it has: {', '.join(schema.names[:12])}"],
            fix="give one row a cell with week_1 … week_48, each a list of species codes.",
        )
    wrong = [name for name in WEEK_COLUMNS if not _is_text_list(schema.field(name).type)]
    if wrong:
        raise DataError(
            f"the table {path} has week columns that are not lists of species codes.",
            [f"column '{name}' is {schema.field(name).type}" for name in wrong],
            fix="store every week as list<string>.",
        )


def _is_text_list(kind: pa.DataType) -> bool:
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return False
    value = kind.value_type
    if pa.types.is_dictionary(value):
        value = value.value_type
    return any(
        check(value)
        for check in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    ) or bool(pa.types.is_null(value))


def read_species_lists(
    table: pa.Table, path: Path, synonyms: Mapping[str, str]
) -> tuple[tuple[str, ...], LabelMatrix, tuple[str, ...]]:
    """The species codes that occur, sorted, and the positives of every cell and week.

    Args:
        table: The week columns; their values may be dictionaries.
        path: The file, for messages.
        synonyms: Old code → new code, for which its records count.

    Returns:
        The codes, labels whose row is ``cell * 48 + week - 1``, and the old codes that occurred.

    Raises:
        DataError: There are no species, or codes that cannot be.
    """
    columns = [_decoded(table.column(name), name, path) for name in WEEK_COLUMNS]
    renamed = sorted(synonyms.keys() & _occurring(columns)) if synonyms else []
    if renamed:
        columns = [(n, places, _renamed(codes, synonyms)) for n, places, codes in columns]
    every = pc.unique(pa.concat_arrays([dictionary for _, _, dictionary in columns]))
    codes = every.take(pc.sort_indices(every))
    _check_codes(codes, path)
    shape, weeks = (table.num_rows, len(codes)), []
    for lengths, positions, dictionary in columns:
        place = as_counts(pc.index_in(dictionary, value_set=codes))
        rows = np.repeat(np.arange(table.num_rows), lengths)
        weeks.append(LabelMatrix.from_pairs(rows, place[positions], shape))
    matrix = LabelMatrix.interleaved(weeks)
    seen = np.flatnonzero(matrix.counts())
    if len(seen) == 0:
        raise DataError(
            f"the table {path} has no species in any of its weeks.",
            fix="give a table whose week columns hold species codes.",
        )
    names: list[str] = codes.to_pylist()
    if len(seen) < len(names):
        matrix, names = matrix.restricted(seen), [names[column] for column in seen]
    return tuple(names), matrix, tuple(renamed)


def _decoded(
    column: pa.ChunkedArray, name: str, path: Path
) -> tuple[NDArray[np.int64], NDArray[np.integer], Any]:
    """A week column as list lengths ``(C,)``, dictionary positions ``(P,)`` and dictionary."""
    lists = column.unify_dictionaries().combine_chunks()
    if isinstance(lists, pa.ChunkedArray):
        lists = lists.chunk(0) if lists.num_chunks else pa.array([], lists.type)
    lengths = as_counts(pc.list_value_length(lists))
    values = lists.flatten()
    if not isinstance(values, pa.DictionaryArray):
        values = values.cast(pa.string()).dictionary_encode()
    if values.null_count:
        holders = np.repeat(np.arange(len(lists)), lengths)
        rows = np.unique(holders[as_counts(values.is_null()) > 0])
        raise DataError(
            f"{path}: column '{name}' holds empty species codes.",
            [f"row {row + FIRST_ROW}" for row in rows],
            fix="remove the empty entries from these lists.",
        )
    return lengths, as_series(values.indices).to_numpy(), values.dictionary.cast(pa.string())


def _occurring(columns: Sequence[tuple[Any, NDArray[np.integer], Any]]) -> set[str]:
    """The codes that stand in the lists; a dictionary may hold others too."""
    found: set[str] = set()
    for _, positions, dictionary in columns:
        found.update(dictionary.take(pa.array(np.unique(positions))).to_pylist())
    return found


def _renamed(codes: Any, synonyms: Mapping[str, str]) -> Any:
    return pa.array([synonyms.get(code, code) for code in codes.to_pylist()], pa.string())


def _check_codes(codes: Any, path: Path) -> None:
    bad = [code for code in codes.to_pylist() if _UNSAFE.search(code)]
    if bad:
        raise DataError(
            f"{path}: species codes must be text without line breaks, tabs or outer spaces.",
            [repr(code) for code in bad],
            fix="rename these codes.",
        )
