"""What is varied of the samples of a training batch: views left out, cut targets, mixed pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from quadrat.photos.augment.mixing import Mix, draw_mix
from quadrat.photos.schema import AugmentSection

Shrink = Callable[[Tensor, Tensor], Tensor]
"""Standardised targets ``(B, T)`` and the shares ``(B,)`` of the samples that are seen, to the
targets of what is seen."""


@dataclass(frozen=True)
class BatchChanges:
    """Draws the changes of a batch, from (seed, epoch, position) alone.

    Attributes:
        seed: Of everything drawn.
        view_dropout: Share of views that are left out.
        mixup: Parameter of the Beta distribution of shares; 0 mixes nothing.
        mixup_of: ``views`` or ``vectors``.
        shrink: What becomes of the targets of crops; None leaves them as they are.
    """

    seed: int = 0
    view_dropout: float = 0.0
    mixup: float = 0.0
    mixup_of: str = "views"
    shrink: Shrink | None = None

    @classmethod
    def of(cls, section: AugmentSection, shrink: Shrink, seed: int) -> BatchChanges:
        """What ``[augment]`` asks for."""
        return cls(
            seed,
            section.view_dropout,
            section.mixup,
            section.mixup_of,
            shrink if section.crop_targets == "scale" else None,
        )

    def generator(self, epoch: int, position: int) -> torch.Generator:
        """What the changes of one batch are drawn from."""
        number = (self.seed * 1_000_003 + epoch) * 1_000_003 + position
        return torch.Generator().manual_seed(number % 2**63)

    def kept(self, owner: Tensor, generator: torch.Generator) -> Tensor:
        """Which views stay ``(V,)``; each sample keeps at least one.

        Args:
            owner: Position of each view's sample ``(V,)``, ascending.
            generator: What is drawn comes from here.
        """
        luck = torch.rand(len(owner), generator=generator)
        best = torch.full((int(owner.max()) + 1,), -1.0).scatter_reduce(0, owner, luck, "amax")
        return (luck >= self.view_dropout) | (luck == best[owner])

    def mix(self, count: int, generator: torch.Generator) -> Mix | None:
        """Which of B samples are mixed, if any are."""
        return draw_mix(count, self.mixup, generator) if self.mixup > 0.0 else None
