"""Species networks that answer together, as one model: the mean of their probabilities.

Each member's probabilities are calibrated by its own curves. Where cells judge that curves were
fitted on, every cell must be answered by curves that were fitted on others. So a sample brings
with it, behind what each member reads of its environment, the number of the curves that the member
answers with: 0 for those that it answers everybody with, from 1 on those of its folds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from quadrat.ensemble.schema import Method
from quadrat.errors import UsageError, closest
from quadrat.occurrence.network.species_network import Places, Prediction, SpeciesModel
from quadrat.occurrence.samples.known_environment import Surroundings
from quadrat.runtime.calibration import Calibration


class PooledMember(nn.Module):
    """A member of a pool: its network, its curves, and its species in the pool's order.

    Args:
        network: The network.
        curves: Those for everybody, then those of its folds.
        order: Where in its own species those of the pool are ``(S,)``.
        reads: E, how many encoded values of the environment belong to it.
    """

    order: Tensor
    slopes: Tensor
    offsets: Tensor

    def __init__(
        self,
        network: SpeciesModel,
        curves: Sequence[Calibration],
        order: NDArray[np.int64],
        reads: int,
    ) -> None:
        super().__init__()
        self.network, self.reads = network, reads
        self.register_buffer("order", torch.from_numpy(order), persistent=False)
        for name in ("slope", "offset"):
            stacked = np.stack([getattr(one, name)[order] for one in curves])
            self.register_buffer(f"{name}s", torch.from_numpy(stacked), persistent=False)
        with torch.inference_mode():
            north_pole, first = torch.zeros(1, 2), torch.ones(1, dtype=torch.int64)
            network.cpu().eval()  # what was kept of weeks on another device is dropped by this
            self.size = network.features(north_pole, first).shape[1]

    def features(self, position: Tensor, week: Tensor, own: Tensor) -> Tensor:
        """What `logits` needs ``(B, size + 1)``; ``own``: environment and number of the curves."""
        features = self.network.features(position, week, own[:, :-1] if self.reads else None)
        return torch.cat([features, own[:, -1:].to(features.dtype)], dim=1)

    def logits(self, features: Tensor, columns: slice | Tensor) -> Tensor:
        """Calibrated log odds of some of the pool's species ``(B, columns)``."""
        raw = self.network.logits(features[:, :-1], self.order[columns]).float()
        part = features[:, -1].long()
        if not part.any():
            return torch.addcmul(self.offsets[0, columns], raw, self.slopes[0, columns])
        slopes, offsets = self.slopes[:, columns][part], self.offsets[:, columns][part]
        return torch.addcmul(offsets, raw, slopes)


class SpeciesPool(SpeciesModel):
    """Members that answer together.

    Args:
        members: The members.
        weights: Of each member, not negative ``(M,)``.
        method: ``median``, or else the weighted mean.
    """

    shares: Tensor

    def __init__(
        self, members: Sequence[PooledMember], weights: NDArray[np.float64], method: Method
    ) -> None:
        super().__init__()
        self.members, self.method = nn.ModuleList(members), method
        shares = torch.from_numpy(weights / weights.sum()).float()
        self.register_buffer("shares", shares, persistent=False)

    def forward(self, places: Places) -> Prediction:
        """Log odds of a batch."""
        features = self.features(places.position, places.week, places.environment)
        return Prediction(self.logits(features))

    def features(self, position: Tensor, week: Tensor, environment: Tensor | None = None) -> Tensor:
        """Those of all members, one beside the other."""
        widths = [member.reads + 1 for member in self._each()]
        if environment is None:
            environment = position.new_full((len(week), sum(widths)), torch.nan)
            environment[:, np.cumsum(widths) - 1] = 0.0
        owns = torch.split(environment, widths, dim=1)
        pairs = zip(self._each(), owns, strict=True)
        return torch.cat([member.features(position, week, own) for member, own in pairs], dim=1)

    def logits(self, features: Tensor, columns: slice | Tensor | None = None) -> Tensor:
        """Log odds of the pooled probability."""
        told = self.each_logits(features, slice(None) if columns is None else columns)
        if self.method == "median":
            return median_logits(torch.stack(list(told)))
        return mean_logits(told, self.shares)

    def each_logits(self, features: Tensor, columns: slice | Tensor) -> Iterator[Tensor]:
        """Calibrated log odds by each member, one after the other."""
        owns = torch.split(features, [member.size + 1 for member in self._each()], dim=1)
        for member, own in zip(self._each(), owns, strict=True):
            yield member.logits(own, columns)

    def keep_weeks(self) -> None:
        """Computes what depends on the week alone once, for every member."""
        for member in self._each():
            member.network.keep_weeks()

    def _each(self) -> list[PooledMember]:
        return [member for member in self.members if isinstance(member, PooledMember)]


def mean_logits(told: Iterable[Tensor], shares: Tensor) -> Tensor:
    """Log odds of the weighted mean of probabilities, exact also where these are tiny.

    ``log p = log Σ w σ(z)`` and ``log (1 - p) = log Σ w σ(-z)``, each summed in logarithms.

    Args:
        told: Log odds by each member, of one shape; one is held at a time.
        shares: Weights that sum to one ``(M,)``; a member of weight 0 has no say.
    """
    present, absent = None, None
    for logits, share in zip(told, shares.log(), strict=True):
        yes, no = logsigmoid(logits) + share, logsigmoid(-logits) + share
        present = yes if present is None else torch.logaddexp(present, yes)
        absent = no if absent is None else torch.logaddexp(absent, no)
    if present is None or absent is None:
        raise ValueError("there are no members")
    difference: Tensor = present - absent
    return difference


def median_logits(told: Tensor) -> Tensor:
    """Log odds of the median of probabilities ``(M, ...)``, between the middle two of an even M."""
    ranked, (below, rest) = told.sort(dim=0).values, divmod(len(told), 2)
    middle = ranked[below : below + 1] if rest else ranked[below - 1 : below + 1]
    return mean_logits(middle, middle.new_full((len(middle),), 1.0 / len(middle)))


@dataclass(frozen=True)
class JointSurroundings:
    """What the members of a pool know of the environment of places, one beside the other.

    Args:
        members: What each knows; None for one that reads no environment.
    """

    members: tuple[Surroundings | None, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that any of them reads."""
        every = [name for one in self.members if one is not None for name in one.names]
        return tuple(dict.fromkeys(every))

    def encoded(
        self,
        lat: NDArray[np.float64],
        lon: NDArray[np.float64],
        given: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> NDArray[np.float32]:
        """What each member reads, and the number of the curves for everybody.

        Raises:
            UsageError: A name is not that of a column.
        """
        plain = np.zeros(len(lat), np.int64)
        return self.with_curves(lat, lon, given or {}, [plain] * len(self.members))

    def with_curves(
        self,
        lat: NDArray[np.float64],
        lon: NDArray[np.float64],
        given: Mapping[str, NDArray[np.float64]],
        curves: Sequence[NDArray[np.int64]],
    ) -> NDArray[np.float32]:
        """The same with other curves: one array ``(N,)`` of their numbers a member."""
        for name in given:
            if name not in self.names:
                raise UsageError(
                    f"no member knows an environment column '{name}'; they have: "
                    f"{', '.join(self.names) or 'none'}.{closest(name, self.names)}"
                )
        blocks = []
        for one, number in zip(self.members, curves, strict=True):
            if one is not None:
                own = {name: values for name, values in given.items() if name in one.names}
                blocks.append(one.encoded(lat, lon, own))
            blocks.append(number[:, None].astype(np.float32))
        return np.concatenate(blocks, axis=1)
