"""Which species of a trained run the species of new records are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quadrat.errors import DataError, closest
from quadrat.occurrence.records.taxonomy import Species, Vocabulary
from quadrat.tables import FIRST_ROW, read_table, require_columns


@dataclass(frozen=True)
class SpeciesMatch:
    """New species and the old ones that they were.

    Args:
        sources: The old columns of each new species; none: it is new.
        by_synonym: New code → old codes, for those that a table of synonyms names.
        left: Old columns that no new species was.
        idle: Synonyms that nothing came of, in words.
    """

    sources: tuple[tuple[int, ...], ...]
    by_synonym: Mapping[str, tuple[str, ...]]
    left: tuple[int, ...]
    idle: tuple[str, ...] = ()

    @classmethod
    def of(cls, old: Vocabulary, new: Vocabulary, synonyms: Mapping[str, list[int]]) -> Any:
        """Matches by code, then by synonym.

        Args:
            old: Species of the run.
            new: Species to learn.
            synonyms: New code → old columns.
        """
        same = old.columns(new.codes)
        sources = tuple(
            (same[code],) if code in same else tuple(synonyms.get(code, ())) for code in new.codes
        )
        named = {
            code: tuple(old.codes[column] for column in columns)
            for code, columns in zip(new.codes, sources, strict=True)
            if columns and code not in same
        }
        taken = {column for columns in sources for column in columns}
        left = tuple(n for n in range(len(old)) if n not in taken)
        idle = (
            f"'{old.codes[column]}' → '{code}' "
            + (f"(that run knows '{code}' itself)" if code in same else "(it is not learnt)")
            for code, columns in synonyms.items()
            if code not in named
            for column in columns
        )
        return cls(sources, named, left, tuple(idle))

    @property
    def new(self) -> list[int]:
        """Columns of the species that the run did not know."""
        return [column for column, old in enumerate(self.sources) if not old]


def read_renamed(path: Path, old: Vocabulary, known: Collection[str]) -> dict[str, list[int]]:
    """Reads a table of what old species are called now.

    Args:
        path: It has the columns ``old`` (a code or scientific name) and ``new`` (a code).
        old: The species of the run.
        known: The codes that new species may have, besides those of the run.

    Returns:
        New code → old columns.

    Raises:
        DataError: Values are blank, old names that the run does not know, or new codes that nobody
            knows.
    """
    frame = read_table(path)
    require_columns(frame, ("old", "new"), path, key="start.synonyms")
    places = {s.scientific.casefold(): n for n, s in enumerate(old.species)}
    places |= {s.code.casefold(): n for n, s in enumerate(old.species)}
    found: dict[str, list[int]] = defaultdict(list)
    problems, strangers = [], []
    codes = {*known, *old.codes}
    for number, (name, code) in enumerate(frame.select("old", "new").rows(), FIRST_ROW):
        column = places.get(str(name or "").strip().casefold())
        target = str(code if code is not None else "").strip()
        if column is None or not target:
            problems.append(f"row {number}: '{name}' → '{code}'")
        elif target not in codes:
            strangers.append(f"row {number}: '{name}' → '{target}'.{closest(target, codes)}")
        elif column not in found[target]:
            found[target].append(column)
    if problems:
        raise DataError(
            f"{path}: old must be a species of the run to start from, and new must not be blank.",
            problems,
            fix="old is a code or scientific name of the run's labels.txt; remove other rows.",
        )
    if strangers:
        raise DataError(
            f"{path}: new must be a code of the table of cells or of the taxonomy.",
            strangers,
            fix="correct these codes, or remove the rows.",
        )
    return dict(found)


def joined(new: Vocabulary, old: Vocabulary, left: tuple[int, ...]) -> Vocabulary:
    """The new species, then old ones that stay."""
    kept: tuple[Species, ...] = tuple(old.species[column] for column in left)
    return Vocabulary(new.species + kept)
