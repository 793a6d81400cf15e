"""How several losses become one: weights that are learnt with the network."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class UncertaintyWeights(nn.Module):
    """Learns how noisy each of n tasks is, and weighs their losses by it.

    The total is ``Σ w (exp(-s) L + s) / Σ w`` with a learnt s a task: at its best ``exp(s) = L``,
    so all tasks weigh alike whatever their units. Kendall, Gal & Cipolla (2018), "Multi-task
    learning using uncertainty to weigh losses", CVPR: twice their form, where s is the log-variance
    of a task. Losses must not be negative.

    Args:
        tasks: n.
    """

    def __init__(self, tasks: int) -> None:
        super().__init__()
        self.log_variances = nn.Parameter(torch.zeros(tasks))

    def forward(self) -> Tensor:
        """s, ``(n,)``."""
        return self.log_variances


def uncertainty_weighted(
    losses: Tensor, weights: Tensor, log_variances: Tensor, known: Tensor
) -> Tensor:
    """One loss of several; see `UncertaintyWeights`.

    Args:
        losses: L, ``(n,)``.
        weights: w, ``(n,)``.
        log_variances: s, ``(n,)``.
        known: Which tasks the batch has ``(n,)``; the others are left out.
    """
    weights = weights.to(losses) * known
    weighed = weights * (torch.exp(-log_variances) * losses + log_variances)
    total = weights.sum()
    return weighed.sum() / torch.where(total > 0, total, torch.ones_like(total))
