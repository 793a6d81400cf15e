"""Weights of species networks, fitted to validation cells by likelihood.

A weighted mean of probabilities is a mixture: ``p = Σ w_k p_k``. The weights with the greatest
likelihood of what was seen are found by expectation and maximisation (Dempster, Laird and Rubin
1977, Journal of the Royal Statistical Society B 39, 1-38): ``w_k ← w_k · mean(L_k / Σ w L)``, where
``L_k`` is what member k says of a pair of sample and species: ``p_k`` where it was seen, else
``1 - p_k``. Every step raises the likelihood, and no weight becomes negative.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from quadrat.ensemble.species.pooling import SpeciesPool
from quadrat.occurrence.judging.features import all_features, judged_batches
from quadrat.occurrence.samples.dataset import SampleSet

_PAIRS = 20_000_000
"""Pairs of sample and species that weights are fitted to, at most."""
_STEPS = 1000
_SETTLED = 1e-7

Array = NDArray[np.float64]


def fit_shares(likelihoods: NDArray[np.floating]) -> Array:
    """The weights of a mixture with the greatest likelihood.

    Args:
        likelihoods: What each member says of what was seen ``(M, N)``, none of them all 0.

    Returns:
        ``(M,)``, not negative, summing to one.
    """
    shares = np.full(len(likelihoods), 1.0 / len(likelihoods))
    for _ in range(_STEPS):
        mixed = shares @ likelihoods
        moved = shares * (likelihoods @ (1.0 / mixed)) / likelihoods.shape[1]
        settled = np.abs(moved - shares).max() < _SETTLED
        shares = moved / moved.sum()
        if settled:
            break
    return np.asarray(shares, dtype=np.float64)


@torch.inference_mode()
def likelihoods(
    pool: SpeciesPool, samples: SampleSet, device: torch.device, seed: int
) -> NDArray[np.float32]:
    """What each member of a pool says of what was seen in some samples ``(M, N)``.

    Args:
        pool: The pool.
        samples: Validation samples, with the curves that answer them.
        device: Where to compute.
        seed: Of the samples that are drawn, where there are too many.
    """
    features = all_features(pool.to(device), judged_batches(samples, device))
    count, species = len(samples), samples.labels.columns
    drawn = np.arange(count)
    if count * species > _PAIRS:
        wanted = max(1, _PAIRS // species)
        drawn = np.sort(np.random.default_rng((seed, 5)).choice(count, wanted, replace=False))
    labels = samples.labels.rows(drawn)
    seen = np.zeros((len(drawn), species), dtype=bool)
    seen[labels.row_of_positives(), labels.indices] = True
    sign = torch.from_numpy(np.where(seen, np.float32(1), np.float32(-1))).to(device)
    each = pool.each_logits(features[torch.from_numpy(drawn).to(device)], slice(None))
    return np.stack([(logits * sign).sigmoid().cpu().numpy().ravel() for logits in each])
