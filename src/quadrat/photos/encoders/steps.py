"""Networks of timm as steps: what comes before the first block, the blocks, what comes after.

A network runs as ``begin``, each of its numbered blocks (blocks of a transformer, stages of a
convolutional network), and ``end``, and gives what timm's ``forward_features`` gives.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import timm.models as timm_models
import torch
from torch import Tensor, nn

_MODELS: Any = timm_models  # its classes have no types


class State(NamedTuple):
    """Views between two steps.

    Attributes:
        values: Maps ``(V, C, H, W)`` or ``(V, H, W, C)``, or sequences ``(V, N, K)``.
        grid: Of sequences, how their places lie: (h, w), after the class and register tokens.
    """

    values: Tensor
    grid: tuple[int, int] | None = None


class Steps(ABC):
    """How the networks of a family run.

    Networks are passed in, because a part of one (see `quadrat.photos.encoders.parts`) runs in the
    same way.

    Attributes:
        blocks: Dotted names of the blocks.
        before: Names of modules and parameters that only `begin` uses.
        after: Names of modules that only `end` uses.
        whole: Whether the one block is the whole network.
    """

    blocks: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...] = ()
    whole = False

    @abstractmethod
    def begin(self, network: nn.Module, views: Tensor) -> State:
        """Views ``(V, 3, H, W)`` as the first block takes them."""

    def block(self, network: nn.Module, number: int, state: State) -> State:
        """What a block makes of views."""
        return State(network.get_submodule(self.blocks[number])(state.values), state.grid)

    @abstractmethod
    def end(self, network: nn.Module, state: State) -> State:
        """What comes after the last block, but for the pooling."""

    def pack(self, network: nn.Module, state: State) -> tuple[Tensor, ...]:
        """A state as tensors with one row a view."""
        return (state.values,)

    def unpack(self, network: nn.Module, held: Sequence[Tensor]) -> tuple[State, Sequence[Tensor]]:
        """The inverse of `pack`, and the tensors that are left over."""
        return State(held[0]), held[1:]

    def places(self, network: nn.Module, state: State) -> Tensor:
        """What is said of each place, as ``(V, h, w, K)``."""
        return state.values if _channels_last(network) else state.values.permute(0, 2, 3, 1)


@dataclass(frozen=True)
class _Chain(Steps):
    """Modules that are called one after the other, with maps between them."""

    before: tuple[str, ...]
    blocks: tuple[str, ...]
    after: tuple[str, ...]

    def begin(self, network: nn.Module, views: Tensor) -> State:
        return State(_called(network, self.before, views))

    def end(self, network: nn.Module, state: State) -> State:
        return State(_called(network, self.after, state.values))

    def unpack(self, network: nn.Module, held: Sequence[Tensor]) -> tuple[State, Sequence[Tensor]]:
        # As they were before they were held: convolutions run faster on channels that lie together.
        if _channels_last(network):
            return State(held[0]), held[1:]
        return State(held[0].contiguous(memory_format=torch.channels_last)), held[1:]


class _Sequences(Steps):
    """Transformers whose state is a sequence: class and register tokens, then places."""

    after = ("norm",)

    def end(self, network: nn.Module, state: State) -> State:
        return State(_called(network, self.after, state.values), state.grid)

    def pack(self, network: nn.Module, state: State) -> tuple[Tensor, ...]:
        prefix = _prefix(network)
        places = (self.places(network, state),)
        return (*places, state.values[:, :prefix]) if prefix else places

    def unpack(self, network: nn.Module, held: Sequence[Tensor]) -> tuple[State, Sequence[Tensor]]:
        places = held[0]
        grid = (places.shape[1], places.shape[2])
        values = places.flatten(1, 2)
        if not _prefix(network):
            return State(values, grid), held[1:]
        return State(torch.cat([held[1], values], dim=1), grid), held[2:]

    def places(self, network: nn.Module, state: State) -> Tensor:
        if state.grid is None:
            raise ValueError("a sequence without a grid has no places")
        places = state.values[:, _prefix(network) :]
        return places.reshape(len(places), *state.grid, places.shape[2])


class _VisionTransformer(_Sequences):
    before = (
        "patch_embed",
        "cls_token",
        "reg_token",
        "pos_embed",
        "pos_drop",
        "patch_drop",
        "norm_pre",
    )

    def __init__(self, blocks: tuple[str, ...]) -> None:
        self.blocks = blocks

    def begin(self, network: nn.Module, views: Tensor) -> State:
        model: Any = network
        patches = model.patch_embed(views)
        values = model.norm_pre(model.patch_drop(model._pos_embed(patches)))
        return State(values, _grid(network, patches))


class _Eva(_Sequences):
    """Transformers that turn queries and keys by their place in every block (RoPE)."""

    before = ("patch_embed", "cls_token", "reg_token", "pos_embed", "pos_drop", "norm_pre")

    def __init__(self, blocks: tuple[str, ...]) -> None:
        self.blocks = blocks

    def begin(self, network: nn.Module, views: Tensor) -> State:
        model: Any = network
        patches = model.patch_embed(views)
        values, _ = model._pos_embed(patches)
        return State(model.norm_pre(values), _grid(network, patches))

    def block(self, network: nn.Module, number: int, state: State) -> State:
        rope = getattr(network, "rope", None)
        turned = None if rope is None else rope.get_embed(shape=state.grid)
        block = network.get_submodule(self.blocks[number])
        return State(block(state.values, rope=turned), state.grid)


class _Whole(Steps):
    """A network of another family: one block, with nothing before or after it."""

    blocks = ("",)
    before = ()
    whole = True

    def begin(self, network: nn.Module, views: Tensor) -> State:
        return State(views)

    def block(self, network: nn.Module, number: int, state: State) -> State:
        model: Any = network
        values: Tensor = model.forward_features(state.values)
        if values.ndim == 4:
            return State(values)
        return State(values, getattr(getattr(model, "patch_embed", None), "grid_size", None))

    def end(self, network: nn.Module, state: State) -> State:
        return state

    def places(self, network: nn.Module, state: State) -> Tensor:
        if state.values.ndim == 4:
            return super().places(network, state)
        return _Sequences.places(_SEQUENCE, network, state)


_SEQUENCE = _VisionTransformer(())

# Class → what comes before the blocks, the blocks (or what holds them), and what comes after.
_CHAINS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "ByobNet": (("stem",), ("stages",), ("final_conv",)),
    "ConvNeXt": (("stem",), ("stages",), ("norm_pre",)),
    "EfficientNet": (("conv_stem", "bn1"), ("blocks",), ("conv_head", "bn2")),
    "MaxxVit": (("stem",), ("stages",), ("norm",)),
    "MobileNetV3": (("conv_stem", "bn1"), ("blocks",), ()),
    "NormFreeNet": (("stem",), ("stages",), ("final_conv", "final_act")),
    "RegNet": (("stem",), ("s1", "s2", "s3", "s4"), ("final_conv",)),
    "ResNet": (
        ("conv1", "bn1", "act1", "maxpool"),
        ("layer1", "layer2", "layer3", "layer4"),
        (),
    ),
    "SwinTransformer": (("patch_embed",), ("layers",), ("norm",)),
    "SwinTransformerV2": (("patch_embed",), ("layers",), ("norm",)),
}


def steps_of(network: nn.Module) -> Steps:
    """How a network runs; a family that is not known here is one block."""
    if _is(network, "VisionTransformer"):
        return _VisionTransformer(_numbered(network, "blocks"))
    if _is(network, "Eva") and not getattr(network, "rope_mixed", False):
        return _Eva(_numbered(network, "blocks"))
    for name, (before, blocks, after) in _CHAINS.items():
        if _is(network, name):
            held = blocks if len(blocks) > 1 else _numbered(network, blocks[0])
            return _Chain(before, held, after)
    return _Whole()


def _is(network: nn.Module, name: str) -> bool:
    """Whether a network is of a class, and runs as that class does."""
    family = getattr(_MODELS, name)
    return isinstance(network, family) and type(network).forward_features is family.forward_features


def _channels_last(network: nn.Module) -> bool:
    """Whether maps are ``(V, H, W, C)``."""
    return getattr(network, "output_fmt", "NCHW") == "NHWC"


def _numbered(network: nn.Module, name: str) -> tuple[str, ...]:
    return tuple(f"{name}.{key}" for key, _ in network.get_submodule(name).named_children())


def _called(network: nn.Module, names: Sequence[str], values: Tensor) -> Tensor:
    for name in names:
        values = network.get_submodule(name)(values)
    return values


def _prefix(network: nn.Module) -> int:
    return int(getattr(network, "num_prefix_tokens", 0))


def _grid(network: nn.Module, patches: Tensor) -> tuple[int, int]:
    """How patches lie: those of a network for any size are a map still."""
    if patches.ndim == 4:
        return patches.shape[1], patches.shape[2]
    model: Any = network
    grid: tuple[int, int] = tuple(model.patch_embed.grid_size)
    return grid
