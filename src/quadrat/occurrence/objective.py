"""What a species network is to become: its loss for a step, its scores for an epoch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from quadrat.engine import Losses
from quadrat.occurrence.losses.environment import environment_loss
from quadrat.occurrence.losses.species import BatchLoss, SpeciesLoss
from quadrat.occurrence.network.species_network import Prediction, Wanted
from quadrat.occurrence.samples.batches import CellBatch
from quadrat.occurrence.schema import OccurrenceExperiment
from quadrat.scoring import OccurrenceEvaluator, primary_direction


class SpeciesEvaluator:
    """Hands the engine's batches to the scores of species predictions.

    Args:
        species: S, the number of species.
        watchlist: Code → column of the species that are scored one by one.
    """

    def __init__(self, species: int, watchlist: Mapping[str, int]) -> None:
        self.scoring = OccurrenceEvaluator(species, watchlist=watchlist)

    def update(self, batch: CellBatch, output: Prediction) -> None:
        """Takes in a batch."""
        seen = batch.positives
        self.scoring.update(output.logits, seen.rows, seen.columns, density=batch.density)

    def compute(self) -> dict[str, float]:
        """The scores by name."""
        return self.scoring.compute()


class SpeciesObjective:
    """The weighted loss of species, environment and habitat, and the primary score.

    Args:
        experiment: Gives the losses, their weights, and the score.
        species: S, the number of species.
        watchlist: Code → column of the species that are scored one by one.
        label_weights: A weight for what is seen of each species ``(S,)``; None: all 1.
    """

    def __init__(
        self,
        experiment: OccurrenceExperiment,
        species: int,
        watchlist: Mapping[str, int],
        label_weights: Tensor | None = None,
    ) -> None:
        self.section, self.network = experiment.loss, experiment.network
        self.primary = experiment.score.primary
        self.higher_is_better = primary_direction(self.primary)
        self.species, self.watchlist = species, dict(watchlist)
        self._species_loss = SpeciesLoss(self.section, species, label_weights)

    def loss(self, module: nn.Module, batch: CellBatch) -> Losses:
        """Means over the batch of the weighted losses.

        ``species_weight · (L + L(random places)) + environment_weight · MSE
        + habitat_weight · L(habitat)``
        """
        terms = self._terms(module(batch, *_wanted(batch)), batch)
        parts = {name: loss.total.detach() for name, _, loss in terms}
        total = torch.stack([weight * loss.total for _, weight, loss in terms]).sum()
        each = torch.stack([weight * loss.each for _, weight, loss in terms]).sum(dim=0)
        return Losses(total, parts, each)

    def _terms(
        self, prediction: Prediction, batch: CellBatch
    ) -> list[tuple[str, float, BatchLoss]]:
        """Name, weight and value of every loss."""
        weight = self.section.species_weight
        species = self._at_samples(prediction.logits, prediction.pairs, batch)
        terms = [("species_loss", weight, species)]
        if prediction.elsewhere is not None:
            absent = self._species_loss.absent(prediction.elsewhere, batch.species)
            terms.append(("spatial_loss", weight, absent))
        if prediction.environment is not None:
            target = batch.environment
            if prediction.shown is not None:
                target = target.masked_fill(prediction.shown, torch.nan)
            error = environment_loss(prediction.environment, target)
            loss = BatchLoss(error.mean(), error.detach())
            terms.append(("environment_loss", self.network.environment_weight, loss))
        if prediction.habitat is not None:
            loss = self._at_samples(prediction.habitat, prediction.habitat_pairs, batch)
            terms.append(("habitat_loss", self.network.habitat_weight, loss))
        return terms

    def _at_samples(self, logits: Tensor, pairs: Tensor | None, batch: CellBatch) -> BatchLoss:
        if batch.species is None or pairs is None:
            return self._species_loss.full(logits, batch.positives)
        return self._species_loss.sampled(logits, pairs, batch.positives, batch.species)

    def evaluator(self) -> SpeciesEvaluator:
        """A fresh evaluator."""
        return SpeciesEvaluator(self.species, self.watchlist)


def _wanted(batch: CellBatch) -> tuple[Wanted, ...]:
    """What the loss asks the network for besides the logits of all species, if anything."""
    if batch.species is None and batch.elsewhere is None:
        return ()
    seen = batch.positives
    pairs = None if batch.species is None else (seen.rows, seen.columns)
    return (Wanted(batch.species, pairs, batch.elsewhere),)
