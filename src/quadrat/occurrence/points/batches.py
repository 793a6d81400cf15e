"""Batches of sites, made on the device from index vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from quadrat.engine import IndexBatches
from quadrat.occurrence.points.encoding import Inputs
from quadrat.occurrence.points.sites import Labels


@dataclass(frozen=True)
class PointBatch:
    """Sites of one step.

    Args:
        inputs: Encoded covariates ``(B, D)``.
        labels: 1 seen, 0 absent or background, NaN unknown ``(B, S)``.
        index: Rows of the table of sites ``(B,)`` on the CPU.
    """

    inputs: Tensor
    labels: Tensor
    index: Tensor

    def sample_ids(self) -> Sequence[str]:
        """The sites' numbers in the order of their first record."""
        return [f"site {row}" for row in self.index.tolist()]


class PointBatches(IndexBatches[PointBatch]):
    """The batches of some sites.

    Args:
        inputs: Encoded covariates ``(N, D)``.
        labels: ``(N, S)``.
        batch_size: Sites a batch.
        device: Where the tensors lie.
        seed: Of the order.
        shuffle: False keeps the sites' order.
        rank: The number of this process.
        world: How many processes there are.
    """

    def __init__(
        self,
        inputs: Inputs,
        labels: Labels,
        batch_size: int,
        *,
        device: torch.device,
        seed: int,
        shuffle: bool = True,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        super().__init__(
            len(inputs), batch_size, self._make, seed=seed, shuffle=shuffle, rank=rank, world=world
        )
        self._inputs = torch.from_numpy(inputs).to(device)
        self._labels = torch.from_numpy(labels).to(device)

    def _make(self, index: Tensor, epoch: int, position: int) -> PointBatch:
        rows = index.to(self._inputs.device)
        return PointBatch(self._inputs[rows], self._labels[rows], index)
