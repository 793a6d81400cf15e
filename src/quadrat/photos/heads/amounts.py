"""Heads that say amounts: never negative, in the targets' units, and equal to their sums."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from quadrat.photos.fusion import SampleViews
from quadrat.photos.heads.base import Head, HeadSpec, heads
from quadrat.photos.heads.plain import hidden_layers, zeros
from quadrat.targets import TRANSFORMS, TargetScaler

LEAST = 1e-9
"""Smallest amount that is mapped to the targets' scale; a square root has no slope at 0."""
LEAST_SHARE = 0.05
"""Smallest share of what is usual that an amount begins from; linear starts may say less."""
LEAST_SQUARE = 1e-6
"""Smallest mean square of a token that it is divided by; one of zeros stays so."""


class AmountsHead(Head):
    """Says the basic amounts b ≥ 0 of a sample; every target is a sum of them, ``x = S b``.

    The amounts are in the targets' units. What leaves the head is on the scale of the targets, so
    losses and predictions are as with every other head. Before training it says what a linear start
    says of the basic amounts, or where there is none the training means. A spread, where the
    distribution has one, is a linear map of the sample's vector.

    Args:
        spec: Its sizes; with the matrix S.
    """

    corrects = False
    summing: Tensor
    mean: Tensor
    sd: Tensor
    usual: Tensor

    def __init__(self, spec: HeadSpec) -> None:
        super().__init__()
        self.spec = spec
        self.transform = TRANSFORMS[spec.transform]
        summing = torch.tensor(spec.summing) if spec.summing else torch.eye(spec.targets)
        self.register_buffer("summing", summing.float(), persistent=False)
        self.register_buffer("mean", torch.zeros(spec.targets))
        self.register_buffer("sd", torch.ones(spec.targets))
        self.register_buffer("usual", torch.ones(self.basic))
        spreads = spec.targets * (spec.parameters - 1)
        self.spread = zeros(nn.Linear(spec.width, spreads)) if spreads else None

    @property
    def basic(self) -> int:
        """F, number of basic amounts."""
        return int(self.summing.shape[1])

    @abstractmethod
    def amounts(self, fused: Tensor, views: SampleViews, begun: Tensor) -> Tensor:
        """The basic amounts in the targets' units, not negative, ``(B, F)``.

        Args:
            fused: ``(B, H)``, float32.
            views: The views of the samples.
            begun: Those to begin from, ``(B, F)`` or ``(F,)``; positive.
        """

    @torch.no_grad()
    def begin(self, scaler: TargetScaler, means: Sequence[float], places: float) -> None:
        """Learns from the training targets where to begin.

        Args:
            scaler: The scale of the targets.
            means: Of the targets in their units (T).
            places: How many places the views of a usual sample have together.
        """
        self.mean.copy_(torch.tensor(scaler.mean))
        self.sd.copy_(torch.tensor(scaler.sd))
        usual = torch.tensor([means[column] for column in self._columns()])
        self.usual.copy_(usual.clamp_min(LEAST))

    def _columns(self) -> list[int]:
        """Which target each basic amount is."""
        rows = self.summing.tolist()
        return [rows.index(unit) for unit in torch.eye(self.basic).tolist()]

    def _begun(self, start: Tensor | None) -> Tensor:
        if start is None:
            return self.usual
        targets = self.transform.inverse_torch(start * self.sd + self.mean)
        return torch.maximum(targets[:, self._columns()], LEAST_SHARE * self.usual)

    def forward(self, fused: Tensor, views: SampleViews, start: Tensor | None = None) -> Tensor:
        """``(B, H) → (B, T, P)``."""
        targets = self.amounts(fused, views, self._begun(start)) @ self.summing.T
        scaled = self.transform.forward_torch(targets.clamp_min(LEAST))
        mean = ((scaled - self.mean) / self.sd)[..., None]
        if self.spread is None:
            return mean
        spread: Tensor = self.spread(fused)
        return torch.cat([mean, spread.reshape(*mean.shape[:2], -1)], dim=-1)


