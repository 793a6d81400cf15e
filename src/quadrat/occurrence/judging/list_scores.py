"""How right lists are that are cut at the species' own thresholds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from quadrat.occurrence.labels.matrix import LabelMatrix

_CHUNK_VALUES = 16_000_000
"""Logits that are held at a time."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Lists:
    """Lengths of lists and how much of them is right, by sample or by species.

    Args:
        hits: Species on the list that were seen.
        predicted: Species on the list.
        positives: Species that were seen.
    """

    hits: Array
    predicted: Array
    positives: Array

    def each(self) -> dict[str, Array]:
        """F1, precision and recall of each; NaN where they are not defined."""
        with np.errstate(invalid="ignore", divide="ignore"):
            found = {
                "f1": 2 * self.hits / (self.predicted + self.positives),
                "precision": self.hits / self.predicted,
                "recall": self.hits / self.positives,
            }
        return found | {"f1": np.where(self.positives > 0, found["f1"], np.nan)}

    def ratios(self) -> dict[str, tuple[Array, Array]]:
        """Scores of lists of samples as the two terms of each sample."""
        some = (self.positives > 0).astype(np.float64)
        share = some * self.predicted / np.maximum(self.positives, 1)
        return {
            "f1_threshold": (2 * self.hits, self.predicted + self.positives),
            "precision_threshold": (self.hits, self.predicted),
            "recall_threshold": (self.hits, self.positives),
            "list_ratio_threshold": (share, some),
            "mean_list_length_threshold": (self.predicted, np.ones_like(self.predicted)),
        }


def list_scores(by_sample: Lists, by_species: Lists) -> dict[str, float]:
    """Scores over all samples, and means over the species that were seen."""
    found = {
        name: float(above.sum() / under.sum()) if under.sum() else math.nan
        for name, (above, under) in by_sample.ratios().items()
    }
    for name, values in by_species.each().items():
        known = values[~np.isnan(values)]
        found[f"macro_{name}_threshold"] = float(known.mean()) if known.size else math.nan
    return found


def cut_lists(
    logits: Callable[[slice], Tensor],
    labels: LabelMatrix,
    cuts: NDArray[np.float32],
    part: NDArray[np.int64],
) -> tuple[Lists, Lists]:
    """Cuts the lists of all samples.

    Args:
        logits: Gives the logits of some species in every sample ``(N, columns)``.
        labels: What was seen ``(N, S)``.
        cuts: The logit from which a species is on the list ``(parts, S)``.
        part: Which of these each sample takes ``(N,)``.

    Returns:
        By sample ``(N,)`` and by species ``(S,)``.
    """
    count, species = len(labels), labels.columns
    order = np.argsort(labels.indices, kind="stable")
    rows, columns = labels.row_of_positives()[order], labels.indices[order]
    bounds = np.concatenate([[0], np.cumsum(labels.counts())])
    in_sample, hit = np.zeros(count), np.zeros(len(rows), dtype=bool)
    of_species = np.zeros(species)
    width = max(1, _CHUNK_VALUES // max(1, count))
    for first in range(0, species, width):
        last = min(species, first + width)
        listed = logits(slice(first, last)).float().cpu().numpy() >= cuts[part, first:last]
        in_sample += listed.sum(axis=1)
        of_species[first:last] = listed.sum(axis=0)
        chosen = slice(bounds[first], bounds[last])
        hit[chosen] = listed[rows[chosen], columns[chosen] - first]
    hits = (
        np.bincount(which[hit], minlength=n) for which, n in ((rows, count), (columns, species))
    )
    by_sample, by_species = (values.astype(np.float64) for values in hits)
    positives = labels.lengths().astype(np.float64), labels.counts().astype(np.float64)
    return (
        Lists(by_sample, in_sample, positives[0]),
        Lists(by_species, of_species, positives[1]),
    )
