"""Average precision and AUC of one ranking under many weightings of its samples at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def weighted_ap_auc(
    scores: NDArray[np.floating], truth: NDArray[np.bool_], weights: Array
) -> tuple[Array, Array]:
    """AP and AUC with weighted samples, tied scores together, as in scikit-learn.

    Args:
        scores: ``(N,)``.
        truth: ``(N,)``.
        weights: How often each sample counts, in each of R resamples ``(R, N)``.

    Returns:
        AP and AUC ``(R,)``; NaN where a resample has no positive (for the AUC, or no negative).
    """
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.inf) != 0)
    w, y = weights[:, order], truth[order].astype(np.float64)
    hits = np.add.reduceat(w * y, starts, axis=1)
    listed = np.add.reduceat(w, starts, axis=1)
    hits_so_far, listed_so_far = hits.cumsum(axis=1), listed.cumsum(axis=1)
    positives, total = hits_so_far[:, -1], listed_so_far[:, -1]
    absent = listed - hits
    absent_so_far = listed_so_far - hits_so_far
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(listed_so_far > 0, hits_so_far / listed_so_far, 0.0)
        ap = (hits * precision).sum(axis=1) / positives
        beaten = (total - positives)[:, None] - absent_so_far + absent / 2
        auc = (hits * beaten).sum(axis=1) / (positives * (total - positives))
    return ap, auc
