"""Parts of a module that begin to learn some epochs later than the rest."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from quadrat.engine.optimiser import ParameterGroup
from quadrat.engine.statistics import BatchNorm


class Freezing:
    """Switches the learning of parameter groups, from the number of the epoch alone.

    A frozen parameter has no gradient, so the optimiser leaves it and its moments as they are, and
    it does not decay. A batch norm whose weight is frozen answers with its running statistics and
    does not move them; one without a weight belongs to no group and is not frozen.

    Args:
        module: The module that is trained.
        groups: Its parameter groups.

    Raises:
        ValueError: Nothing would learn in the first epoch.
    """

    def __init__(self, module: nn.Module, groups: Sequence[ParameterGroup]) -> None:
        self.groups = [group for group in groups if group.frozen_epochs > 0]
        if groups and len(self.groups) == len(groups):
            raise ValueError("every parameter group is frozen in the first epoch")
        self.norms = [part for part in module.modules() if isinstance(part, BatchNorm)]

    def begin_epoch(self, epoch: int) -> None:
        """Sets what learns in an epoch (from 0); the module must be in training mode."""
        frozen: set[int] = set()
        for group in self.groups:
            learns = epoch >= group.frozen_epochs
            for parameter in group.parameters:
                parameter.requires_grad_(learns)
            if not learns:
                frozen |= {id(parameter) for parameter in group.parameters}
        for norm in self.norms:
            if id(norm.weight) in frozen:
                norm.eval()

    def end(self) -> None:
        """Lets everything learn again, as it was before the training."""
        for group in self.groups:
            for parameter in group.parameters:
                parameter.requires_grad_(True)
