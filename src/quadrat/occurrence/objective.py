"""What a species network is to become: its loss for a step, its scores for an epoch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from quadrat.engine import Losses
from quadrat.occurrence.losses.species import LOSSES, environment_loss
from quadrat.occurrence.network.species_network import Prediction
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
    """The weighted loss of species and environment, and the primary score.

    Args:
        experiment: Gives the losses, their weights, and the score.
        species: S, the number of species.
        watchlist: Code → column of the species that are scored one by one.
    """

    def __init__(
        self, experiment: OccurrenceExperiment, species: int, watchlist: Mapping[str, int]
    ) -> None:
        self.section = experiment.loss
        self.network = experiment.network
        self.primary = experiment.score.primary
        self.higher_is_better = primary_direction(self.primary)
        self.species, self.watchlist = species, dict(watchlist)
        self._species_loss = LOSSES[self.section.kind]

    def loss(self, module: nn.Module, batch: CellBatch) -> Losses:
        """Means over the batch of the weighted losses.

        ``species_weight · L + environment_weight · MSE + habitat_weight · L(habitat)``
        """
        prediction: Prediction = module(batch)
        each = self._species_loss(prediction.logits, batch.positives, self.section)
        parts = {"species_loss": each.mean().detach()}
        each = self.section.species_weight * each
        if prediction.environment is not None:
            target = batch.environment
            if prediction.shown is not None:
                target = target.masked_fill(prediction.shown, torch.nan)
            error = environment_loss(prediction.environment, target)
            parts["environment_loss"] = error.mean().detach()
            each = each + self.network.environment_weight * error
        if prediction.habitat is not None:
            error = self._species_loss(prediction.habitat, batch.positives, self.section)
            parts["habitat_loss"] = error.mean().detach()
            each = each + self.network.habitat_weight * error
        return Losses(each.mean(), parts, each.detach())

    def evaluator(self) -> SpeciesEvaluator:
        """A fresh evaluator."""
        return SpeciesEvaluator(self.species, self.watchlist)
