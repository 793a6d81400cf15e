"""An encoder that looks at each view in several sizes, with the same weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from quadrat.engine import ParameterGroup
from quadrat.photos.encoders.base import (
    Encoded,
    EncoderTail,
    Held,
    PhotoEncoder,
    require_sizes,
)
from quadrat.photos.schema import Sides
from quadrat.runtime.images import ImagePreprocessing


class SeveralSizes(PhotoEncoder):
    """Joins the vectors of a view in several sizes; tokens are those of the largest.

    Views are decoded at the largest size, and made smaller on the device.

    Args:
        encoder: Takes the largest size.
        sizes: All sizes, the largest first.

    Raises:
        UsageError: The encoder cannot take one of the sizes.
    """

    def __init__(self, encoder: PhotoEncoder, sizes: Sequence[Sides]) -> None:
        super().__init__(
            encoder.width * len(sizes), frozen=encoder.frozen, token_width=encoder.token_width
        )
        self.encoder, self.sizes = encoder, tuple(sizes)
        self._tail = EncoderTail()
        if not encoder.frozen:
            self._tail = SeveralTails(encoder.tail, len(self.sizes))
        require_sizes(encoder, self.sizes[1:], "views.sizes")

    @property
    def config(self) -> tuple[str, Mapping[str, Any]] | None:  # type: ignore[override]
        """As the encoder's own."""
        return self.encoder.config

    @property
    def preprocessing(self) -> ImagePreprocessing:
        """What photos must go through: they come at the largest size."""
        return self.encoder.preprocessing

    @property
    def predict_preprocessing(self) -> ImagePreprocessing:
        """The same as in training."""
        return self.encoder.preprocessing

    @property
    def tail(self) -> EncoderTail:
        """The encoder's tail, run once a size."""
        return self._tail

    @property
    def holds(self) -> bool:
        """Whether any block is frozen."""
        return self.encoder.holds

    def hold(self, views: Tensor) -> Held:
        """What the stem says of each size; of a frozen encoder the joined vectors."""
        held = [self.encoder.hold(self._resized(views, size)) for size in self.sizes]
        if self.frozen:
            vectors, tokens = _joined([self.encoder.tail(one) for one in held])
            return (vectors,) if tokens is None else (vectors, tokens)
        return tuple(part for one in held for part in one)

    def fingerprint(self) -> str:
        """A hash of the encoder's own and of the sizes."""
        return hashlib.sha256(f"{self.encoder.fingerprint()} {self.sizes}".encode()).hexdigest()

    def frozen_weights(self) -> dict[str, Tensor]:
        """As the encoder's own."""
        return self.encoder.frozen_weights()

    def load_frozen_weights(self, weights: dict[str, Tensor]) -> None:
        """As the encoder does."""
        self.encoder.load_frozen_weights(weights)

    @staticmethod
    def _resized(views: Tensor, size: Sides) -> Tensor:
        if views.shape[2:] == size:
            return views
        return nn.functional.interpolate(
            views, size, mode="bicubic", align_corners=False, antialias=True
        )


class SeveralTails(EncoderTail):
    """One tail for all sizes of a view.

    Args:
        tail: The tail.
        sizes: How many there are.
    """

    def __init__(self, tail: EncoderTail, sizes: int) -> None:
        super().__init__()
        self.inner, self.sizes = tail, sizes

    def forward(self, held: Held) -> Encoded:
        """Joined vectors, and the tokens of the first size, of what is held size by size."""
        parts = len(held) // self.sizes
        places = range(0, len(held), parts)
        return _joined([self.inner(held[place : place + parts]) for place in places])

    def parameter_groups(self, learning_rate: float, weight_decay: float) -> list[ParameterGroup]:
        """As the tail's own."""
        return self.inner.parameter_groups(learning_rate, weight_decay)


def _joined(encoded: Sequence[Encoded]) -> Encoded:
    return Encoded(torch.cat([one.vectors for one in encoded], dim=1), encoded[0].tokens)
