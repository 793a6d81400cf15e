"""A fusion by selective state spaces along the places of a sample's views."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from quadrat.photos.fusion.base import FusionSpec, fusions
from quadrat.photos.fusion.scan import fast_scan
from quadrat.photos.fusion.stacked import StackedFusion

STATES = 16
"""N, numbers that a channel remembers."""
_KERNEL = 4
_STEPS = (1e-3, 1e-1)
"""Step sizes to begin with lie between these."""


class SelectiveStateSpace(nn.Module):
    """Reads a sequence from its first token to its last, and chooses what it remembers.

    A short convolution over what was read last, then a selective scan with a skip: the block of Gu
    & Dao (2023), without its gate.

    Args:
        width: E, number of channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        rank = max(1, width // 16)
        self.width, self.rank = width, rank
        self.convolution = nn.Conv1d(width, width, _KERNEL, padding=_KERNEL - 1, groups=width)
        self.choose = nn.Linear(width, rank + 2 * STATES, bias=False)
        self.step = nn.Linear(rank, width)
        rates = torch.arange(1.0, STATES + 1).log().expand(width, -1)
        self.log_rates = nn.Parameter(rates.clone())
        self.skip = nn.Parameter(torch.ones(width))
        low, high = (math.log(step) for step in _STEPS)
        steps = torch.exp(low + (high - low) * torch.rand(width))
        with torch.no_grad():
            self.step.bias.copy_(steps + torch.log(-torch.expm1(-steps)))  # softplus gives steps

    def forward(self, content: Tensor, mask: Tensor) -> Tensor:
        """Content ``(B, L, E)``, float32, with tokens where the mask ``(B, L)`` says so."""
        there = mask[..., None]
        length = content.shape[1]
        mixed = self.convolution((content * there).transpose(1, 2))[..., :length].transpose(1, 2)
        u = nn.functional.silu(mixed)
        step, b, c = self.choose(u).split([self.rank, STATES, STATES], dim=-1)
        delta = nn.functional.softplus(self.step(step)) * there  # the padding is passed over
        found: Tensor = fast_scan(u, delta, -self.log_rates.exp(), b, c) + self.skip * u
        return found


class _Block(nn.Module):
    """``x + W_o (s(u) · silu(g))`` with ``[u, g] = W_i norm(x)`` and state spaces s."""

    def __init__(self, spec: FusionSpec) -> None:
        super().__init__()
        width = spec.hidden
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, 2 * width)
        self.forth = SelectiveStateSpace(width)
        self.back = SelectiveStateSpace(width) if spec.bidirectional else None
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(spec.dropout)

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        content, gate = self.inner(self.norm(values)).chunk(2, dim=-1)
        with torch.autocast(values.device.type, enabled=False):  # a recurrence needs its digits
            content = content.float()
            found = self.forth(content, mask)
            if self.back is not None:
                found = found + self.back(content.flip(1), mask.flip(1)).flip(1)
        out: Tensor = values + self.dropout(self.out(found * nn.functional.silu(gate)))
        return out


@fusions.register("state-space", summary="selective state spaces along the places of all views")
class StateSpaceFusion(StackedFusion):
    """Selective state spaces over the sequence of all places, then the places' mean.

    Args:
        spec: Its sizes.
    """

    def __init__(self, spec: FusionSpec) -> None:
        super().__init__(spec, _Block)
