"""Spatial blocks of points, and the folds that hold whole blocks out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quadrat.occurrence.points.table import Floats
from quadrat.occurrence.schema.points import PointsSection
from quadrat.splits import group_folds, spatial_blocks

_KM_PER_DEGREE = 111.2
_BLOCKS_ACROSS = 10


@dataclass(frozen=True)
class PointFolds:
    """Every site held out once, together with all sites of its block.

    Args:
        fold: The fold that holds each site out ``(N,)``.
        blocks: The spatial block of each site ``(N,)``.
        side: Side of a block, in km or in units of the coordinates.
    """

    fold: NDArray[np.int64]
    blocks: NDArray[np.str_]
    side: float

    @property
    def count(self) -> int:
        """K, the number of folds."""
        return int(self.fold.max()) + 1


def make_folds(place: Floats, section: PointsSection, *, seed: int) -> PointFolds:
    """Deals spatial blocks to folds of about equal size.

    Args:
        place: Coordinates, the one to the east first ``(N, 2)``.
        section: Side of a block and number of folds.
        seed: Of the drawing.

    Raises:
        DataError: There are fewer blocks than folds.
    """
    side = section.block or _side(place, section)
    blocks = _blocks(place, section, side)
    fold = np.empty(len(place), dtype=np.int64)
    for number, held_out in enumerate(group_folds(blocks, section.folds, seed=(seed, 4))):
        fold[held_out] = number
    return PointFolds(fold, blocks, side)


def _side(place: Floats, section: PointsSection) -> float:
    """A tenth of the longer side of the extent."""
    east, north = np.ptp(place, axis=0)
    if section.geographic:
        middle = np.radians(np.mean([place[:, 1].min(), place[:, 1].max()]))
        east, north = east * np.cos(middle) * _KM_PER_DEGREE, north * _KM_PER_DEGREE
    return max(float(max(east, north)) / _BLOCKS_ACROSS, 1e-6)


def _blocks(place: Floats, section: PointsSection, side: float) -> NDArray[np.str_]:
    if section.geographic:
        return spatial_blocks(place[:, 1], place[:, 0], side)
    cells = np.floor((place - place.min(axis=0)) / side).astype(np.int64)
    return np.array([f"{east}:{north}" for east, north in cells.tolist()], dtype=np.str_)
