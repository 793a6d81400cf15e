"""Batch-norm statistics that fit averaged weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from quadrat.engine.backend import Backend
from quadrat.engine.batches import Batches

BatchNorm = nn.modules.batchnorm._BatchNorm


def batch_norms(module: nn.Module) -> list[BatchNorm]:
    """The batch norms of a module that follow its training; frozen ones stay in evaluation mode."""
    was_training = module.training
    module.train()
    found = [
        part
        for part in module.modules()
        if isinstance(part, BatchNorm) and part.training and part.track_running_stats
    ]
    module.train(was_training)
    return found


@torch.no_grad()
def reestimate_statistics(
    module: nn.Module, batches: Batches[Any], epoch: int, *, backend: Backend
) -> None:
    """Measures means and variances of the batch norms anew, over the batches of an epoch.

    Averaged weights have activations that none of the averaged states had, so the mean of their
    statistics is wrong (Izmailov et al. 2018, section 3.2). Only the batch norms are in training
    mode, with a cumulative mean over the batches; the rest is as it will answer, so nothing is
    drawn at random. A module without batch norms is left alone. Afterwards it is in evaluation
    mode.

    Args:
        module: With its final weights, on the backend's device.
        batches: The training batches.
        epoch: Which epoch's batches.
        backend: Device, precision and processes; each process looks at its share.
    """
    norms = batch_norms(module)
    module.eval()
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    with backend.autocast():
        for batch in batches.epoch(epoch):
            module(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        for statistic in (norm.running_mean, norm.running_var):
            if statistic is not None:
                statistic.copy_(backend.mean(statistic))
    module.eval()
