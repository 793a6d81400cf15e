"""Species by code, scientific name and common name; the ``labels.txt`` that goes with a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from quadrat.errors import DataError, UnknownNameError
from quadrat.runs import write_text
from quadrat.tables import FIRST_ROW, read_table, require_columns

_COLUMNS = ("species_code", "sci_name", "com_name")


@dataclass(frozen=True)
class Species:
    """One species; a species that no taxonomy knows bears its code as names."""

    code: str
    scientific: str
    common: str
    group: str = ""


@dataclass(frozen=True)
class Vocabulary:
    """The species that a model knows, in the order of its outputs."""

    species: tuple[Species, ...]

    def __len__(self) -> int:
        return len(self.species)

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes, in order."""
        return tuple(species.code for species in self.species)

    def columns(self, codes: Sequence[str]) -> dict[str, int]:
        """The positions of those of some codes that the model knows."""
        known = {code: column for column, code in enumerate(self.codes)}
        return {code: known[code] for code in codes if code in known}

    def find(self, name: str) -> int:
        """The position of a species.

        Args:
            name: Its code, scientific name or common name; case does not matter.

        Raises:
            UnknownNameError: The model does not know it; offers the closest name.
        """
        try:
            return self._places[name.strip().casefold()]
        except KeyError:
            names = {part for s in self.species for part in (s.code, s.scientific, s.common)}
            raise UnknownSpeciesError(name, names) from None

    def write(self, path: Path) -> None:
        """Writes ``labels.txt``: code, scientific name and common name, separated by tabs."""
        lines = [f"{s.code}\t{s.scientific}\t{s.common}\n" for s in self.species]
        write_text(path, "".join(lines))

    @classmethod
    def read(cls, path: Path) -> Vocabulary:
        """Reads ``labels.txt``.

        Raises:
            DataError: The file is missing, or a line has not three columns.
        """
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError as error:
            raise DataError(f"{path} does not exist.", fix="repeat the run.") from error
        rows = [line.split("\t") for line in lines if line.strip()]
        bad = [f"line {n}: {len(row)} columns" for n, row in enumerate(rows, 1) if len(row) != 3]
        if bad or not rows:
            raise DataError(
                f"{path} must have three columns separated by tabs: code, scientific name, "
                "common name.",
                bad or ["it is empty"],
            )
        return cls(tuple(Species(*row) for row in rows))

    @cached_property
    def _places(self) -> dict[str, int]:
        # Codes come last, so that a name equal to another species' code never hides that code.
        places: dict[str, int] = {}
        for key in ("common", "scientific", "code"):
            places |= {getattr(s, key).casefold(): n for n, s in enumerate(self.species)}
        return places


class UnknownSpeciesError(UnknownNameError):
    """A species that the model does not know; thousands of names are not listed."""

    def __init__(self, name: str, known: set[str]) -> None:
        super().__init__("species", name, known)
        shown = str(self).partition(" Known:")[0]
        self.args = (f"{shown} This model knows {len(known)} names; they are in labels.txt.",)


def read_taxonomy(path: Path) -> dict[str, Species]:
    """Reads a taxonomy: ``species_code``, ``sci_name``, ``com_name`` and perhaps ``class_name``.

    Raises:
        DataError: The table lacks columns, or names a code twice.
    """
    frame = read_table(path)
    require_columns(frame, _COLUMNS, path, key="data.taxonomy")
    columns = [*_COLUMNS, "class_name"] if "class_name" in frame.columns else list(_COLUMNS)
    frame = frame.select(pl.col(columns).cast(pl.String).str.strip_chars().fill_null(""))
    twice = frame.with_row_index("row", FIRST_ROW).filter(pl.col("species_code").is_duplicated())
    if twice.height:
        raise DataError(
            f"the taxonomy {path} names codes more than once.",
            [f"row {row}: '{code}'" for row, code in twice.select("row", "species_code").rows()],
            fix="keep one row a code.",
        )
    names = ([_plain(value) for value in row] for row in frame.rows())
    return {
        code: Species(code, scientific or code, common or scientific or code, *group)
        for code, scientific, common, *group in names
    }


def read_watchlist(watchlist: Sequence[str] | Path) -> tuple[str, ...]:
    """The codes of a watch list, each once: given, or read from a file with one code a line.

    Raises:
        DataError: The file does not exist, or is empty.
    """
    if not isinstance(watchlist, Path):
        return tuple(dict.fromkeys(watchlist))
    if not watchlist.is_file():
        raise DataError(f"the watch list {watchlist} does not exist.", fix="see data.watchlist.")
    codes = [line.strip() for line in watchlist.read_text(encoding="utf-8-sig").splitlines()]
    if not any(codes):
        raise DataError(f"the watch list {watchlist} is empty.", fix="write one code a line.")
    return tuple(dict.fromkeys(code for code in codes if code))


def make_vocabulary(
    codes: Sequence[str], taxonomy: Mapping[str, Species] | None
) -> tuple[Vocabulary, tuple[str, ...]]:
    """The vocabulary of these codes, in their order.

    Returns:
        The vocabulary, and the codes that the taxonomy lacks: they are kept under their codes.
    """
    known = taxonomy or {}
    species = tuple(known.get(code) or Species(code, code, code) for code in codes)
    missing = tuple(code for code in codes if taxonomy is not None and code not in known)
    return Vocabulary(species), missing


def _plain(name: str) -> str:
    return " ".join(name.split())
