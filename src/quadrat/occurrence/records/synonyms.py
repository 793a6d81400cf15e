"""Species that are now called otherwise: records under an old code or name count for the new."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from quadrat.errors import DataError
from quadrat.occurrence.records.taxonomy import Species
from quadrat.tables import FIRST_ROW, read_table, require_columns

_COLUMNS = ("old", "new")


def read_synonyms(path: Path, taxonomy: Mapping[str, Species] | None) -> dict[str, str]:
    """Reads a table of synonyms.

    Args:
        path: It has the columns ``old`` and ``new``. Each is a code, or a scientific or common
            name of the taxonomy, whatever its case. A chain (a → b, b → c) leads to its end.
        taxonomy: The names; without it all values are codes.

    Returns:
        Old code → new code.

    Raises:
        DataError: A blank value, an old species with two new ones, or a circle.
    """
    frame = read_table(path)
    require_columns(frame, _COLUMNS, path, key="data.synonyms")
    rows = frame.select(pl.col(_COLUMNS).cast(pl.String).str.strip_chars().fill_null("")).rows()
    codes = _codes_by_name(taxonomy or {})
    blank = [f"row {n}" for n, row in enumerate(rows, FIRST_ROW) if "" in row]
    if blank:
        raise DataError(f"{path}: old and new must not be blank.", blank)
    found: dict[str, str] = {}
    problems = []
    for number, (old, new) in enumerate(rows, FIRST_ROW):
        target = codes.get(new.casefold(), new)
        # The lists of a table may hold the old name itself as a code.
        for source in {old, codes.get(old.casefold(), old)} - {target}:
            if found.setdefault(source, target) != target:
                problems.append(f"row {number}: '{source}' → '{found[source]}' and '{target}'")
    if problems:
        raise DataError(
            f"{path}: an old species must have one new one.",
            problems,
            fix="records of a species that was split cannot be told apart: leave it out here.",
        )
    return {old: _end(old, found, path) for old in found}


def _codes_by_name(taxonomy: Mapping[str, Species]) -> dict[str, str]:
    """Code of every name and code; names that several species bear are left out."""
    bearers: dict[str, set[str]] = defaultdict(set)
    for code, species in taxonomy.items():
        for name in (species.scientific, species.common):
            bearers[name.casefold()].add(code)
    unique = {name: next(iter(codes)) for name, codes in bearers.items() if len(codes) == 1}
    return unique | {code.casefold(): code for code in taxonomy}


def _end(start: str, synonyms: Mapping[str, str], path: Path) -> str:
    chain = [start]
    while chain[-1] in synonyms:
        chain.append(synonyms[chain[-1]])
        if chain[-1] in chain[:-1]:
            raise DataError(
                f"{path}: synonyms go round in a circle.", [" → ".join(chain)], fix="remove one."
            )
    return chain[-1]
