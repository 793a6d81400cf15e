"""A network in two parts: the frozen stem, whose activations are held, and the tail that learns."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d
from torch.utils.checkpoint import checkpoint

from quadrat.engine import ParameterGroup, parameter_groups
from quadrat.photos.encoders.base import Encoded, EncoderTail, Held
from quadrat.photos.encoders.pooling import GEM_POWER, pooled
from quadrat.photos.encoders.steps import State, Steps

_SHARED = "rope"
"""What the blocks of a network use, without being one."""

BatchNorm = nn.modules.batchnorm._BatchNorm


@dataclass(frozen=True)
class Reading:
    """What is read of a network as it runs.

    Attributes:
        pools: How places become a vector; several vectors are joined.
        inner: The same where a block is not the last.
        layers: Numbers of the blocks after which vectors are read, ascending; those of the last
            block are read after the network's end.
        tokens: Whether the places after the last of the layers are given, too.
        joined: Whether what is said of a place after each of the layers is one token, instead.
    """

    pools: tuple[str, ...]
    inner: tuple[str, ...]
    layers: tuple[int, ...]
    tokens: bool = False
    joined: bool = False

    @property
    def blocks(self) -> int:
        """How many blocks must run."""
        return self.layers[-1] + 1

    def keeps_places(self, number: int) -> bool:
        """Whether the places after a block are part of the tokens."""
        kept = self.layers if self.joined else self.layers[-1:]
        return self.tokens and number in kept


@dataclass(frozen=True)
class Learning:
    """How a tail learns.

    Attributes:
        layer_decay: The rate of a block is that of the one behind it times this.
        freeze_epochs: In so many first epochs it does not learn.
        checkpointing: Compute each block again in the backward pass instead of keeping what it
            made: less memory, a third more time.
    """

    layer_decay: float = 1.0
    freeze_epochs: int = 0
    checkpointing: bool = False


class _Read(NamedTuple):
    state: State
    vectors: list[Tensor]
    places: list[Tensor]


class _Part(nn.Module):
    """Some of a network's blocks, with what they need.

    Args:
        steps: How the network runs.
        model: The network; its weights are shared, not copied.
        reading: What is read.
        first: Number of the first block.
        stop: Number of the block behind the last.
    """

    def __init__(
        self, steps: Steps, model: nn.Module, reading: Reading, first: int, stop: int
    ) -> None:
        super().__init__()
        self.steps, self.reading, self.first, self.stop = steps, reading, first, stop
        unused = {name for n, name in enumerate(steps.blocks) if not first <= n < stop}
        if first > 0:
            unused |= set(steps.before)
        if stop < len(steps.blocks):
            kept = {*steps.before, *(name.partition(".")[0] for name in steps.blocks), _SHARED}
            unused |= {name for name, _ in model.named_children() if name not in kept}
        self.model = without(model, unused)

    def run(
        self,
        state: State,
        power: Callable[[int], Tensor | float] = lambda number: GEM_POWER,
        *,
        checkpointing: bool = False,
    ) -> _Read:
        """Runs the blocks, and the end if the last block is among them."""
        vectors, places = [], []
        for number in range(self.first, self.stop):
            state = self._block(number, state, checkpointing)
            ended = number == len(self.steps.blocks) - 1
            if ended:
                state = self.steps.end(self.model, state)
            if number in self.reading.layers:
                vectors += [
                    pooled(kind, self.steps, self.model, state, power(number))
                    for kind in (self.reading.pools if ended else self.reading.inner)
                ]
            if self.reading.keeps_places(number):
                places.append(self.steps.places(self.model, state))
        return _Read(state, vectors, places)

    def _block(self, number: int, state: State, checkpointing: bool) -> State:
        def run(values: Tensor) -> Tensor:
            given = state._replace(values=values)
            return self.steps.block(self.model, number, given).values

        if not checkpointing or not torch.is_grad_enabled():
            return self.steps.block(self.model, number, state)
        block = self.model.get_submodule(self.steps.blocks[number])
        values: Tensor = checkpoint(
            run,
            state.values,
            use_reentrant=False,
            context_fn=lambda: (nullcontext(), _statistics_stay(block)),
        )
        # A block of the families that are known keeps the grid.
        return state._replace(values=values)

    def encoded(self, read: _Read, early: Sequence[Tensor] = ()) -> Encoded:
        """Vectors and tokens after the last block.

        Args:
            read: What was read of the blocks of this part.
            early: What `early` says of the part before it.
        """
        tokens = at_one_grid([*early[1:], *read.places]) if self.reading.tokens else None
        return Encoded(torch.cat([*early[:1], *read.vectors], dim=1), tokens)

    @staticmethod
    def early(read: _Read) -> tuple[Tensor, ...]:
        """Vectors that were read before the last part, and places if they are to be joined."""
        vectors = (torch.cat(read.vectors, dim=1),) if read.vectors else ()
        return (*vectors, at_one_grid(read.places)) if read.places else vectors


class Stem(_Part):
    """The blocks of a network that never learn; always in evaluation mode.

    Args:
        steps: How the network runs.
        model: The network.
        reading: What is read.
        stop: How many blocks are frozen.
    """

    def __init__(self, steps: Steps, model: nn.Module, reading: Reading, stop: int) -> None:
        super().__init__(steps, model, reading, 0, stop)

    def forward(self, views: Tensor) -> Held:
        """What is held of views ``(V, 3, H, W)``.

        Vectors and tokens where all that is read lies in the stem. Otherwise the activations at
        its end, and the vectors that were read until then.
        """
        read = self.run(self.steps.begin(self.model, views))
        held: Held
        if self.stop == self.reading.blocks:
            vectors, tokens = self.encoded(read)
            held = (vectors,) if tokens is None else (vectors, tokens)
        else:
            held = (*self.steps.pack(self.model, read.state), *self.early(read))
        return tuple(part.contiguous() for part in held)


class Tail(_Part, EncoderTail):
    """The blocks of a network that learn, and its own pooling.

    Args:
        steps: How the network runs.
        model: The network.
        reading: What is read.
        first: How many blocks are frozen; 0 with ``whole`` if not even the embedding of patches is.
        whole: Whether it begins at the photos.
        learning: How it learns.
    """

    def __init__(
        self,
        steps: Steps,
        model: nn.Module,
        reading: Reading,
        first: int,
        *,
        whole: bool,
        learning: Learning,
    ) -> None:
        super().__init__(steps, model, reading, first, reading.blocks)
        self.whole, self.learning = whole, learning
        if not whole:
            self.model = without(self.model, self._unread(model))
        read = [number for number in reading.layers if number >= first]
        self.powers: nn.ParameterDict | None = None
        if "gem" in reading.pools:
            start = {str(number): torch.full((1,), GEM_POWER) for number in read}
            self.powers = nn.ParameterDict(start)

    def _unread(self, model: nn.Module) -> set[str]:
        """What comes before the blocks, and the network's own pooling where nothing reads it."""
        unread = set(self.steps.before)
        if "auto" not in self.reading.pools:
            blocks = {name.partition(".")[0] for name in self.steps.blocks}
            kept = {*blocks, *self.steps.after, _SHARED}
            unread |= {name for name, _ in model.named_children() if name not in kept}
        return unread

    def forward(self, held: Held) -> Encoded:
        """Vectors and tokens of the views that a stem holds."""
        early: Sequence[Tensor] = ()
        if self.whole:
            state = self.steps.begin(self.model, held[0])
        else:
            state, early = self.steps.unpack(self.model, held)
        checkpointing = self.learning.checkpointing and self.training
        return self.encoded(self.run(state, self._power, checkpointing=checkpointing), early)

    def _power(self, number: int) -> Tensor | float:
        return GEM_POWER if self.powers is None else self.powers[str(number)]

    def parameter_groups(self, learning_rate: float, weight_decay: float) -> list[ParameterGroup]:
        """What the optimiser gets to learn, block by block where their rates differ.

        With `Learning.layer_decay` d, what comes after the last block learns at the full rate, the
        last block at d times it, the one before at d² times it, and so on.

        Reference: Bao et al. 2022, BEiT: BERT pre-training of image transformers.
        """
        decay = self.learning.layer_decay
        if decay == 1.0:
            groups = super().parameter_groups(learning_rate, weight_decay)
        else:
            groups = [
                group
                for depth, parameters in self._by_depth()
                for group in parameter_groups(
                    nn.ParameterList(parameters),
                    learning_rate * decay**depth,
                    weight_decay,
                    name=f"encoder-{depth}",
                )
            ]
        return [replace(group, frozen_epochs=self.learning.freeze_epochs) for group in groups]

    def _by_depth(self) -> Iterator[tuple[int, list[nn.Parameter]]]:
        """Parameters by the number of steps from the end."""
        blocks = self.reading.blocks
        depths = {name: blocks - number for number, name in enumerate(self.steps.blocks)}
        found: dict[int, list[nn.Parameter]] = {}
        for name, parameter in self.named_parameters():
            path = name.removeprefix("model.")
            depth = next((d for block, d in depths.items() if path.startswith(f"{block}.")), 0)
            if path.partition(".")[0] in self.steps.before:
                depth = blocks + 1
            found.setdefault(depth, []).append(parameter)
        yield from sorted(found.items())


