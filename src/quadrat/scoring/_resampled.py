"""Average precision and AUC of one ranking under many weightings of its samples at once.

Where whole groups are drawn, a weighting is one number a group. The samples between two positives
of a ranking then enter as counts by group, so that samples × resamples are never held.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_HELD = 4_000_000
"""Positives × resamples that are held at a time."""


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


def grouped_ap_auc(
    scores: NDArray[np.floating], seen: Ints, groups: Ints, taken: Floats
) -> tuple[Array, Array]:
    """The same where whole groups of samples are drawn.

    Args:
        scores: ``(N,)``.
        seen: The samples that are positives ``(P,)``, at least one.
        groups: Group of every sample ``(N,)``, from 0.
        taken: How often each of R resamples takes each of G groups ``(G, R)``.

    Returns:
        AP and AUC ``(R,)``; NaN where a resample has no positive (for the AUC, or no negative).
    """
    ranking = _Ranking.of(scores, seen, groups, len(taken))
    width = max(1, _HELD // len(seen))
    parts = [
        ranking.scores(taken[:, start : start + width]) for start in range(0, taken.shape[1], width)
    ]
    ap, auc = zip(*parts, strict=True)
    return np.concatenate(ap), np.concatenate(auc)


@dataclass(frozen=True)
class _Ranking:
    """A ranking as its positives see it, the highest first.

    Args:
        group: Group of each positive ``(P,)``.
        last: The last positive with its score ``(P,)``.
        listed: Samples by group with its score or a higher one ``(P, G)``.
        tied: Those of them with its very score; None where nothing is tied.
        size: Samples by group ``(G,)``.
    """

    group: Ints
    last: Ints
    listed: Floats
    tied: Floats | None
    size: Floats

    @classmethod
    def of(cls, scores: NDArray[np.floating], seen: Ints, groups: Ints, count: int) -> _Ranking:
        own, size = scores[seen], np.bincount(groups, minlength=count).astype(np.float32)
        seen = seen[np.argsort(-own, kind="stable")]
        # What is below all positives enters by its number alone.
        near = np.flatnonzero(scores >= own.min())
        near = near[np.argsort(-scores[near])]
        falling, own, group = -scores[near], -scores[seen], groups[near]
        above, up_to = (np.searchsorted(falling, own, side=side) for side in ("left", "right"))
        listed = _counts_up_to(group, up_to, count)
        tied = None
        if (up_to - above > 1).any():
            tied = listed - _counts_up_to(group, above, count)
        last = np.searchsorted(own, own, side="right") - 1
        return cls(groups[seen], last, listed, tied, size)

    def scores(self, taken: Floats) -> tuple[Array, Array]:
        """AP and AUC in some resamples ``(G, R)``."""
        weight = taken[self.group]
        hits = weight.cumsum(axis=0)
        positives, total = hits[-1].astype(np.float64), (self.size @ taken).astype(np.float64)
        listed = self.listed @ taken
        tied = weight if self.tied is None else self.tied @ taken
        absent = total - positives
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.where(listed > 0, hits[self.last] / listed, 0)
            ap = (weight * precision).sum(axis=0, dtype=np.float64) / positives
            # Samples below and half of the tied ones, less those that are positives themselves.
            passed = (weight * (listed - tied / 2)).sum(axis=0, dtype=np.float64)
            auc = ((total - positives / 2) * positives - passed) / (positives * absent)
        return ap, auc


def _counts_up_to(group: Ints, ends: Ints, count: int) -> Floats:
    """How many of the first samples belong to each group, for each of rising ends ``(P, G)``."""
    segment = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    keys = segment * count + group[: ends[-1]]
    counts = np.bincount(keys, minlength=len(ends) * count).reshape(len(ends), count)
    return counts.cumsum(axis=0).astype(np.float32)


def ratio(above: Array, under: Array) -> Array:
    """The quotient of two arrays, NaN where there is nothing to divide by."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(under > 0, above / under, np.nan)
