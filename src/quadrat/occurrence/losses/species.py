"""The loss of species, from logits and sparse positives; no dense target is ever made.

With labels y smoothed to ``y' = (1 - ε) y + ε / 2`` and a label weight w for each species, every
loss is the mean over samples and species of

``w y' present(z) + (1 - y') absent(z)``

with the two curves of its kind (`quadrat.occurrence.losses.curves`). A weight scales what a seen
species pays; it never makes it an unseen one.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from quadrat.occurrence.losses.curves import LOSSES
from quadrat.occurrence.losses.sparse import WeighedCurve, matrix_loss, pair_loss
from quadrat.occurrence.samples.batches import Positives
from quadrat.occurrence.schema import LossSection


class BatchLoss(NamedTuple):
    """The loss of a batch.

    Args:
        total: The mean over its samples, a scalar.
        each: The loss of each sample ``(B,)``, without a gradient.
    """

    total: Tensor
    each: Tensor


class SpeciesLoss:
    """One kind of loss over a fixed number of species.

    Args:
        section: The kind and what belongs to it.
        species: S, the number of species.
        label_weights: A weight for what is seen of each species ``(S,)``; None: all 1.
    """

    def __init__(
        self, section: LossSection, species: int, label_weights: Tensor | None = None
    ) -> None:
        self.species, self.label_weights = species, label_weights
        self._curves = LOSSES[section.kind](section)
        self._half = section.label_smoothing / 2

    def full(self, logits: Tensor, positives: Positives) -> BatchLoss:
        """The loss over all species.

        Args:
            logits: z ``(B, S)``.
            positives: What was seen.
        """
        pairs = (positives.rows, positives.columns)
        return self._over(logits, pairs, self._seen, self._weights(logits))

    def sampled(
        self, logits: Tensor, pairs: Tensor, positives: Positives, columns: Tensor
    ) -> BatchLoss:
        """An unbiased estimate of the loss over all species, from some of them.

        What was seen counts in full, and the unseen among the M drawn species stand for all of
        them: each counts S / M times.

        Args:
            logits: z of the drawn species ``(B, M)``.
            pairs: z of what was seen ``(P,)``.
            positives: What was seen.
            columns: The drawn species, without repeats ``(M,)``.
        """
        weights = self._weights(logits)
        places = torch.full((self.species,), -1, device=logits.device)
        places[columns] = torch.arange(len(columns), device=logits.device)
        place = places[positives.columns]
        drawn = place >= 0
        there = (positives.rows[drawn], place[drawn])
        unseen = self._over(logits, there, None, _at(weights, columns))
        seen = pair_loss(pairs, _at(weights, positives.columns), self._seen, 1 / self.species)
        each = unseen.each.index_add(0, positives.rows, seen.detach())
        return BatchLoss(unseen.total + seen.sum() / len(logits), each)

    def absent(self, logits: Tensor, columns: Tensor | None = None) -> BatchLoss:
        """The loss of places at which every species counts as unseen.

        Args:
            logits: z ``(B, S)``, or of the drawn species ``(B, M)``.
            columns: The drawn species ``(M,)``.
        """
        nothing = torch.zeros(0, dtype=torch.int64, device=logits.device)
        weights = self._weights(logits)
        weights = weights if columns is None else _at(weights, columns)
        return self._over(logits, (nothing, nothing), None, weights)

    def _over(
        self,
        logits: Tensor,
        pairs: tuple[Tensor, Tensor],
        curve: WeighedCurve | None,
        weights: Tensor | None,
    ) -> BatchLoss:
        """The mean over columns, in which the pairs are not unseen but pay by a curve, or not."""
        scale = 1 / logits.shape[1]
        found = matrix_loss(
            logits,
            *pairs,
            weights=weights,
            most=self._unseen,
            pairs=curve,
            scale=scale,
            sums=self._curves.absent_sums if self._half == 0 else None,
        )
        return BatchLoss(*found)

    def _seen(self, z: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
        return self._labelled(z, weights, 1 - self._half)

    def _unseen(self, z: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
        return self._labelled(z, weights, self._half)

    def _labelled(self, z: Tensor, weights: Tensor | None, y: float) -> tuple[Tensor, Tensor]:
        """``w y present(z) + (1 - y) absent(z)`` and its derivative."""
        if y == 0:
            return self._curves.absent(z)
        loss, slope = self._curves.present(z)
        factor = y if weights is None else y * weights
        loss, slope = loss.mul_(factor), slope.mul_(factor)
        if y < 1:
            other, its_slope = self._curves.absent(z)
            loss, slope = loss.add_(other, alpha=1 - y), slope.add_(its_slope, alpha=1 - y)
        return loss, slope

    def _weights(self, logits: Tensor) -> Tensor | None:
        if self.label_weights is not None:
            self.label_weights = self.label_weights.to(logits.device)
        return self.label_weights


def _at(weights: Tensor | None, columns: Tensor) -> Tensor | None:
    return None if weights is None else weights[columns]
