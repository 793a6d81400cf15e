"""The records of an experiment, under the names that its synonyms give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from quadrat.occurrence.records.cells import CellTable, read_cells
from quadrat.occurrence.records.synonyms import SynonymUse, read_synonyms
from quadrat.occurrence.records.taxonomy import Species, read_taxonomy
from quadrat.occurrence.schema import DataSection


def read_records(
    data: DataSection, table: Path | None = None, *, environment: Sequence[str] | None
) -> CellTable:
    """Reads a combined parquet as an experiment sees it.

    Args:
        data: Gives the table, the synonyms and the names they may use.
        table: Another table to read in the same way.
        environment: Only these environment columns; None: all.

    Raises:
        DataError: Names what is wrong with the files.
    """
    synonyms = read_synonyms(data.synonyms, known_species(data)) if data.synonyms else None
    return read_cells(table or data.cells, environment=environment, synonyms=synonyms)


def synonym_use(data: DataSection, table: CellTable) -> SynonymUse | None:
    """What the synonyms of an experiment did to the table it read, if it has synonyms."""
    if data.synonyms is None:
        return None
    return SynonymUse.of(data.synonyms, known_species(data), table.renamed)


def known_species(data: DataSection) -> Mapping[str, Species] | None:
    """The taxonomy of an experiment by code, if it has one."""
    return read_taxonomy(data.taxonomy) if data.taxonomy else None
