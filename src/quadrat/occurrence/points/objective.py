"""What networks of points are to become: their loss for a step, their scores for an epoch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from quadrat.engine import Losses
from quadrat.errors import UsageError
from quadrat.occurrence.points.batches import PointBatch
from quadrat.occurrence.points.scores import species_scores
from quadrat.scoring import primary_direction

SCORES = ("macro_auc", "macro_ap", "brier")
"""What is computed while training, and may choose."""


class PointEvaluator:
    """Collects the answers for the held-out sites of a fold: some thousand sites, some species."""

    def __init__(self) -> None:
        self._answers: list[Tensor] = []
        self._labels: list[Tensor] = []

    def update(self, batch: PointBatch, output: Tensor) -> None:
        """Takes in a batch and its log odds ``(M, B, S)``."""
        self._answers.append(output.float().sigmoid().mean(dim=0).cpu())
        self._labels.append(batch.labels.cpu())

    def compute(self) -> dict[str, float]:
        """The scores by name."""
        answers, labels = torch.cat(self._answers), torch.cat(self._labels)
        return species_scores(answers.numpy(), labels.numpy()).macro()


class PointObjective:
    """Binary cross-entropy over what is known, the mean over the members.

    Args:
        primary: The score that chooses the state.

    Raises:
        UsageError: It is not computed while training.
    """

    def __init__(self, primary: str) -> None:
        if primary not in SCORES:
            raise UsageError(
                f"score.primary = '{primary}' is not computed from points. Choose from: "
                f"{', '.join(SCORES)}."
            )
        self.primary = primary
        self.higher_is_better = primary_direction(primary)

    def loss(self, module: nn.Module, batch: PointBatch) -> Losses:
        """The mean over members and known pairs of site and species."""
        logits: Tensor = module(batch)
        known = ~batch.labels.isnan()
        labels = batch.labels.nan_to_num().expand_as(logits)
        each = functional.binary_cross_entropy_with_logits(logits.float(), labels, reduction="none")
        each = (each.mean(dim=0) * known).sum(dim=1)
        pairs = known.sum()
        per_sample = each.detach() / known.sum(dim=1).clamp(min=1)
        return Losses(each.sum() / pairs.clamp(min=1), {}, per_sample)

    def evaluator(self) -> PointEvaluator:
        """A fresh evaluator."""
        return PointEvaluator()