def at_one_grid(places: Sequence[Tensor]) -> Tensor:
    """What several blocks say of the places of views, side by side, ``(V, h, w, K₁ + K₂ + …)``.

    Args:
        places: Of each block ``(V, h, w, K)``; the last one's grid is the coarsest, and what finer
            ones say is averaged to it.
    """
    height, width = places[-1].shape[1:3]
    coarse = [
        one
        if one.shape[1:3] == (height, width)
        else adaptive_avg_pool2d(one.permute(0, 3, 1, 2), (height, width)).permute(0, 2, 3, 1)
        for one in places
    ]
    return torch.cat(coarse, dim=3)


def without(module: nn.Module, names: set[str]) -> nn.Module:
    """A module that lacks some of its parts, and shares the others with the one given.

    Parts in a sequence leave their numbers behind, so that names of weights stay as they are.

    Args:
        module: The module; stays as it is.
        names: Dotted names of modules and parameters; those that it does not have are ignored.
    """
    shared = copy.copy(module)
    shared._parameters = {
        name: None if name in names else value for name, value in module._parameters.items()
    }
    shared._buffers = dict(module._buffers)
    shared._modules = dict(module._modules)
    for name, child in module._modules.items():
        inner = {rest for path in names for own, _, rest in [path.partition(".")] if own == name}
        if name in names:
            shared._modules[name] = nn.Identity()
        elif child is not None and inner:
            shared._modules[name] = without(child, inner)
    return shared


@contextmanager
def _statistics_stay(module: nn.Module) -> Iterator[None]:
    """Keeps batch norms from counting a batch twice that is computed twice."""
    norms = [part for part in module.modules() if isinstance(part, BatchNorm)]
    saved = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked = norm.num_batches_tracked.clone()
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, saved, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count
