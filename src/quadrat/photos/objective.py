"""What the network is trained for: a loss, and scores of the inner split in the targets' units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from quadrat.engine import Losses
from quadrat.errors import UsageError
from quadrat.photos.batches import PhotoBatch
from quadrat.photos.heads.auxiliary import AuxiliaryLoss, Part
from quadrat.photos.network.photos_network import Output
from quadrat.photos.schema import PhotosExperiment
from quadrat.scoring import crps_normal, primary_direction, regression_scores, weight_vector
from quadrat.targets import (
    DISTRIBUTIONS,
    LossValues,
    Prediction,
    Shape,
    TargetLoss,
    TargetScaler,
)
from quadrat.targets.weighting import uncertainty_weighted

Array = NDArray[np.float64]


def target_weights(experiment: PhotosExperiment) -> tuple[float, ...]:
    """``loss.weights`` as numbers, one a target."""
    weights = experiment.loss.weights
    if weights == "equal":
        return (1.0,) * len(experiment.data.targets)
    named = experiment.score.weights if isinstance(weights, str) else weights
    return tuple(weight_vector(named, experiment.data.targets).tolist())


def require_primary(experiment: PhotosExperiment) -> None:
    """Checks that ``score.primary`` can choose a model of this experiment.

    Raises:
        UnknownNameError: There is no such score.
        UsageError: It has no better end, or is not one of this family's or head's.
    """
    primary = experiment.score.primary
    nothing = np.full((2, len(experiment.data.targets)), np.nan)
    computed = list(regression_scores(nothing, nothing))
    if DISTRIBUTIONS[experiment.head.distribution].tells_sigma:
        computed.append("crps")
    primary_direction(primary, computed)
    if primary not in computed:
        hint = (
            " Set head.distribution = 'gaussian' for it, or choose"
            if primary == "crps"
            else " Choose"
        )
        raise UsageError(
            f"score.primary = '{primary}' is not computed for photos with a "
            f"{experiment.head.distribution} head.{hint} from: {', '.join(computed)}."
        )


@dataclass(frozen=True)
class PhotosObjective:
    """Loss and scores of an experiment.

    Attributes:
        primary: The score that chooses the best state.
        criterion: The loss over known targets.
        truth: Targets of the inner samples in their units ``(N, T)``.
        predict: Parameters ``(N, T, P)`` to predictions in the targets' units.
        balanced: Predictions ``(N, T)`` to balanced ones.
        weights: Of the targets in weighted scores ``(T,)``.
        auxiliary: Losses beside that of the targets.
    """

    primary: str
    criterion: TargetLoss
    truth: Array
    predict: Callable[[Array], Prediction]
    balanced: Callable[[Array], Array]
    weights: Array
    auxiliary: AuxiliaryLoss = field(default_factory=AuxiliaryLoss)

    @classmethod
    def of(
        cls,
        experiment: PhotosExperiment,
        truth: Array,
        predict: Callable[[Array], Prediction],
        balanced: Callable[[Array], Array],
        scaler: TargetScaler,
        auxiliary: AuxiliaryLoss | None = None,
    ) -> PhotosObjective:
        """The objective of an experiment for one training.

        Args:
            experiment: The experiment.
            truth: Targets of the inner samples ``(N, T)``.
            predict: From parameters to predictions.
            balanced: From predictions to balanced ones.
            scaler: The scale that the targets are learnt on.
            auxiliary: Losses beside that of the targets; None: none.
        """
        kind: str = experiment.loss.kind
        if kind == "auto":
            kind = DISTRIBUTIONS[experiment.head.distribution].default_loss
        criterion = TargetLoss(kind, target_weights(experiment), _shape(experiment, scaler))
        weights = weight_vector(experiment.score.weights, experiment.data.targets)
        primary, beside = experiment.score.primary, auxiliary or AuxiliaryLoss()
        return cls(primary, criterion, truth, predict, balanced, weights, beside)

    @property
    def higher_is_better(self) -> bool:
        """The direction of the primary score."""
        return primary_direction(self.primary)

    def loss(self, module: nn.Module, batch: PhotoBatch) -> Losses:
        """The loss of a batch."""
        output: Output = module(batch)
        values = self.criterion(output.parameters, batch.targets, batch.weights)
        beside = self.auxiliary.parts(
            output.auxiliary, batch.targets, batch.metadata, batch.weights
        )
        if output.log_variances is None:
            if not beside:
                return Losses(values.total, per_sample=values.per_sample)
            total = values.total + sum(part.weight * part.value for part in beside)
        else:
            total = self._weighed(values, beside, output.log_variances)
        parts = {"target_loss": values.total} | {part.name: part.value for part in beside}
        return Losses(total, {k: v.detach() for k, v in parts.items()}, values.per_sample)

    def _weighed(self, values: LossValues, beside: Sequence[Part], log_variances: Tensor) -> Tensor:
        """The total with learnt weights: of the targets, and of what is learnt beside."""
        split = len(values.per_target)
        total = uncertainty_weighted(
            values.per_target, self.criterion.weights, log_variances[:split], values.known
        )
        for part, s in zip(beside, log_variances[split:], strict=True):
            total = total + part.weight * part.known * ((-s).exp() * part.value + s)
        return total

    def evaluator(self) -> InnerScores:
        """A fresh evaluator."""
        return InnerScores(self)


def _shape(experiment: PhotosExperiment, scaler: TargetScaler) -> Shape:
    """What the formula of the experiment's loss takes."""
    loss = experiment.loss
    zero = -np.array(scaler.mean) / np.array(scaler.sd)
    return Shape(loss.beta, loss.gamma, loss.power, loss.quantiles, tuple(zero.tolist()))


class InnerScores:
    """Scores of the inner samples, which come in their own order.

    Args:
        objective: What they are scored with.
    """

    def __init__(self, objective: PhotosObjective) -> None:
        self.objective = objective
        self.parameters: list[Array] = []

    def update(self, batch: PhotoBatch, output: Output) -> None:
        """Takes in what the network says of a batch."""
        self.parameters.append(output.parameters.double().cpu().numpy())

    def compute(self) -> dict[str, float]:
        """The scores by name, after balance."""
        objective = self.objective
        predicted = objective.predict(np.concatenate(self.parameters))
        mean = objective.balanced(predicted.mean)
        scores = regression_scores(objective.truth, mean, objective.weights)
        if predicted.sigma is not None:
            crps = crps_normal(mean, predicted.sigma, objective.truth)
            known = crps[~np.isnan(crps)]
            scores["crps"] = float(known.mean()) if len(known) else float("nan")
        return scores
