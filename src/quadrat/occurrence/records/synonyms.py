"""Species that are now called otherwise: records under an old code or name count for the new."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from quadrat.errors import DataError
from quadrat.occurrence.records.taxonomy import Species
from quadrat.tables import FIRST_ROW, read_table, require_columns

_COLUMNS = ("old", "new")


@dataclass(frozen=True)
class Synonym:
    """One row of a table of synonyms.

    Args:
        row: Its number in the file.
        old: What stands there as the old species.
        sources: The codes that it may mean in a table, without the new one.
        target: The code that they become.
    """

    row: int
    old: str
    sources: frozenset[str]
    target: str


@dataclass(frozen=True)
class SynonymUse:
    """What a table of synonyms did to some records.

    Args:
        rows: How many rows it has.
        idle: The rows whose old species occurs nowhere, in words.
    """

    rows: int
    idle: tuple[str, ...]

    @classmethod
    def of(
        cls, path: Path, taxonomy: Mapping[str, Species] | None, renamed: Collection[str]
    ) -> SynonymUse:
        """Looks which rows did something.

        Args:
            path: As in `read_synonyms`.
            taxonomy: As in `read_synonyms`.
            renamed: The old codes that occurred in the records.
        """
        rows = list(_rows(path, taxonomy))
        reached, before = set(renamed), -1
        while len(reached) > before:  # a chain is followed to its end, whatever the order of rows
            before = len(reached)
            reached.update(row.target for row in rows if row.sources & reached)
        idle = [row for row in rows if row.sources and not row.sources & reached]
        return cls(len(rows), tuple(f"'{row.old}' (row {row.row})" for row in idle))


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
    found: dict[str, str] = {}
    problems = []
    for row in _rows(path, taxonomy):
        for source in sorted(row.sources):
            if found.setdefault(source, row.target) != row.target:
                problems.append(f"row {row.row}: '{source}' → '{found[source]}' and '{row.target}'")
    if problems:
        raise DataError(
            f"{path}: an old species must have one new one.",
            problems,
            fix="records of a species that was split cannot be told apart: leave it out here.",
        )
    return {old: _end(old, found, path) for old in found}


def _rows(path: Path, taxonomy: Mapping[str, Species] | None) -> Iterator[Synonym]:
    frame = read_table(path)
    require_columns(frame, _COLUMNS, path, key="data.synonyms")
    rows = frame.select(pl.col(_COLUMNS).cast(pl.String).str.strip_chars().fill_null("")).rows()
    blank = [f"row {n}" for n, row in enumerate(rows, FIRST_ROW) if "" in row]
    if blank:
        raise DataError(f"{path}: old and new must not be blank.", blank)
    codes = _codes_by_name(taxonomy or {})
    for number, (old, new) in enumerate(rows, FIRST_ROW):
        target = codes.get(new.casefold(), new)
        # The lists of a table may hold the old name itself as a code.
        sources = {old, codes.get(old.casefold(), old)} - {target}
        yield Synonym(number, old, frozenset(sources), target)


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
