"""Mixup for regression: pairs of samples are averaged, and so are their targets.

Zhang et al. 2018 mix inputs; Verma et al. 2019 ("manifold mixup") mix what a layer makes of them.
Targets are mixed with the same shares, which for continuous targets is exact where a network is
linear between two samples.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from quadrat.photos.fusion import Metadata


class Mix(NamedTuple):
    """Which samples of a batch are averaged, and how.

    Attributes:
        partner: Position of each sample's partner ``(B,)``.
        share: Weight of the sample itself ``(B,)``, the partner's is what is left to 1.
    """

    partner: Tensor
    share: Tensor

    def __call__(self, values: Tensor) -> Tensor:
        """Mixed values ``(B, …)``; unknown (NaN) where either is."""
        share = self.share.to(values.dtype).reshape(-1, *[1] * (values.ndim - 1))
        return share * values + (1.0 - share) * values[self.partner]

    def views(self, views: Tensor) -> Tensor:
        """Mixed views ``(B · S, …)`` of samples with S views each, view by view."""
        grouped = views.reshape(len(self.partner), -1, *views.shape[1:])
        return self(grouped).flatten(0, 1)

    def metadata(self, metadata: Metadata) -> Metadata:
        """Mixed numbers; a number is unknown where either is, a category where they differ."""
        missing = torch.maximum(metadata.missing, metadata.missing[self.partner])
        same = metadata.categories == metadata.categories[self.partner]
        return Metadata(
            self(metadata.numeric) * (1.0 - missing), missing, metadata.categories * same
        )

    def to(self, device: torch.device | str) -> Mix:
        """The same on a device."""
        return Mix(self.partner.to(device), self.share.to(device))


def draw_mix(count: int, alpha: float, generator: torch.Generator) -> Mix:
    """Partners and shares of a batch.

    Args:
        count: B, number of samples.
        alpha: Both parameters of the Beta distribution that shares come from.
        generator: What is drawn comes from here.
    """
    gammas = torch._standard_gamma(torch.full((2, count), alpha), generator=generator)
    share = gammas[0] / gammas.sum(dim=0).clamp(min=1e-12)
    return Mix(torch.randperm(count, generator=generator), share)
