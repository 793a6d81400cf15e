"""How well each single species is told apart: average precision and AUC over samples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from quadrat.occurrence.labels.matrix import LabelMatrix
from quadrat.scoring.bootstrap import Resampling

_CHUNK_VALUES = 32_000_000
"""Logits that are held at a time."""


RESAMPLES = 200
"""Resamples of the means over species at most: each ranks all samples of every species again."""


class MeansOverSpecies:
    """The mean AP and AUC over species in resamples of groups, species by species.

    A species counts in the resamples in which its score is defined.

    Args:
        resampling: Of the judged samples.
    """

    def __init__(self, resampling: Resampling) -> None:
        self.resampling = resampling.first(RESAMPLES)
        self._sums, self._known = np.zeros((2, 2, len(self.resampling.draws)))

    def add(self, values: NDArray[np.float32], seen: NDArray[np.int64]) -> None:
        """Takes a species in: its logits ``(N,)`` and the samples it was seen in."""
        found = np.array(self.resampling.ap_auc(values, seen))
        known = ~np.isnan(found)
        self._sums += np.where(known, found, 0)
        self._known += known

    def drawn(self) -> dict[str, NDArray[np.float64]]:
        """The means in every resample ``(R,)``."""
        with np.errstate(invalid="ignore"):
            ap, auc = self._sums / self._known
        return {"macro_ap": ap, "macro_auc": auc}


def species_scores(
    logits: Callable[[slice], Tensor], labels: LabelMatrix, means: MeansOverSpecies | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average precision and area under the ROC curve of every species, exactly.

    Some species at a time over all samples: samples × species are never held.

    Args:
        logits: Gives the logits of some species in every sample ``(N, columns)``.
        labels: What was seen ``(N, S)``.
        means: Takes every species in, for intervals.

    Returns:
        AP and AUC ``(S,)``; NaN for a species never seen, and AUC for one seen everywhere. Tied
        samples count half in the AUC, and against the model in the AP.
    """
    count, species = len(labels), labels.columns
    order = np.argsort(labels.indices, kind="stable")
    rows = labels.row_of_positives()[order]
    bounds = np.concatenate([[0], np.cumsum(labels.counts())])
    ap, auc = np.full(species, np.nan), np.full(species, np.nan)
    chunk = max(1, _CHUNK_VALUES // max(1, count))
    for first in range(0, species, chunk):
        columns = slice(first, min(species, first + chunk))
        table = np.ascontiguousarray(logits(columns).float().cpu().numpy().T)
        for column, values in enumerate(table, start=first):
            seen = rows[bounds[column] : bounds[column + 1]]
            if len(seen):
                ap[column], auc[column] = score_one(values, seen)
                if means is not None:
                    means.add(values, seen)
    return ap, auc


def score_one(values: NDArray[np.float32], seen: NDArray[np.int64]) -> tuple[float, float]:
    """AP and AUC of one species from its logits ``(N,)`` and the samples it was seen in."""
    ordered, positives = np.sort(values), np.sort(values[seen])
    below = np.searchsorted(ordered, positives, side="left")
    not_above = np.searchsorted(ordered, positives, side="right")
    precision = (len(seen) - np.searchsorted(positives, positives)) / (len(values) - below)
    absent = len(values) - len(seen)
    # Samples below and half of the tied ones, less those that are positives themselves.
    beaten = (below + not_above).sum() / 2 - len(seen) ** 2 / 2
    return float(precision.mean()), float(beaten / (absent * len(seen))) if absent else np.nan
