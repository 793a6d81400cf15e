"""Where batches come from: an order that is a function of (seed, epoch) alone.

A resumed training takes up the same order at the same position, because nothing but the two
numbers is needed to know it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor

from quadrat.engine.orders import SampleOrder, epoch_order


class Batch(Protocol):
    """What a step is made from; everything but the names is the family's affair."""

    def sample_ids(self) -> Sequence[str]:
        """The samples' names ``(B,)``, asked for only when a message needs them."""
        ...


B_co = TypeVar("B_co", covariant=True)
B = TypeVar("B")


class Batches(Protocol[B_co]):
    """A source of batches, epoch by epoch."""

    def __len__(self) -> int:
        """Batches in an epoch of this process."""
        ...

    def epoch(self, epoch: int, start: int = 0) -> Iterator[B_co]:
        """The batches of an epoch, from position ``start`` on, tensors on the device."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training must know beyond (seed, epoch, position); plain data."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up a saved state."""
        ...


class IndexBatches(Generic[B]):
    """Batches made from index vectors.

    Args:
        n: Samples.
        batch_size: Samples a batch.
        make: Makes a batch from an index vector ``(B,)``, the epoch, and the batch's position.
        seed: Of the order.
        shuffle: False keeps the samples' own order, as evaluation wants it.
        rank: The number of this process; each takes its share of every epoch.
        world: How many processes there are.
        drop_last: Leave out a last batch that is not full.
        order: Draws the samples of an epoch instead of shuffling all of them.

    Raises:
        ValueError: There is nothing to make a batch from, or the order is for other samples.
    """

    def __init__(
        self,
        n: int,
        batch_size: int,
        make: Callable[[Tensor, int, int], B],
        *,
        seed: int,
        shuffle: bool = True,
        rank: int = 0,
        world: int = 1,
        drop_last: bool = False,
        order: SampleOrder | None = None,
    ) -> None:
        if n < 1 or batch_size < 1:
            raise ValueError(f"cannot make batches of {batch_size} from {n} samples")
        if order is not None and order.size != n:
            raise ValueError(f"an order of {order.size} samples cannot order {n}")
        self.n, self.batch_size, self.make = n, batch_size, make
        self.seed, self.shuffle, self.order = seed, shuffle, order
        self.rank, self.world = rank, world
        self._share = -(-n // world)
        full = self._share // batch_size
        partial = self._share % batch_size > 0 and not (drop_last and full > 0)
        self._batches = full + partial

    def __len__(self) -> int:
        return self._batches

    def epoch(self, epoch: int, start: int = 0) -> Iterator[B]:
        """The batches of one epoch from position ``start`` on."""
        order = self._drawn(epoch)
        if self.world > 1:
            # Every process takes equally many steps: the first samples fill up the last shares.
            order = order[torch.arange(self.rank, self._share * self.world, self.world) % self.n]
        for position in range(start, len(self)):
            index = order[position * self.batch_size : (position + 1) * self.batch_size]
            yield self.make(index, epoch, position)

    def _drawn(self, epoch: int) -> Tensor:
        """The samples of an epoch for all processes, in order."""
        if self.order is not None:
            return self.order.indices(self.seed, epoch)
        return epoch_order(self.n, self.seed, epoch) if self.shuffle else torch.arange(self.n)

    def state_dict(self) -> dict[str, Any]:
        """The seed and the order, to notice a state of another one."""
        state: dict[str, Any] = {"seed": self.seed, "n": self.n, "batch_size": self.batch_size}
        return state if self.order is None else {**state, "order": self.order.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Checks that a saved state belongs to this order, and takes up its plan.

        Raises:
            ValueError: It was saved with other samples, batches or another seed.
        """
        if self.order is not None and "order" in state:
            self.order = self.order.planned(state["order"])
        if state != self.state_dict():
            raise ValueError(f"the saved order {state} is not this one: {self.state_dict()}")
