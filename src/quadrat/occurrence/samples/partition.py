"""Which cells are learnt, which choose the state, and which judge; a cell's weeks stay together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quadrat.errors import DataError
from quadrat.occurrence.records.cells import CellTable
from quadrat.occurrence.samples.selection import Cells, in_regions, used_cells
from quadrat.occurrence.schema import DataSection, SplitSection
from quadrat.splits import inner_split, spatial_blocks

__all__ = ["Cells", "Partition", "make_partition"]


@dataclass(frozen=True)
class Partition:
    """The cells of an experiment, each in one part.

    Where a table has years, these are rows: a cell and a year.

    Args:
        train: Cells that are learnt.
        validation: Cells for early stopping and the choice of the state.
        test: Cells that are judged once, at the end; there may be none.
        holdout: Cells of the regions that are held out, judged besides; there may be none.
        blocks: The spatial block of every cell of the table ``(C,)``.
        years: The year of every row ``(C,)``, where the table has years.
    """

    train: Cells
    validation: Cells
    test: Cells
    holdout: Cells
    blocks: NDArray[np.str_]
    years: NDArray[np.int64] | None = None

    @property
    def judged(self) -> Cells:
        """The cells that the scores are on: test cells where there are any, else validation."""
        return self.test if len(self.test) else self.validation

    def parts(self) -> dict[str, Cells]:
        """The parts that have cells, by name."""
        every = {
            "train": self.train,
            "validation": self.validation,
            "test": self.test,
            "holdout": self.holdout,
        }
        return {name: cells for name, cells in every.items() if len(cells)}

    def protocol(self, split: SplitSection, *, intervals: bool = True) -> dict[str, Any]:
        """How the cells were divided, for ``metrics.json``.

        Args:
            split: How they were divided.
            intervals: Whether blocks are resampled, which the words then say.
        """
        judged = "test" if len(self.test) else "validation"
        groups = len(np.unique(self.blocks[self.judged]))
        held = {"holdout_cells": len(self.holdout)} if len(self.holdout) else {}
        return {
            "kind": split.kind,
            "seed": split.seed,
            "block_km": split.block_km,
            "judged": judged,
            "train_cells": len(self.train),
            "validation_cells": len(self.validation),
            "test_cells": len(self.test),
            **held,
            **(self._years() if split.kind == "year" else {}),
            "groups": groups,
            "words": self._words(split, judged, groups if intervals else 0),
        }

    def _years(self) -> dict[str, list[int]]:
        """The years of each part."""
        years = self.years
        if years is None:
            return {}
        return {f"{n}_years": np.unique(years[rows]).tolist() for n, rows in self.parts().items()}

    def _words(self, split: SplitSection, judged: str, groups: int) -> str:
        together = {"spatial-block": "blocks", "year": "years"}.get(split.kind, "cells")
        chosen = "" if len(self.test) else "; they also chose the state, which flatters a little"
        regions = ", ".join(r if isinstance(r, str) else str(list(r)) for r in split.regions)
        besides = f"; {len(self.holdout)} cells in {regions} were held out besides"
        resampled = f"; intervals resample {groups} spatial blocks of {split.block_km:g} km"
        return (
            f"scores on all 48 weeks of {len(self.judged)} {judged} cells{chosen}; whole "
            f"{together} were held out{besides if regions else ''}{resampled if groups else ''}."
        )


def make_partition(
    table: CellTable, split: SplitSection, data: DataSection | None = None
) -> Partition:
    """Divides the cells of a table.

    Args:
        table: The cells.
        split: How.
        data: Says which share of the cells is used at all; all of them without it.

    Raises:
        DataError: There are too few cells, blocks or years to divide.
    """
    share = (data.sample_fraction, data.ocean_rate) if data else (1.0, 1.0)
    used = used_cells(table, split.seed, fraction=share[0], ocean_rate=share[1])
    outside = in_regions(table, split)[used]
    rest, holdout = used[~outside], used[outside]
    if split.regions and not len(holdout):
        raise DataError(
            f"{table.path}: no used cell lies in split.regions.", fix="raise data.sample_fraction."
        )
    if not len(rest):
        raise _too_few(table, split, "0 cells", len(holdout))
    blocks = spatial_blocks(table.lat, table.lon, split.block_km)
    if split.kind == "year":
        train, validation, test = _by_year(table, rest, split)
    else:
        train, validation, test = _by_place(table, rest, split, blocks, len(holdout))
    return Partition(train, validation, test, holdout, blocks, table.years)


def _by_place(
    table: CellTable, rest: Cells, split: SplitSection, blocks: NDArray[np.str_], held: int
) -> tuple[Cells, Cells, Cells]:
    """Whole cells or whole blocks, at random, of what ``held`` cells in regions have left."""
    groups: NDArray[Any] | None = None
    if split.kind == "spatial-block":
        groups = blocks
    elif table.years is not None:
        groups = table.places()
    units = len(rest) if groups is None else len(np.unique(groups[rest]))
    if units < _parts(split):
        named = f"blocks of {split.block_km:g} km" if groups is blocks else "cells"
        raise _too_few(table, split, f"{units} {named}", held)
    test = np.empty(0, dtype=np.int64)
    if split.test > 0:
        rest, test = inner_split(rest, groups, split.test, seed=(split.seed, 0))
    share = split.validation / (1 - split.test)
    train, validation = inner_split(rest, groups, share, seed=(split.seed, 1))
    return train, validation, test


def _too_few(table: CellTable, split: SplitSection, units: str, held: int) -> DataError:
    """Nothing is left to divide: the regions took it, or there never was enough."""
    problem = f"{table.path}: {units} cannot be divided into {_parts(split)} parts"
    if held:
        cells = "cell" if held == 1 else "cells"
        return DataError(
            f"{problem}: split.regions hold out {held} {cells} before.",
            fix="choose fewer or smaller split.regions, so that cells are left to learn from; or "
            "give more cells, a larger data.sample_fraction or a smaller split.block_km.",
        )
    return DataError(
        f"{problem}.",
        fix="give more cells, a larger data.sample_fraction or a smaller split.block_km.",
    )


def _by_year(table: CellTable, rest: Cells, split: SplitSection) -> tuple[Cells, Cells, Cells]:
    """Whole years: the newest are the test, those before are validation."""
    if table.years is None:
        raise DataError(
            f"{table.path} has no column 'year', which split.kind = 'year' needs.",
            fix="give one row a cell and year, or choose another split.kind.",
        )
    years = table.years[rest]
    test = split.test_years or (_newest(years, split.test * len(years)) if split.test > 0 else ())
    before = years[~np.isin(years, test)]
    validation = split.validation_years or _newest(before, split.validation * len(years))
    parts = [rest[np.isin(years, chosen)] for chosen in (validation, test)]
    train = rest[~np.isin(years, (*validation, *test))]
    wanted = [train, parts[0], *([parts[1]] if test else [])]
    if not all(len(part) for part in wanted):
        raise DataError(
            f"{table.path}: its years ({', '.join(map(str, np.unique(years)))}) do not leave "
            f"cells for each of {len(wanted)} parts.",
            [f"validation: {list(validation)}", f"test: {list(test)}"],
            fix="change split.validation_years and split.test_years, or give more years.",
        )
    return train, parts[0], parts[1]


def _newest(years: NDArray[np.int64], rows: float) -> tuple[int, ...]:
    """The newest years that together have so many rows; always one."""
    found, counts = np.unique(years, return_counts=True)
    before = np.cumsum(counts[::-1]) - counts[::-1]
    return tuple(found[::-1][before < max(rows, 1)].tolist())


def _parts(split: SplitSection) -> int:
    return 3 if split.test > 0 else 2
