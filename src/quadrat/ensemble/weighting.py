"""Weights of members, fitted to predictions of samples that the members had not seen.

A weighting that is not negative and sums to one cannot do much worse than the members, which free
least squares can (Breiman 1996, "Stacked regressions", Machine Learning 24, 49-64).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

Array = NDArray[np.float64]


def fit_weights(means: Array, truth: Array, allowed: NDArray[np.bool_]) -> Array:
    """The weights with the least squared error, not negative and summing to one a target.

    With ``Σ w = 1`` the error of the mixture is ``E w``, where a column of E holds the errors of a
    member. The v ≥ 0 that minimises ``‖E v‖² + (1 - Σ v)²`` points the same way as the best w: for
    ``v = s w`` the best s gives ``g / (1 + g)`` with ``g = ‖E w‖²``, which grows with g.

    Args:
        means: Out-of-fold predictions of the members ``(M, N, T)``.
        truth: ``(N, T)``, NaN where unknown.
        allowed: Which members answer for which targets ``(M, T)``, at least one for each.

    Returns:
        ``(M, T)``; equal ones for a target that is nowhere known.
    """
    weights: Array = allowed / allowed.sum(axis=0)
    for target in range(truth.shape[1]):
        known = ~np.isnan(truth[:, target])
        members = np.flatnonzero(allowed[:, target])
        errors = (means[members][:, known, target] - truth[known, target]).T
        size = np.sqrt(np.square(errors).mean()) if errors.size else 0.0
        if size > 0.0:
            scaled = errors / (size * np.sqrt(len(errors)))
            system = np.vstack([scaled, np.ones(len(members))])
            found, _ = nnls(system, np.append(np.zeros(len(errors)), 1.0))
            weights[members, target] = found / found.sum()
    return weights


def nested_weights(
    means: Array,
    truth: Array,
    allowed: NDArray[np.bool_],
    folds: NDArray[np.int64],
    groups: NDArray[np.str_],
) -> dict[int, Array]:
    """The weights for every fold, fitted without its groups.

    A score of weights that were fitted to the scored samples would flatter. Groups and not folds
    are left out, so that another drawing of the folds (``split.repeats``) does not bring the same
    samples back.

    Args:
        means: As in `fit_weights`.
        truth: As in `fit_weights`.
        allowed: As in `fit_weights`.
        folds: Fold of every row ``(N,)``.
        groups: Group of every row ``(N,)``.

    Returns:
        Fold → weights ``(M, T)``. A fold whose groups are all that there are gets equal weights.
    """
    found = {}
    for fold in np.unique(folds).tolist():
        rest = ~np.isin(groups, groups[folds == fold])
        found[int(fold)] = fit_weights(means[:, rest], truth[rest], allowed)
    return found
