"""What fusions along the places of a sample's views have in common."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from quadrat.photos.fusion.base import FusionSpec, SampleViews
from quadrat.photos.fusion.joining import Joined
from quadrat.photos.fusion.metadata import Metadata
from quadrat.photos.fusion.tokens import TokenSequences, masked_mean


class StackedFusion(nn.Module):
    """Layers over the sequence of all places, then the places' mean, joined with metadata.

    Args:
        spec: Its sizes.
        layer: Builds one of ``spec.layers`` modules, which map values ``(B, L, H)`` and their mask
            ``(B, L)`` to new values.
    """

    def __init__(self, spec: FusionSpec, layer: Callable[[FusionSpec], nn.Module]) -> None:
        super().__init__()
        self.tokens = TokenSequences(spec, places=False)
        self.layers = nn.ModuleList(layer(spec) for _ in range(spec.layers))
        self.out_norm = nn.LayerNorm(spec.hidden)
        self.joined = Joined(spec, spec.hidden)

    def forward(self, views: SampleViews, metadata: Metadata) -> Tensor:
        """Views and metadata of B samples to ``(B, H)``."""
        values, mask, _ = self.tokens(views)
        for layer in self.layers:
            values = layer(values, mask)
        fused: Tensor = self.joined(masked_mean(self.out_norm(values), mask), metadata)
        return fused