@heads.register("parts", summary="non-negative parts; totals are their sums")
class PartsHead(AmountsHead):
    """Every basic amount by itself, ``usual · softplus(·)``.

    Args:
        spec: Its sizes.
    """

    takes_start = True

    def __init__(self, spec: HeadSpec) -> None:
        super().__init__(spec)
        outputs, count = (self.basic, 1) if spec.shared else (1, self.basic)
        self.parts = nn.ModuleList(hidden_layers(spec, outputs) for _ in range(count))

    def amounts(self, fused: Tensor, views: SampleViews, begun: Tensor) -> Tensor:
        """``(B, H) → (B, F)``."""
        raw = torch.cat([part(fused) for part in self.parts], dim=1)
        return self.usual * softplus(raw + _inverse_softplus(begun / self.usual))


@heads.register("ratio", summary="a total, and the shares of its basic parts")
class RatioHead(AmountsHead):
    """The total of all basic amounts, divided by a softmax among them.

    Args:
        spec: Its sizes; ``shared`` is of no concern to it.
    """

    takes_start = True

    def __init__(self, spec: HeadSpec) -> None:
        super().__init__(spec)
        self.layers = hidden_layers(spec, 1 + self.basic)

    def amounts(self, fused: Tensor, views: SampleViews, begun: Tensor) -> Tensor:
        """``(B, H) → (B, F)``."""
        raw: Tensor = self.layers(fused)
        usual, total = self.usual.sum(), begun.sum(dim=-1, keepdim=True)
        total = usual * softplus(raw[:, :1] + _inverse_softplus(total / usual))
        return total * torch.softmax(raw[:, 1:] + begun.log(), dim=1)


@heads.register("density", summary="amounts of every place of the views, and their sum")
class DensityHead(AmountsHead):
    """Amounts of every place, added up over places and views.

    Hidden layers over each token by itself and a softplus: what a place holds depends on its own
    token alone, so two views hold what one and the other hold. A linear start would not add up so:
    it has none. Tokens come at one size, with their own beside them: a place without anything may
    differ from a full one in size alone.

    Args:
        spec: Its sizes, with those of the tokens.
    """

    uses_tokens = True
    share: Tensor

    def __init__(self, spec: HeadSpec) -> None:
        super().__init__(spec)
        self.layers = hidden_layers(spec, self.basic, spec.token_width + 1)
        self.register_buffer("share", torch.ones(()))

    @property
    def uses_fused(self) -> bool:
        """The sample's vector tells the spread only."""
        return self.spread is not None

    @torch.no_grad()
    def begin(self, scaler: TargetScaler, means: Sequence[float], places: float) -> None:
        """Takes over the scale, what is usual, and among how many places it is divided."""
        super().begin(scaler, means, places)
        self.share.fill_(1.0 / places)

    def density(self, views: SampleViews) -> Tensor:
        """The basic amounts of every place, in the targets' units, ``(V, h, w, F)``."""
        if views.tokens is None:
            raise ValueError("a density needs the tokens of the views")
        raw: Tensor = self.layers(with_size(views.tokens.float()))
        one = _inverse_softplus(torch.ones_like(self.usual))
        return self.share * self.usual * softplus(raw + one)

    def amounts(self, fused: Tensor, views: SampleViews, begun: Tensor) -> Tensor:
        """The sums over the places of a sample's views ``(B, F)``."""
        held = self.density(views).sum(dim=(1, 2))
        return held.new_zeros(views.count, self.basic).index_add(0, views.owner, held)


def with_size(tokens: Tensor) -> Tensor:
    """Tokens over their root mean square, and its logarithm, ``(…, K) → (…, K + 1)``."""
    size = tokens.square().mean(dim=-1, keepdim=True).clamp_min(LEAST_SQUARE).sqrt()
    return torch.cat([tokens / size, size.log()], dim=-1)


def _inverse_softplus(values: Tensor) -> Tensor:
    """Where softplus has these positive values."""
    return values + torch.log(-torch.expm1(-values))
