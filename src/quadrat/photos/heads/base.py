"""The interface of heads: one vector a sample in, parameters of its targets out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from quadrat._registry import Registry
from quadrat.photos.fusion import SampleViews


@dataclass(frozen=True)
class HeadSpec:
    """What a head is built from.

    Attributes:
        width: H, length of the sample's vector.
        targets: T.
        parameters: P, numbers a target.
        hidden: Widths of the hidden layers.
        shared: One hidden part for all targets, or one for each.
        dropout: Share of units that are dropped in training.
        token_width: K, length of a token; 0 where there are none.
        summing: S, ``(T, F)``: every target as a sum of basic ones, a row a target; empty where
            there are no identities.
        transform: Of the targets' scale.
    """

    width: int
    targets: int
    parameters: int
    hidden: tuple[int, ...]
    shared: bool
    dropout: float
    token_width: int = 0
    summing: tuple[tuple[int, ...], ...] = ()
    transform: str = "none"


class Head(nn.Module, ABC):
    """Gives the parameters of all targets.

    Attributes:
        corrects: Whether it corrects the network's linear start, and so says zero before training.
        takes_start: Whether it is given the start instead, and says before training what that says.
        uses_tokens: Whether it looks at the places of the views.
    """

    corrects = True
    takes_start = False
    uses_tokens = False

    @property
    def uses_fused(self) -> bool:
        """Whether it looks at the sample's vector."""
        return True

    @abstractmethod
    def forward(self, fused: Tensor, views: SampleViews, start: Tensor | None = None) -> Tensor:
        """Parameters ``(B, T, P)`` on the standardised scale of the targets.

        Args:
            fused: ``(B, H)``, float32.
            views: The views of the samples.
            start: What the linear start says ``(B, T)``, where there is one.
        """


heads: Registry[Callable[[HeadSpec], Head]] = Registry("head")
"""Builders of heads by ``head.kind``."""
