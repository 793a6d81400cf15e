"""Notices a loss that is not finite, and says which samples it came from."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from quadrat.engine.batches import Batch
from quadrat.engine.objective import Losses
from quadrat.errors import NonFiniteLossError

_WINDOW = 25
"""Steps between two looks on a GPU, where every look waits for the device."""


@dataclass(frozen=True)
class _Watched:
    total: Tensor
    per_sample: Tensor | None
    batch: Batch
    epoch: int
    step: int
    label: str

    def samples(self) -> list[str]:
        ids = list(self.batch.sample_ids())
        if self.per_sample is None:
            return ids
        bad = (~torch.isfinite(self.per_sample)).nonzero().flatten().tolist()
        return [ids[i] for i in bad] or ids


class FiniteGuard:
    """Looks at the losses: at every step on a CPU, every few steps on a GPU.

    Args:
        device: Where the losses live.
    """

    def __init__(self, device: torch.device) -> None:
        self.window = 1 if device.type == "cpu" else _WINDOW
        self._watched: list[_Watched] = []

    def watch(self, losses: Losses, batch: Batch, epoch: int, step: int, label: str) -> None:
        """Takes in the loss of a batch.

        Raises:
            NonFiniteLossError: It, or one before it, is not finite.
        """
        entry = _Watched(losses.total.detach(), losses.per_sample, batch, epoch, step, label)
        self._watched.append(entry)
        if len(self._watched) >= self.window:
            self.check()

    def check(self) -> None:
        """Looks at the losses since the last look.

        Raises:
            NonFiniteLossError: One of them is not finite.
        """
        watched, self._watched = self._watched, []
        if not watched:
            return
        finite = torch.stack([torch.isfinite(entry.total) for entry in watched])
        if bool(finite.all()):
            return
        first = watched[int((~finite).nonzero()[0])]
        raise NonFiniteLossError(first.epoch, first.step, first.samples(), first.label)
