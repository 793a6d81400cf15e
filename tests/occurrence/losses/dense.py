"""The losses again: dense, in float64, from probabilities, with slopes by automatic derivatives."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from quadrat.occurrence.samples.batches import Positives
from quadrat.occurrence.schema import LossSection


def power(z: Tensor, gamma: float) -> Tensor:
    """``p^γ``, whose derivative stays finite where p is 0 to all digits."""
    return torch.exp(gamma * logsigmoid(z))


def curves(z: Tensor, section: LossSection) -> tuple[Tensor, Tensor]:
    """What each logit costs as seen and as unseen."""
    seen, unseen = -logsigmoid(z), -logsigmoid(-z)
    if section.kind == "asl":
        shifted = (z.sigmoid() - section.asl_clip).clamp(min=0)
        seen = power(-z, section.asl_gamma_pos) * seen
        if section.asl_clip:
            factor = shifted**section.asl_gamma_neg
            unseen = torch.where(shifted > 0, factor * -torch.log(1 - shifted), 0.0)
        else:
            unseen = power(z, section.asl_gamma_neg) * unseen
    elif section.kind == "focal":
        seen = section.focal_alpha * power(-z, section.focal_gamma) * seen
        unseen = (1 - section.focal_alpha) * power(z, section.focal_gamma) * unseen
    elif section.kind == "assume-negative":
        seen = section.pos_lambda * seen
    return seen, unseen


def dense_loss(
    z: Tensor, labels: Tensor, section: LossSection, weights: Tensor | None = None
) -> Tensor:
    """The loss of every pair ``(B, S)``."""
    seen, unseen = curves(z, section)
    y = labels.double() * (1 - section.label_smoothing) + section.label_smoothing / 2
    if weights is not None:
        seen = seen * weights.double()
    return y * seen + (1 - y) * unseen


def positives_of(labels: Tensor) -> Positives:
    """The pairs of a dense matrix of labels."""
    rows, columns = labels.nonzero().unbind(1)
    return Positives(rows, columns, labels.sum(1))
