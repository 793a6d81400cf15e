"""Numbers cut into pieces: a network bends more easily where a covariate has its quantiles."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


class Pieces(nn.Module):
    """How far a number has passed through each of its pieces, 0 to 1.

    A number x becomes ``clip((x - a) / (b - a), 0, 1)`` for every piece from a to b (Gorishniy et
    al. 2022, "On embeddings for numerical features in tabular deep learning"). The pieces lie
    between quantiles of the training sites, so that each holds about as many of them.

    Args:
        numbers: F, the first inputs, which are cut.
        pieces: P of each number.
    """

    knots: Tensor

    def __init__(self, numbers: int, pieces: int) -> None:
        super().__init__()
        self.register_buffer("knots", torch.zeros(numbers, pieces + 1))

    @torch.no_grad()
    def cut(self, inputs: Tensor) -> None:
        """Lays the knots at evenly spaced quantiles of training inputs ``(N, D)``."""
        shares = np.linspace(0.0, 1.0, self.knots.shape[1])
        values = inputs[:, : len(self.knots)].double().cpu().numpy()
        self.knots.copy_(torch.from_numpy(np.quantile(values, shares, axis=0).T))

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs ``(B, D)`` to ``(B, F · P)``; a piece without length is always 0."""
        first, length = self.knots[:, :-1], self.knots.diff(dim=1)
        passed = inputs[:, : len(self.knots), None] - first
        share = torch.where(length > 0, passed / length, 0.0)
        return share.clamp(0.0, 1.0).flatten(start_dim=1)
