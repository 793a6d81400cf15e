"""Scoring a module on batches."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from quadrat.engine.backend import Backend
from quadrat.engine.batches import Batches
from quadrat.engine.objective import Evaluator


def evaluate(
    module: nn.Module, batches: Batches[Any], evaluator: Evaluator, *, backend: Backend
) -> dict[str, float]:
    """Scores a module on batches, in evaluation mode and without gradients."""
    was_training = module.training
    module.eval()
    try:
        with torch.inference_mode(), backend.autocast():
            for batch in batches.epoch(0):
                evaluator.update(batch, module(batch))
    finally:
        module.train(was_training)
    return evaluator.compute()
