"""Scores of normal predictions and of intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]


def crps_normal(mean: ArrayLike, sigma: ArrayLike, truth: ArrayLike) -> Array:
    """The continuous ranked probability score of N(mean, sigma²); lower is better.

    ``s (z (2Φ(z) - 1) + 2φ(z) - 1/√π)`` with ``z = (y - m) / s``; at s = 0 it is |y - m|.
    Gneiting & Raftery (2007), "Strictly proper scoring rules, prediction, and estimation", JASA
    102, 359-378.

    Args:
        mean: m, any shape.
        sigma: s ≥ 0, the same shape.
        truth: y, the same shape; NaN gives NaN.
    """
    m, s, y = (np.asarray(values, dtype=np.float64) for values in (mean, sigma, truth))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        z = (y - m) / s
        density = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
        score = s * (z * (2.0 * ndtr(z) - 1.0) + 2.0 * density - 1.0 / np.sqrt(np.pi))
    return np.asarray(np.where(s > 0.0, score, np.abs(y - m)))


def inside(lower: ArrayLike, upper: ArrayLike, truth: ArrayLike) -> Array:
    """1 where the truth lies in its interval (ends included), 0 where not, NaN where unknown."""
    low, high, y = (np.asarray(values, dtype=np.float64) for values in (lower, upper, truth))
    return np.asarray(np.where(np.isnan(y), np.nan, (low <= y) & (y <= high)))


def crps_skill(crps: float, climatology: float) -> float:
    """``1 - CRPS / CRPS of the climatology``: 1 is perfect, 0 as good as knowing the past."""
    return 1.0 - crps / climatology if climatology > 0.0 else float("nan")
