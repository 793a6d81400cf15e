"""In which order the samples of an epoch come: a function of (seed, epoch) alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor


def epoch_order(n: int, seed: int, epoch: int) -> Tensor:
    """A permutation of ``n`` samples that depends on seed and epoch alone.

    Returns:
        int64 tensor ``(n,)`` on the CPU.
    """
    generator = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
    return torch.randperm(n, generator=generator)


def weighted_order(weights: Tensor, seed: int, epoch: int) -> Tensor:
    """As many samples as there are, drawn with replacement in proportion to their weights.

    Drawn systematically: a sample that is expected ``c`` times comes ``⌊c⌋`` or ``⌈c⌉`` times, so
    that an epoch is as even as the weights allow, and with equal weights every sample comes once.
    The samples are put in random order before and after, so that neighbours in the table are not
    drawn in turns (Madow 1949, On the theory of systematic sampling II).

    Args:
        weights: Not negative, not all zero ``(n,)``.
        seed: Of the drawing.
        epoch: Which epoch, from 0.

    Returns:
        int64 tensor ``(n,)`` on the CPU.
    """
    n = len(weights)
    generator = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
    before = torch.randperm(n, generator=generator)
    upper = weights.double()[before].cumsum(0)
    upper = upper / upper[-1] * n
    # In single precision it is far enough from 1 for the last tooth not to be lost by rounding.
    offset = torch.rand(1, generator=generator).double()
    # Tooth k of the comb lies at k + offset; a sample is drawn as often as teeth lie in its share.
    teeth = torch.ceil(upper - offset).clamp_(min=0).to(torch.int64)
    counts = torch.diff(teeth, prepend=torch.zeros(1, dtype=torch.int64))
    drawn = before.repeat_interleave(counts)
    return drawn[torch.randperm(n, generator=generator)]


@dataclass(frozen=True, eq=False)
class SampleOrder:
    """An order in which some samples come more often, or later, than others.

    Every epoch has as many samples as there are. While only some stages are open, their samples
    come more often, so that the steps of an epoch and the schedule of the learning rate stay what
    they are without stages.

    Attributes:
        weights: How often a sample comes, relative to the others ``(N,)``; None: all alike.
        stages: The stage, from 0, that a sample belongs to ``(N,)``; None: all are open at once.
            Stages are cumulative: those that are open stay open.
        epochs: Epochs over which the stages are spread evenly; the last one opens when one share
            is left.
    """

    weights: Tensor | None = None
    stages: Tensor | None = None
    epochs: int = 1

    def __post_init__(self) -> None:
        if self.weights is not None and not bool((self.weights >= 0).all()):
            raise ValueError("weights of samples must not be negative or NaN")
        if self.stages is not None:
            found = torch.unique(self.stages).tolist()
            if found != list(range(len(found))):
                raise ValueError(f"stages must be numbered from 0 without gaps, not {found}")
        if float(self._weights_in(0, self.size).sum()) <= 0:
            raise ValueError("no sample of the first stage has a weight")

    @property
    def size(self) -> int:
        """N, the number of samples."""
        for values in (self.weights, self.stages):
            if values is not None:
                return len(values)
        raise ValueError("an order needs weights or stages")

    def open_stage(self, epoch: int) -> int:
        """The last stage that is open in an epoch (from 0)."""
        if self.stages is None:
            return 0
        count = int(self.stages.max()) + 1
        return min(count - 1, epoch * count // self.epochs)

    def indices(self, seed: int, epoch: int) -> Tensor:
        """The samples of an epoch, int64 ``(N,)``."""
        return weighted_order(self._weights_in(epoch, self.size), seed, epoch)

    def _weights_in(self, epoch: int, n: int) -> Tensor:
        weights = torch.ones(n, dtype=torch.float64) if self.weights is None else self.weights
        if self.stages is None:
            return weights.double()
        return torch.where(self.stages <= self.open_stage(epoch), weights.double(), 0.0)

    def state_dict(self) -> dict[str, Any]:
        """What tells this order from others, and over how many epochs it was planned."""
        digest = hashlib.sha256()
        for values in (self.weights, self.stages):
            digest.update(b"-" if values is None else values.double().numpy().tobytes())
        return {"samples": digest.hexdigest()[:16], "epochs": self.epochs}

    def planned(self, state: dict[str, Any]) -> SampleOrder:
        """This order as a saved one was planned: a longer training keeps its stages' epochs.

        Raises:
            ValueError: The saved order has other weights or stages.
        """
        if state["samples"] != self.state_dict()["samples"]:
            raise ValueError("the saved order has other weights or stages of the samples")
        return replace(self, epochs=state["epochs"])
