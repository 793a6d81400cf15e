"""How well species are told apart over sites, where labels may be unknown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quadrat.occurrence.judging.species_scores import score_one
from quadrat.occurrence.points.sites import Labels

Floats = NDArray[np.float64]
Answers = NDArray[np.float32]


@dataclass(frozen=True)
class SpeciesScores:
    """Scores of every species.

    Args:
        ap: Average precision ``(S,)``, NaN where it is not defined.
        auc: Area under the ROC curve ``(S,)``, likewise.
        brier: Mean squared difference of answer and label ``(S,)``, likewise.
    """

    ap: Floats
    auc: Floats
    brier: Floats

    def macro(self) -> dict[str, float]:
        """Means over the species in which each is defined, by name."""
        found = {"macro_auc": self.auc, "macro_ap": self.ap, "brier": self.brier}
        return {name: _mean(values) for name, values in found.items()}


def species_scores(answers: Answers, labels: Labels) -> SpeciesScores:
    """Scores over the sites where each species' label is known.

    Args:
        answers: ``(N, S)``, higher where the species is more likely.
        labels: 1, 0, or NaN where unknown ``(N, S)``.
    """
    ap, auc, brier = np.full((3, labels.shape[1]), np.nan)
    for column in range(labels.shape[1]):
        known = ~np.isnan(labels[:, column])
        truth, values = labels[known, column], np.ascontiguousarray(answers[known, column])
        seen = np.flatnonzero(truth > 0)
        if 0 < len(seen) < len(truth):
            ap[column], auc[column] = score_one(values, seen)
        if len(truth):
            brier[column] = np.square(values.astype(np.float64) - truth).mean()
    return SpeciesScores(ap, auc, brier)


def scores_over_folds(
    answers: Answers, labels: Labels, fold: NDArray[np.int64]
) -> tuple[SpeciesScores, list[dict[str, float]]]:
    """Scores where every fold was answered by a model of its own.

    Answers of different models are never ranked together: a species' score is the mean of its
    scores in the folds, each weighted by the number of its presences there.

    Args:
        answers: ``(N, S)``.
        labels: ``(N, S)``.
        fold: The fold that held each site out ``(N,)``.

    Returns:
        The species' scores, and the macro scores of each fold.
    """
    parts, weights = [], []
    for number in range(int(fold.max()) + 1):
        rows = fold == number
        parts.append(species_scores(answers[rows], labels[rows]))
        weights.append((labels[rows] > 0).sum(axis=0))
    weight = np.stack(weights).astype(np.float64)
    joined = {
        name: _weighted(np.stack([getattr(part, name) for part in parts]), weight)
        for name in ("ap", "auc", "brier")
    }
    return SpeciesScores(**joined), [part.macro() for part in parts]


def _weighted(values: Floats, weight: Floats) -> Floats:
    """Means over the first axis of what is not NaN."""
    weight = np.where(np.isnan(values), 0.0, weight)
    total = weight.sum(axis=0)
    sums = (np.nan_to_num(values) * weight).sum(axis=0)
    means: Floats = np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0)
    return means


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
