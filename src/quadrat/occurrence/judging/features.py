"""What a network makes of many samples, before it speaks of species."""

from __future__ import annotations

import torch
from torch import Tensor

from quadrat.occurrence.network.species_network import SpeciesModel
from quadrat.occurrence.samples.batches import SampleBatches
from quadrat.occurrence.samples.dataset import SampleSet

BATCH = 2048
"""Samples that go through a network at a time."""


def judged_batches(samples: SampleSet, device: torch.device) -> SampleBatches:
    """The batches of samples that are judged, in order."""
    return SampleBatches(samples, BATCH, device=device, seed=0, shuffle=False)


@torch.inference_mode()
def all_features(network: SpeciesModel, batches: SampleBatches) -> Tensor:
    """The features of every sample ``(N, F)``: of these the logits of any species are cheap."""
    network.eval()
    return torch.cat(
        [
            network.features(batch.position, batch.week, batch.environment)
            for batch in batches.epoch(0)
        ]
    )
