"""Layers that speak of the environment, carried over to another scaling of the same columns.

A standardised value is ``z = (x − m) / s``. From one scaling to another it goes by
``z' = a z + b`` with ``a = s / s'`` and ``b = (m − m') / s'``, which linear layers can take up, so
that a network says the same before and after.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from quadrat.errors import RunError
from quadrat.occurrence.samples.environment import EnvironmentEncoder


@dataclass(frozen=True)
class Rescaling:
    """From the encoded environment of one encoder to that of another.

    Args:
        sources: For each new value the position of the old one, -1 where there is none ``(E',)``.
        slope: a ``(E',)``.
        shift: b ``(E',)``.
        lost: Names of old values that the new encoder lacks.
    """

    sources: Tensor
    slope: Tensor
    shift: Tensor
    lost: tuple[str, ...]

    @classmethod
    def between(cls, old: EnvironmentEncoder, new: EnvironmentEncoder) -> Rescaling:
        """The way from an old encoder to a new one."""
        before, after = list(_values(old)), list(_values(new))
        place = {name: n for n, (name, _, _) in enumerate(before)}
        sources, slope, shift = [], [], []
        for name, mean, sd in after:
            sources.append(place.get(name, -1))
            _, old_mean, old_sd = before[place[name]] if name in place else (name, mean, sd)
            slope.append(old_sd / sd)
            shift.append((old_mean - mean) / sd)
        names = {name for name, _, _ in after}
        lost = tuple(name for name, _, _ in before if name not in names)
        return cls(torch.tensor(sources), torch.tensor(slope), torch.tensor(shift), lost)

    def outputs(self, weight: Tensor, bias: Tensor, old: tuple[Tensor, Tensor]) -> None:
        """Fills a layer that predicts the new values ``(E', ·)`` from one for the old ones."""
        known = self.sources >= 0
        rows = self.sources[known]
        weight[known] = old[0][rows] * self.slope[known, None]
        bias[known] = old[1][rows] * self.slope[known] + self.shift[known]

    def told(
        self,
        weight: Tensor,
        bias: Tensor,
        old: tuple[Tensor, Tensor],
        positions: tuple[Sequence[int], Sequence[int]],
    ) -> None:
        """Fills the first layer of a network that is told some of the environment.

        Its last inputs are the values, zero where unknown, and marks of what is known, which take
        the shift.

        Args:
            weight: Of the new layer ``(·, P + 2 I)``.
            bias: Of the new layer.
            old: The old layer.
            positions: Where the I values are among the old and the new encoded ones.
        """
        before, after = (torch.tensor(list(places)) for places in positions)
        if weight.shape != old[0].shape or not torch.equal(self.sources[after], before):
            raise RunError(
                "the run to start from reads other environment (network.environment_input) than "
                "the table gives. Give a table with the same environment columns and classes."
            )
        count = len(after)
        values, marks = slice(-2 * count, -count), slice(-count, None)
        weight.copy_(old[0])
        bias.copy_(old[1])
        weight[:, values] = old[0][:, values] / self.slope[after]
        weight[:, marks] -= weight[:, values] * self.shift[after]

    def inputs(self, weight: Tensor, bias: Tensor, old: tuple[Tensor, Tensor]) -> None:
        """Fills a layer that reads the new values ``(·, E')`` from one that read the old ones."""
        if self.lost:
            raise RunError(
                "the run to start from has a habitat head that reads environment which the table "
                f"lacks: {', '.join(self.lost)}. Give a table with the same environment columns."
            )
        known = self.sources >= 0
        read = old[0][:, self.sources[known]] / self.slope[known]
        weight.zero_()
        weight[:, known] = read
        bias.copy_(old[1] - read @ self.shift[known])


def _values(encoder: EnvironmentEncoder) -> Iterator[tuple[str, float, float]]:
    """Name, mean and spread of every encoded value."""
    for column in encoder.columns:
        if column.kind == "class":
            for value in column.classes:
                yield f"{column.name} = {value:g}", 0.0, 1.0
        else:
            yield column.name, column.mean, column.sd
