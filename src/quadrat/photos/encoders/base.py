"""The interface of encoders, and the registry of their prefixes (``timm:``, ``precomputed:``).

An encoder has two parts. What never learns is its *stem*: `PhotoEncoder.hold` runs it, always in
evaluation mode, and what it says of a view can be kept. What learns is its *tail*: every network
gets a copy of its own from `PhotoEncoder.rest`. A frozen encoder is all stem, one that learns
throughout is all tail, and holds the photos themselves; where only the last blocks learn, their
input is held.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from quadrat._registry import Registry
from quadrat.engine import ParameterGroup, parameter_groups
from quadrat.errors import UsageError
from quadrat.photos.schema import CleanSection, EncoderSection, Sides, ViewsSection
from quadrat.runtime.images import ImagePreprocessing

Builder = Callable[[EncoderSection, ViewsSection, CleanSection], "PhotoEncoder"]
"""Makes an encoder; random weights come from torch's global generator."""

encoders: Registry[Builder] = Registry("encoder")
"""Builders by the prefix of ``encoder.name``."""

_REFUSALS = (RuntimeError, AssertionError, ValueError)
"""What networks raise at a size that they cannot take."""

Held = tuple[Tensor, ...]
"""What a stem says of V views, one or more tensors ``(V, …)``."""


class Encoded(NamedTuple):
    """What an encoder says of V views.

    Attributes:
        vectors: One vector a view ``(V, D)``.
        tokens: What it says of each place of a view ``(V, h, w, K)``, where that is asked for.
    """

    vectors: Tensor
    tokens: Tensor | None = None


class EncoderTail(nn.Module):
    """The part of an encoder that learns; this one has nothing left to do.

    A tail takes what the stem holds: here the vectors, and the tokens where there are any.
    """

    def forward(self, held: Held) -> Encoded:
        """Vectors and tokens of the views that a stem holds."""
        return Encoded(*held)

    @property
    def learns(self) -> bool:
        """Whether there is anything to train."""
        return any(parameter.requires_grad for parameter in self.parameters())

    def parameter_groups(self, learning_rate: float, weight_decay: float) -> list[ParameterGroup]:
        """What the optimiser gets to learn.

        Args:
            learning_rate: Of all groups.
            weight_decay: Of matrices and kernels; biases and norms have none.
        """
        return parameter_groups(self, learning_rate, weight_decay, name="encoder")


class PhotoEncoder(nn.Module, ABC):
    """Turns views into vectors.

    Args:
        width: Length D of the vectors.
        frozen: Whether nothing of it learns: then it has no gradients and always stays in
            evaluation mode.
        token_width: Length K of the tokens; 0 where it gives none.

    Attributes:
        config: Name and content of a file that it was built from, where its name says too little.
    """

    config: tuple[str, Mapping[str, Any]] | None = None

    def __init__(self, width: int, *, frozen: bool, token_width: int = 0) -> None:
        super().__init__()
        self.width = width
        self.token_width = token_width
        self.frozen = frozen

    @property
    @abstractmethod
    def preprocessing(self) -> ImagePreprocessing:
        """What photos must go through in training."""

    @property
    @abstractmethod
    def predict_preprocessing(self) -> ImagePreprocessing:
        """What held-out and new photos must go through."""

    @property
    def tail(self) -> EncoderTail:
        """The part that learns, as it is before any training."""
        return EncoderTail()

    @property
    def holds(self) -> bool:
        """Whether anything is frozen, so that what is held is worth keeping."""
        return self.frozen

    @abstractmethod
    def hold(self, views: Tensor) -> Held:
        """What the stem says of views ``(V, 3, H, W)``; the views where all learns."""

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash of everything that decides what is held of a prepared photo."""

    def frozen_weights(self) -> dict[str, Tensor]:
        """The weights of the stem, by name; this one has none."""
        return {}

    def load_frozen_weights(self, weights: dict[str, Tensor]) -> None:
        """Puts back what `frozen_weights` gave.

        Raises:
            RuntimeError: They are of another encoder.
        """
        if weights:
            raise RuntimeError(f"an encoder without weights was given {len(weights)}")

    def rest(self) -> EncoderTail:
        """A copy of the tail, for one network to train."""
        return copy.deepcopy(self.tail)

    def forward(self, views: Tensor) -> Encoded:
        """What is said of views ``(V, 3, H, W)`` before any training."""
        encoded: Encoded = self.tail(self.hold(views))
        return encoded

    def train(self, mode: bool = True) -> Self:
        """Sets training mode, unless the encoder is frozen."""
        super().train(mode and not self.frozen)
        return self


@torch.no_grad()
def require_sizes(encoder: PhotoEncoder, sizes: Iterable[Sides], key: str) -> None:
    """Checks that an encoder takes photos of further sizes, by showing it black ones.

    Args:
        encoder: On the CPU.
        sizes: The sizes.
        key: What asked for them, for the message.

    Raises:
        UsageError: It cannot take one of them.
    """
    encoder.eval()
    for size in sizes:
        try:
            encoder(torch.zeros(1, 3, *size))
        except _REFUSALS as error:
            own = encoder.preprocessing.size
            raise UsageError(
                f"{key}: the encoder cannot take {size[0]} × {size[1]} pixels beside "
                f"{own[0]} × {own[1]} ({reason(error)}); choose other sizes, or an encoder "
                "without a fixed one."
            ) from error


def reason(error: Exception) -> str:
    """The first line of an error's message, or what kind of error it is."""
    return str(error).partition("\n")[0].rstrip(".") or type(error).__name__
