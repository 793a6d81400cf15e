"""The interface of encoders, and the registry of their prefixes (``timm:``, ``precomputed:``)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn

from quadrat._registry import Registry
from quadrat.engine import ParameterGroup, parameter_groups
from quadrat.photos.schema import EncoderSection, ViewsSection
from quadrat.runtime.images import ImagePreprocessing

Builder = Callable[[EncoderSection, ViewsSection], "PhotoEncoder"]
"""Makes an encoder; random weights come from torch's global generator."""

encoders: Registry[Builder] = Registry("encoder")
"""Builders by the prefix of ``encoder.name``."""


class PhotoEncoder(nn.Module, ABC):
    """Turns views into vectors.

    Args:
        width: Length D of the vectors.
        frozen: Whether it never learns: then it has no gradients and always stays in evaluation
            mode.
    """

    def __init__(self, width: int, *, frozen: bool) -> None:
        super().__init__()
        self.width = width
        self.frozen = frozen

    @property
    @abstractmethod
    def preprocessing(self) -> ImagePreprocessing:
        """What photos must go through in training."""

    @property
    @abstractmethod
    def predict_preprocessing(self) -> ImagePreprocessing:
        """What held-out and new photos must go through."""

    @abstractmethod
    def forward(self, views: Tensor) -> Tensor:
        """Vectors ``(V, D)`` of views ``(V, 3, H, W)``."""

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash of everything that decides what comes out of a prepared photo."""

    def train(self, mode: bool = True) -> Self:
        """Sets training mode, unless the encoder is frozen."""
        super().train(mode and not self.frozen)
        return self

    def parameter_groups(self, learning_rate: float, weight_decay: float) -> list[ParameterGroup]:
        """What the optimiser gets to learn; nothing where the encoder is frozen.

        Args:
            learning_rate: Of all groups.
            weight_decay: Of matrices and kernels; biases and norms have none.
        """
        return parameter_groups(self, learning_rate, weight_decay, name="encoder")


def create_encoder(section: EncoderSection, views: ViewsSection, *, seed: int = 0) -> PhotoEncoder:
    """Makes the encoder of an experiment, on the CPU.

    Args:
        section: Its name, weights and pooling.
        views: Sizes and fit of photos.
        seed: Of random weights (``encoder.weights = 'none'``); the global generators are left
            as they are.

    Raises:
        UnknownNameError: No encoder has this prefix.
        UsageError: The name, size or pooling is not one of this encoder's.
        DataError: The weights cannot be had, or do not fit.
    """
    prefix, _, _ = section.name.partition(":")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = encoders[prefix](section, views)
    encoder.requires_grad_(not encoder.frozen)
    return encoder.train(False)


def reason(error: Exception) -> str:
    """The first line of an error's message, or what kind of error it is."""
    return str(error).partition("\n")[0].rstrip(".") or type(error).__name__
