"""A fusion by gated convolutions along the places of a sample's views."""

from __future__ import annotations

from torch import Tensor, nn

from quadrat.photos.fusion.base import FusionSpec, fusions
from quadrat.photos.fusion.stacked import StackedFusion

KERNEL = 5


class _GatedConvolution(nn.Module):
    """``x + W_o (conv(u) · silu(g))`` with ``[u, g] = W_i norm(x)``.

    Each channel is convolved by itself; behind the last token lie zeros, as before the first.
    """

    def __init__(self, spec: FusionSpec) -> None:
        super().__init__()
        width = spec.hidden
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, 2 * width)
        self.convolution = nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2, groups=width)
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(spec.dropout)

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        content, gate = self.inner(self.norm(values)).chunk(2, dim=-1)
        content = content * mask[..., None]
        mixed = self.convolution(content.transpose(1, 2)).transpose(1, 2)
        out: Tensor = values + self.dropout(self.out(mixed * nn.functional.silu(gate)))
        return out


@fusions.register("gated-conv", summary="gated convolutions along the places of all views")
class GatedConvFusion(StackedFusion):
    """Gated depthwise convolutions over the sequence of all places, then their mean.

    The gate is that of Dauphin, Fan, Auli & Grangier (2017), "Language modeling with gated
    convolutional networks", ICML; the kernel spans five places.

    Args:
        spec: Its sizes.
    """

    def __init__(self, spec: FusionSpec) -> None:
        super().__init__(spec, _GatedConvolution)
