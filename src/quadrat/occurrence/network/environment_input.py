"""The environment as something the network reads, known or not."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class EnvironmentInput(nn.Module):
    """Some of the encoded environment as features: each value, and whether it is known.

    What is unknown is zero and marked as unknown. In training the whole environment of some
    samples is hidden, so that the network also answers where nothing is known of it.

    Args:
        positions: Which values of the encoded environment are read.
        hidden: Share of training samples whose environment is hidden.
    """

    positions: Tensor

    def __init__(self, positions: Sequence[int], hidden: float) -> None:
        super().__init__()
        self.register_buffer("positions", torch.tensor(list(positions)), persistent=False)
        self.hidden = hidden
        self.size = 2 * len(positions)

    def shown(self, environment: Tensor | None, batch: int) -> Tensor:
        """What the network gets to see ``(B, I)``, NaN where unknown or hidden.

        Args:
            environment: Encoded environment ``(B, E)``, NaN where unknown; where it is None or E
                is 0, nothing is known.
            batch: B.
        """
        device = self.positions.device
        if environment is None or environment.shape[1] == 0:
            return torch.full((batch, len(self.positions)), torch.nan, device=device)
        values = environment[:, self.positions]
        if not self.training:
            return values
        hidden = torch.rand(batch, 1, device=device) < self.hidden
        return values.masked_fill(hidden, torch.nan)

    def forward(self, shown: Tensor) -> Tensor:
        """Features ``(B, 2 I)`` of what `shown` gave."""
        known = ~shown.isnan()
        return torch.cat([shown.nan_to_num(), known.to(shown.dtype)], dim=-1)

    def filled(self, predicted: Tensor, shown: Tensor) -> Tensor:
        """The environment as far as it is known, the rest as predicted ``(B, E)``."""
        own = predicted[:, self.positions]
        known = torch.where(shown.isnan(), own, shown.to(own.dtype))
        return predicted.index_copy(1, self.positions, known)

    def mask(self, shown: Tensor, size: int) -> Tensor:
        """Which of E encoded values were seen: bool ``(B, E)``."""
        seen = torch.zeros(len(shown), size, dtype=torch.bool, device=shown.device)
        return seen.index_copy(1, self.positions, ~shown.isnan())
