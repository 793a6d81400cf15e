"""Which cells of a table are used at all, and which lie in regions that are held out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quadrat.errors import DataError
from quadrat.geo import Region, is_land, region
from quadrat.occurrence.records.cells import CellTable
from quadrat.occurrence.schema import SplitSection

Cells = NDArray[np.int64]
"""Positions of rows in the table, ascending."""

OCEAN_WATER = 0.99
"""Share of water above which a cell off the land is ocean: small islands have a little less."""


def is_ocean(table: CellTable) -> NDArray[np.bool_]:
    """Which cells are open sea ``(C,)``.

    The centre must lie off the land of the outline, which knows no small islands and coasts to
    50 km only. Where the share of water is known, it must be above `OCEAN_WATER` too. Tables often
    lack it over the open sea, so unknown counts as water.
    """
    dry = table.water <= OCEAN_WATER  # False where unknown
    return ~is_land(table.lat, table.lon) & ~dry


def used_cells(
    table: CellTable, seed: int, *, fraction: float = 1.0, ocean_rate: float = 1.0
) -> Cells:
    """The cells that an experiment uses; all years of a cell go together.

    Args:
        table: The cells.
        seed: Of the draws.
        fraction: Share of the cells, drawn after the ocean cells that go.
        ocean_rate: Share of the ocean cells.
    """
    place = table.places()
    count = int(place.max()) + 1
    kept = np.ones(count, dtype=bool)
    if ocean_rate < 1.0:
        sea = np.zeros(count, dtype=bool)
        sea[place[is_ocean(table)]] = True
        kept = ~sea | (np.random.default_rng((seed, 3)).random(count) < ocean_rate)
    left = np.flatnonzero(kept)
    if len(left) == 0:
        raise DataError(
            f"{table.path}: all of its cells are ocean, and data.ocean_rate leaves none.",
            fix="raise data.ocean_rate.",
        )
    order = np.random.default_rng((seed, 2)).permutation(len(left))
    chosen = np.zeros(count, dtype=bool)
    chosen[left[order[: max(1, round(fraction * len(left)))]]] = True
    return np.flatnonzero(chosen[place])


def in_regions(table: CellTable, split: SplitSection) -> NDArray[np.bool_]:
    """Which cells have their centre in one of the regions that are held out ``(C,)``.

    Raises:
        DataError: A region has no cell.
    """
    inside = np.zeros(len(table), dtype=bool)
    empty = []
    for given in split.regions:
        box = region(given) if isinstance(given, str) else Region("box", *given)
        found = box.contains(table.lat, table.lon)
        if not found.any():
            empty.append(given if isinstance(given, str) else str(list(given)))
        inside |= found
    if empty:
        raise DataError(
            f"{table.path}: no cell lies in these regions of split.regions.",
            empty,
            fix="remove them; a box is [lon_min, lat_min, lon_max, lat_max].",
        )
    return inside
