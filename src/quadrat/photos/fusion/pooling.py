"""Attention over the views of a sample: sets of any size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from quadrat.photos.fusion.base import FusionSpec, SampleViews, fusions, padded_by_owner
from quadrat.photos.fusion.joining import Joined
from quadrat.photos.fusion.metadata import Metadata


@fusions.register("attention", summary="views are weighed by what they show")
class AttentionFusion(nn.Module):
    """A weighted mean of the views, joined with the metadata.

    With ``h = gelu(W x)`` of every view the weights are ``softmax(wᵀ (tanh(V h) · σ(U h)))`` over
    the views of a sample: the gated attention of Ilse, Tomczak & Welling (2018), "Attention-based
    deep multiple instance learning", ICML.

    Args:
        spec: Its sizes.
    """

    def __init__(self, spec: FusionSpec) -> None:
        super().__init__()
        self.layer = nn.Linear(spec.photo_width, spec.hidden)
        self.content = nn.Linear(spec.hidden, spec.hidden)
        self.gate = nn.Linear(spec.hidden, spec.hidden)
        self.score = nn.Linear(spec.hidden, 1)
        self.joined = Joined(spec, spec.hidden)

    def forward(self, views: SampleViews, metadata: Metadata) -> Tensor:
        """Views and metadata of B samples to ``(B, H)``."""
        shown = nn.functional.gelu(self.layer(views.vectors))
        weights = self.weights(shown, views)
        rows, _ = padded_by_owner(shown, views.owner, views.count)
        fused: Tensor = self.joined((weights[..., None] * rows).sum(dim=1), metadata)
        return fused

    def weights(self, shown: Tensor, views: SampleViews) -> Tensor:
        """The weights ``(B, M)`` of a sample's views; they add up to 1.

        Args:
            shown: h, ``(V, H)``.
            views: Whose they are.
        """
        scores = self.score(torch.tanh(self.content(shown)) * torch.sigmoid(self.gate(shown)))
        rows, mask = padded_by_owner(scores[:, 0], views.owner, views.count)
        return torch.softmax(rows.masked_fill(~mask, -torch.inf), dim=1)
