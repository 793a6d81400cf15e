"""Which cells are learnt, which choose the state, and which judge; a cell's weeks stay together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quadrat.errors import DataError
from quadrat.occurrence.records.cells import CellTable
from quadrat.occurrence.schema import SplitSection
from quadrat.splits import inner_split, spatial_blocks

Cells = NDArray[np.int64]
"""Positions of cells in the table, ascending."""


@dataclass(frozen=True)
class Partition:
    """The cells of an experiment, each in one part.

    Args:
        train: Cells that are learnt.
        validation: Cells for early stopping and the choice of the state.
        test: Cells that are judged once, at the end; there may be none.
        blocks: The spatial block of every cell of the table ``(C,)``.
    """

    train: Cells
    validation: Cells
    test: Cells
    blocks: NDArray[np.str_]

    @property
    def judged(self) -> Cells:
        """The cells that the scores are on: test cells where there are any, else validation."""
        return self.test if len(self.test) else self.validation

    def protocol(self, split: SplitSection) -> dict[str, Any]:
        """How the cells were divided, for ``metrics.json``."""
        judged = "test" if len(self.test) else "validation"
        together = "blocks" if split.kind == "spatial-block" else "cells"
        chosen = "" if len(self.test) else "; they also chose the state, which flatters a little"
        return {
            "kind": split.kind,
            "seed": split.seed,
            "block_km": split.block_km,
            "judged": judged,
            "train_cells": len(self.train),
            "validation_cells": len(self.validation),
            "test_cells": len(self.test),
            "groups": len(np.unique(self.blocks[self.judged])),
            "words": f"scores on all 48 weeks of {len(self.judged)} {judged} cells{chosen}; whole "
            f"{together} were held out; intervals resample "
            f"{len(np.unique(self.blocks[self.judged]))} spatial blocks of {split.block_km:g} km.",
        }


def make_partition(table: CellTable, split: SplitSection, fraction: float = 1.0) -> Partition:
    """Divides the cells of a table.

    Args:
        table: The cells.
        split: How.
        fraction: Share of the cells to use at all, drawn before anything else.

    Raises:
        DataError: There are too few cells or blocks to divide.
    """
    blocks = spatial_blocks(table.lat, table.lon, split.block_km)
    rng = np.random.default_rng((split.seed, 2))
    count = max(1, round(fraction * len(table)))
    rest = np.sort(rng.permutation(len(table))[:count])
    groups = blocks if split.kind == "spatial-block" else None
    parts = 3 if split.test > 0 else 2
    units = rest if groups is None else np.unique(blocks[rest])
    if len(units) < parts:
        named = "cells" if groups is None else f"blocks of {split.block_km:g} km"
        raise DataError(
            f"{table.path}: {len(units)} {named} cannot be divided into {parts} parts.",
            fix="give more cells, a larger data.sample_fraction or a smaller split.block_km.",
        )
    test = np.empty(0, dtype=np.int64)
    if split.test > 0:
        rest, test = inner_split(rest, groups, split.test, seed=(split.seed, 0))
    share = split.validation / (1 - split.test)
    train, validation = inner_split(rest, groups, share, seed=(split.seed, 1))
    return Partition(train, validation, test, blocks)
