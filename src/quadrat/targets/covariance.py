"""The covariance of prediction errors between targets, safe to invert."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadrat.errors import DataError

LEAST_SHRINKAGE = 1e-3
"""Errors of targets that add up exactly are singular; so much shrinkage is always done."""


def error_covariance(errors: ArrayLike) -> NDArray[np.float64]:
    """The covariance of errors, its correlations shrunk towards zero.

    ``r*_ij = (1 - λ) r_ij`` with ``λ = Σ Var(r_ij) / Σ r_ij²`` over i ≠ j, cut to [0.001, 1]:
    Schäfer & Strimmer (2005), "A shrinkage approach to large-scale covariance matrix estimation",
    Statistical Applications in Genetics and Molecular Biology 4, 32; the estimator that MinT
    reconciliation recommends. Errors are not centred: a bias is an error too.

    Args:
        errors: Truth minus prediction ``(N, T)``, out of fold. Rows with a NaN are left out.

    Returns:
        Σ, ``(T, T)``, positive definite.

    Raises:
        DataError: Fewer than three complete rows, or a target without any error.
    """
    table = np.asarray(errors, dtype=np.float64)
    table = table[np.isfinite(table).all(axis=1)]
    count = len(table)
    if count < 3:
        raise DataError(f"an error covariance needs three complete rows, there are {count}")
    sd = np.sqrt((table**2).mean(axis=0))
    if not (sd > 0.0).all():
        raise DataError("an error covariance needs errors, but a target is predicted exactly")
    unit = table / sd
    correlation = unit.T @ unit / count
    # Var(r_ij) = n / (n - 1)³ Σ_k (w_kij - w̄_ij)², with w_kij = unit_ki unit_kj
    squares = (unit**2).T @ unit**2 - count * correlation**2
    variance = count / (count - 1) ** 3 * squares
    off = ~np.eye(len(sd), dtype=bool)
    total = (correlation[off] ** 2).sum()
    shrinkage = float(np.clip(variance[off].sum() / total, LEAST_SHRINKAGE, 1.0)) if total else 1.0
    correlation[off] *= 1.0 - shrinkage
    np.fill_diagonal(correlation, 1.0)
    covariance: NDArray[np.float64] = correlation * np.outer(sd, sd)
    return covariance
