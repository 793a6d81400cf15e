"""Whole years among the judged samples, as the BirdNET geomodel judges.

Its validation samples are 48 weeks and the whole year of each cell. A model that answers for the
year with the maximum over the weeks is asked in that way here too.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from quadrat.occurrence.network.species_network import Prediction
from quadrat.occurrence.samples.batches import CellBatch
from quadrat.runtime.weeks import WEEKS, WHOLE_YEAR

REFERENCE = "reference"
"""The name of this protocol, and what the names of its scores begin with."""

_CELLS = 32
"""Cells whose 48 weeks go through a module at a time."""


class WithYears(nn.Module):
    """A module that is asked about whole years: the highest log odds of any week.

    Args:
        module: Answers for the weeks of judged cells.
        cells: C, the number of cells; the year of cell ``c`` is the sample ``48 C + c``.
    """

    def __init__(self, module: nn.Module, cells: int) -> None:
        super().__init__()
        self.module, self.cells = module, cells

    def forward(self, batch: CellBatch) -> Prediction:
        """Log odds of a batch in which weeks and years may be mixed."""
        year = batch.week == WHOLE_YEAR
        parts = [(rows, self._weeks(batch, rows)) for rows in _chunks(~year, _CELLS * WEEKS)]
        parts += [(rows, self._years(batch, rows)) for rows in _chunks(year, _CELLS)]
        rows = torch.cat([rows for rows, _ in parts])
        return Prediction(torch.cat([logits for _, logits in parts])[rows.argsort()])

    def _weeks(self, batch: CellBatch, rows: Tensor) -> Tensor:
        logits: Tensor = self.module(_rows(batch, rows)).logits
        return logits

    def _years(self, batch: CellBatch, rows: Tensor) -> Tensor:
        cell = batch.index[rows.cpu()] - self.cells * WEEKS
        every = torch.arange(WEEKS)
        weeks = replace(
            _rows(batch, rows.repeat_interleave(WEEKS)),
            week=(every + 1).repeat(len(rows)).to(batch.week.device),
            index=(cell[:, None] * WEEKS + every).flatten(),
        )
        logits: Tensor = self.module(weeks).logits
        return logits.reshape(len(rows), WEEKS, -1).amax(dim=1)


def _rows(batch: CellBatch, rows: Tensor) -> CellBatch:
    return replace(
        batch,
        position=batch.position[rows],
        week=batch.week[rows],
        environment=batch.environment[rows],
        density=batch.density[rows],
        index=batch.index[rows.cpu()],
    )


def _chunks(wanted: Tensor, size: int) -> tuple[Tensor, ...]:
    """The positions of what is wanted, so many at a time."""
    rows = wanted.nonzero().flatten()
    return torch.split(rows, size) if len(rows) else ()
