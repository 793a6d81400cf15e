"""A network of timm as an encoder: which of its blocks are frozen, and what is read of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn

from quadrat.errors import UsageError
from quadrat.photos.encoders.base import EncoderTail, Held, PhotoEncoder
from quadrat.photos.encoders.parts import Learning, Reading, Stem, Tail
from quadrat.photos.encoders.pooling import has_class_token, reads_class_token
from quadrat.photos.encoders.steps import Steps, steps_of
from quadrat.photos.encoders.weights import hash_weights
from quadrat.photos.schema import EncoderSection
from quadrat.runtime.images import ImagePreprocessing


class TimmEncoder(PhotoEncoder):
    """A network of timm without its classifier.

    Args:
        model: The network; its own pooling is what ``auto`` means.
        section: Its name, which blocks learn, and what is read.
        preprocessing: For training.
        predict_preprocessing: For held-out and new photos.
        identity: What network it is, for its fingerprint.
        config: Name and content of a file that it was built from, where its name says too little.

    Raises:
        UsageError: The section asks for what the network does not have.
    """

    def __init__(
        self,
        model: nn.Module,
        section: EncoderSection,
        *,
        preprocessing: ImagePreprocessing,
        predict_preprocessing: ImagePreprocessing,
        identity: tuple[str, ...],
        config: tuple[str, Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(0, frozen=not section.learns)
        steps = steps_of(model)
        _demand(steps, model, section)
        self.model, self.steps, self.name = model, steps, section.name
        self.identity, self.config = identity, config
        self.reading = _reading(steps, model, section)
        self._preprocessing = preprocessing
        self._predict_preprocessing = predict_preprocessing
        blocks = self.reading.blocks
        frozen = 0 if section.train == "all" else blocks - (section.train_last_blocks or 0)
        self.stem = None if section.train == "all" else Stem(steps, model, self.reading, frozen)
        self._tail = EncoderTail()
        if section.learns:
            self._tail = Tail(
                steps,
                model,
                self.reading,
                frozen,
                whole=section.train == "all",
                learning=Learning(
                    section.layer_decay, section.freeze_epochs, section.checkpointing
                ),
            )
        self.width, self.token_width = self._widths()
        self._fingerprint = ""

    @property
    def preprocessing(self) -> ImagePreprocessing:
        """What photos must go through in training."""
        return self._preprocessing

    @property
    def predict_preprocessing(self) -> ImagePreprocessing:
        """What held-out and new photos must go through."""
        return self._predict_preprocessing

    @property
    def tail(self) -> EncoderTail:
        """The blocks that learn."""
        return self._tail

    @property
    def holds(self) -> bool:
        """Whether any block is frozen."""
        return self.stem is not None

    def hold(self, views: Tensor) -> Held:
        """What is frozen says of views; the views themselves where all learns."""
        if self.stem is None:
            return (views,)
        held: Held = self.stem(views)
        return held

    def frozen_weights(self) -> dict[str, Tensor]:
        """The weights of the stem, under the names that timm gives them."""
        return {} if self.stem is None else dict(self.stem.model.state_dict())

    def load_frozen_weights(self, weights: dict[str, Tensor]) -> None:
        """Puts back what `frozen_weights` gave.

        Raises:
            RuntimeError: They are of another network.
        """
        if self.stem is not None:
            self.stem.model.load_state_dict(weights)
            self._fingerprint = ""

    def fingerprint(self) -> str:
        """A hash of the network's name, what is read of it, and all weights that are frozen."""
        if self.frozen and self._fingerprint:
            return self._fingerprint
        module = self.model if self.stem is None else self.stem.model
        self._fingerprint = hash_weights(module, *self._identity())
        return self._fingerprint

    def train(self, mode: bool = True) -> Self:
        """Sets training mode; what is frozen stays in evaluation mode."""
        super().train(mode)
        if self.stem is not None:
            self.stem.eval()
        return self

    def _identity(self) -> Iterator[str]:
        """What tells two readings of one network apart."""
        reading, blocks = self.reading, len(self.steps.blocks)
        yield from self.identity
        yield " ".join(reading.pools)
        if reading.layers != (blocks - 1,):
            yield f"layers {reading.layers}"
        if reading.tokens:
            yield "tokens of all layers" if reading.joined else "tokens"
        if self.stem is not None and self.stem.stop < reading.blocks:
            yield f"to block {self.stem.stop}"

    @torch.no_grad()
    def _widths(self) -> tuple[int, int]:
        """Lengths of a vector and of a token."""
        traits: Any = self.model
        reading = self.reading
        usual = reading.layers == (len(self.steps.blocks) - 1,) and not reading.tokens
        if usual and len(reading.pools) == 1:
            own = getattr(traits, "num_classes", 0) or getattr(traits, "head_hidden_size", None)
            return int(own if own and reading.pools == ("auto",) else traits.num_features), 0
        self.eval()
        vectors, tokens = self(torch.zeros(1, 3, *self._preprocessing.size))
        return vectors.shape[1], 0 if tokens is None else tokens.shape[3]


def _reading(steps: Steps, model: nn.Module, section: EncoderSection) -> Reading:
    count = len(steps.blocks)
    layers = tuple(sorted(number % count for number in section.layers)) or (count - 1,)
    pools = section.pools
    usual = "class" if reads_class_token(model) else "mean"
    inner = tuple(dict.fromkeys(usual if pool == "auto" else pool for pool in pools))
    joined = section.token_layers == "all" and len(layers) > 1
    return Reading(pools, inner, layers, section.tokens, joined)


def _demand(steps: Steps, model: nn.Module, section: EncoderSection) -> None:
    """Checks that a network has what a section asks for.

    Raises:
        UsageError: It does not.
    """
    if "class" in section.pools and not has_class_token(model):
        raise UsageError(
            f"encoder.pool: {section.name} has no class token; use 'mean', 'max' or 'auto'."
        )
    if steps.whole:
        _demand_nothing_of_blocks(section)
        return
    count = len(steps.blocks)
    outside = [number for number in section.layers if not -count <= number < count]
    if outside:
        raise UsageError(
            f"encoder.layers: {section.name} has the blocks 0 to {count - 1} (or {-count} to -1 "
            f"from the end), not {outside[0]}."
        )
    numbers = [number % count for number in section.layers]
    if len(set(numbers)) < len(numbers):
        raise UsageError(f"encoder.layers: two of {list(section.layers)} are the same block.")
    run = max(numbers, default=count - 1) + 1
    if (section.train_last_blocks or 0) > run:
        raise UsageError(
            f"encoder.train_last_blocks: {section.name} has {run} blocks"
            + (" up to the last of encoder.layers" if run < count else "")
            + "; set it to at most that, or use encoder.train = 'all'."
        )


def _demand_nothing_of_blocks(section: EncoderSection) -> None:
    wanted = {
        "train_last_blocks": section.train_last_blocks is not None,
        "layers": bool(section.layers),
        "layer_decay": section.layer_decay < 1.0,
        "checkpointing": section.checkpointing,
    }
    for key in (key for key, asked in wanted.items() if asked):
        raise UsageError(
            f"encoder.{key}: quadrat does not know the blocks of {section.name}; leave it out, and "
            "use encoder.train = 'head' or 'all'; or choose a model of another family, such as "
            "vit, eva, convnext, efficientnet, mobilenetv3, resnet, regnet or swin."
        )
