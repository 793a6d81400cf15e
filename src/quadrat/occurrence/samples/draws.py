"""What is drawn at random for a training batch: jitter, species and places of pseudo-absences.

Every draw is a function of (seed, epoch, position, process), so that a resumed training draws what
an uninterrupted one would have drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quadrat.errors import DataError
from quadrat.geo import EARTH_RADIUS_KM, EDGE_KM, resolutions
from quadrat.occurrence.records.cells import CellTable
from quadrat.occurrence.schema import OccurrenceExperiment

_JITTER_OF_EDGE = 0.4
_KM_PER_DEGREE = EARTH_RADIUS_KM * math.pi / 180


@dataclass(frozen=True)
class Draws:
    """What is to be drawn for every batch.

    Args:
        jitter: Standard deviation of a sample's distance from its cell's centre, north and east,
            in degrees of the great circle, float32 ``(C,)``; None: samples stay at the centre.
        species: S, how many species there are.
        drawn_species: M, how many of them are looked at; 0: all.
        elsewhere: Where the random places lie: ``"sphere"``, ``"cells"``, or ``"none"``.
    """

    jitter: NDArray[np.float32] | None
    species: int
    drawn_species: int
    elsewhere: str

    @classmethod
    def of(
        cls,
        experiment: OccurrenceExperiment,
        table: CellTable,
        cells: NDArray[np.int64],
        species: int,
    ) -> Draws | None:
        """What an experiment draws for its training cells; None where it draws nothing.

        Args:
            experiment: Gives ``[augment]`` and ``[loss]``.
            table: All cells.
            cells: Positions of the training cells in the table ``(C,)``.
            species: S.

        Raises:
            DataError: The samples shall be moved, but the table has no H3 cells.
        """
        loss = experiment.loss
        jitter = jitter_degrees(table, cells) if experiment.augment.jitter else None
        drawn = loss.neg_samples if loss.neg_samples < species else 0
        if jitter is None and drawn == 0 and loss.spatial_negatives == "none":
            return None
        return cls(jitter, species, drawn, loss.spatial_negatives)

    def species_of(self, generator: torch.Generator) -> Tensor | None:
        """Different species, all equally likely: int64 ``(M,)``, ascending; None: all."""
        if self.drawn_species == 0:
            return None
        order = torch.randperm(self.species, generator=generator)
        return order[: self.drawn_species].sort().values


def jitter_degrees(table: CellTable, cells: NDArray[np.int64]) -> NDArray[np.float32]:
    """0.4 times the mean length of a cell's edge, in degrees of the great circle.

    Args:
        table: All cells.
        cells: Positions of some of them ``(C,)``.

    Raises:
        DataError: The table has no H3 cells, so they have no size.
    """
    if table.cells is None:
        raise DataError(
            f"augment.jitter moves samples within their H3 cell, but the cells of {table.path} "
            "are given by latitude and longitude and have no known size.",
            fix="give the column h3_index, or set augment.jitter = false.",
        )
    edges = np.array(EDGE_KM)[resolutions(table.cells[cells])]
    return (_JITTER_OF_EDGE / _KM_PER_DEGREE * edges).astype(np.float32)


def batch_generator(seed: int, epoch: int, position: int, rank: int) -> torch.Generator:
    """Random numbers of one batch of one process."""
    words = np.random.SeedSequence((seed, epoch, position, rank)).generate_state(2, np.uint32)
    return torch.Generator().manual_seed(int(words[0]) << 32 | int(words[1]))


def moved(position: Tensor, degrees: Tensor, generator: torch.Generator) -> Tensor:
    """Positions moved north and east by normal distances.

    Latitudes stop at the poles and longitudes go on across the dateline.

    Args:
        position: Latitudes and longitudes in degrees ``(B, 2)``.
        degrees: Standard deviations in degrees of the great circle ``(B,)``.
        generator: On the CPU.
    """
    noise = torch.randn(len(position), 2, generator=generator).to(position.device)
    north, east = (noise * degrees[:, None]).unbind(1)
    lat, lon = position.unbind(1)
    # At the poles themselves every longitude is the same place.
    east = east / torch.deg2rad(lat).cos().clamp(min=1e-6)
    return torch.stack([(lat + north).clamp(-90, 90), _wrapped(lon + east)], dim=1)


def sphere_places(count: int, generator: torch.Generator) -> Tensor:
    """Places that are equally likely everywhere on the sphere, in degrees ``(count, 2)``."""
    height, turn = torch.rand(2, count, generator=generator)
    return torch.stack([torch.rad2deg(torch.asin(2 * height - 1)), 360 * turn - 180], dim=1)


def _wrapped(lon: Tensor) -> Tensor:
    return torch.remainder(lon + 180, 360) - 180
