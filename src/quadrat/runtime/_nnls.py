"""Non-negative least squares for many right-hand sides that share one small matrix."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from quadrat.errors import QuadratError

Array = NDArray[np.float64]

ENUMERATED = 10
"""Up to so many unknowns every active set is tried (2^10 small solves); beyond, row by row."""
_TOLERANCE = 1e-13


def solve(gram: Array, moments: Array) -> Array:
    """Minimises ``½ zᵀ Q z - rᵀ z`` over ``z ≥ 0`` for every row ``r``.

    The minimiser is the only point that meets the Karush-Kuhn-Tucker conditions
    ``z ≥ 0, Qz - r ≥ 0, zᵀ(Qz - r) = 0``. Rows whose unconstrained solution is non-negative are
    done at once. For the others every active set is tried where there are at most ten unknowns,
    all rows together, and the set that meets the conditions best is kept: linear in the rounding,
    so ties between sets do no harm. Beyond that, Lawson & Hanson (1974, chapter 23) row by row.

    Args:
        gram: Q, ``(L, L)``, symmetric positive definite, with a diagonal of ones.
        moments: r, ``(N, L)``.

    Returns:
        z, ``(N, L)``.
    """
    scale = np.abs(moments).max(axis=1, initial=0.0, keepdims=True)
    scale[scale == 0.0] = 1.0
    unit = moments / scale
    found = np.linalg.solve(gram, unit.T).T
    open_rows = np.flatnonzero((found < 0.0).any(axis=1))
    if open_rows.size:
        if len(gram) <= ENUMERATED:
            found[open_rows] = _try_every_set(gram, unit[open_rows])
        else:
            found[open_rows] = [_lawson_hanson(gram, row) for row in unit[open_rows]]
    return np.asarray(np.maximum(found, 0.0) * scale)


def _try_every_set(gram: Array, moments: Array) -> Array:
    best = np.zeros_like(moments)
    least = np.maximum(moments.max(axis=1), 0.0)  # the violation of z = 0
    open_rows = np.flatnonzero(least > _TOLERANCE)
    for free in _free_sets(len(gram)):
        if not open_rows.size:
            break
        rows = moments[open_rows]
        trial = np.zeros_like(rows)
        trial[:, free] = np.linalg.solve(gram[np.ix_(free, free)], rows[:, free].T).T
        slope = rows - trial @ gram
        slope[:, free] = 0.0
        violation = np.maximum(slope.max(axis=1), -trial.min(axis=1))
        better = violation < least[open_rows]
        best[open_rows[better]] = trial[better]
        least[open_rows[better]] = violation[better]
        open_rows = open_rows[least[open_rows] > _TOLERANCE]
    return best


def _free_sets(count: int) -> list[list[int]]:
    """Sets of unknowns that may differ from zero, the largest (most often right) first."""
    return [
        list(free)
        for size in range(count - 1, 0, -1)
        for free in itertools.combinations(range(count), size)
    ]


def _lawson_hanson(gram: Array, moment: Array) -> Array:
    count = len(gram)
    z = np.zeros(count)
    free = np.zeros(count, dtype=bool)
    for _ in range(10 * count):
        slope = np.where(free, -np.inf, moment - gram @ z)
        entering = int(slope.argmax())
        if slope[entering] <= _TOLERANCE:
            return z
        free[entering] = True
        z = _inner_loop(gram, moment, z, free)
    raise QuadratError(
        "the projection did not converge: the covariance of the targets is close to singular.\n"
        "To mend it: use weights instead of a covariance, or shrink the covariance."
    )


def _inner_loop(gram: Array, moment: Array, z: Array, free: NDArray[np.bool_]) -> Array:
    """Moves to the solution on the free set, and drops unknowns that reach zero on the way."""
    while True:
        goal = np.zeros_like(z)
        goal[free] = np.linalg.solve(gram[np.ix_(free, free)], moment[free])
        blocking = free & (goal <= 0.0)
        if not blocking.any():
            return goal
        step = (z[blocking] / (z[blocking] - goal[blocking])).min()
        z = z + step * (goal - z)
        free &= z > _TOLERANCE
        z[~free] = 0.0
