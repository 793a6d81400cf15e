"""Weights of species networks, fitted to validation cells by likelihood.

A weighted mean of probabilities is a mixture: ``p = Σ w_k p_k``. The weights with the greatest
likelihood of what was seen minimise ``-mean(log Σ w_k L_k)``, where ``L_k`` is what member k says
of a pair of sample and species: ``p_k`` where it was seen, else ``1 - p_k``. That is convex, and
sequential least squares (Kraft 1988, "A software package for sequential quadratic programming",
DFVLR-FB 88-28) need few steps, also where members are alike; expectation and maximisation need
thousands there.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from quadrat.ensemble.species.pooling import SpeciesPool
from quadrat.occurrence.judging.features import all_features, judged_batches
from quadrat.occurrence.samples.dataset import SampleSet

_PAIRS = 20_000_000
"""Pairs of sample and species that weights are fitted to, at most."""
_CHUNK = 1_000_000
"""Pairs that are in double precision at a time."""
_SETTLED = 1e-12
"""Change of the mean log likelihood that ends the search."""
_LEAST = float(np.finfo(np.float32).tiny)
"""Smallest likelihood of a pair; one of 0 has no logarithm."""

Array = NDArray[np.float64]


def fit_shares(likelihoods: NDArray[np.floating]) -> Array:
    """The weights of a mixture with the greatest likelihood.

    Args:
        likelihoods: What each member says of what was seen ``(M, N)``.

    Returns:
        ``(M,)``, not negative, summing to one.
    """
    members = len(likelihoods)
    found = minimize(
        partial(_loss, likelihoods=likelihoods),
        np.full(members, 1.0 / members),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * members,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0, "jac": np.ones_like},
        options={"ftol": _SETTLED},
    )
    shares = np.clip(found.x, 0.0, None)
    return np.asarray(shares / shares.sum(), dtype=np.float64)


def _loss(shares: Array, likelihoods: NDArray[np.floating]) -> tuple[float, Array]:
    """The mean negative log likelihood, and its gradient ``(M,)``."""
    count = likelihoods.shape[1]
    total, slope = 0.0, np.zeros(len(shares))
    for start in range(0, count, _CHUNK):
        chunk = likelihoods[:, start : start + _CHUNK].astype(np.float64)
        mixed = np.maximum(shares @ chunk, _LEAST)
        total -= float(np.log(mixed).sum())
        slope -= chunk @ (1.0 / mixed)
    return total / count, slope / count


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
