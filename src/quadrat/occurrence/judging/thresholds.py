"""From which probability on a species counts as present: a threshold of its own.

Each threshold gives a species an F1 and a recall on validation samples. These curves of F1 or
recall over the threshold are mixed with the mean curve of all species: a species with n positives
has the weight ``n / (n + κ)`` in its mixture. The threshold has the best mixed F1, or is the
highest that reaches the wanted recall; a species without positives is cut where the mean is best.
κ is chosen on folds of blocks that were left out: for F1 by the mean F1 of species, for a recall by
the quantile loss of the logits of positives.

The mean curve of recall is flatter than that of most species, so mixing with it finds more than is
wanted of species with many positives; mixing thresholds instead finds less of those with few.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from quadrat.occurrence.judging.logit_counts import EDGES, STEPS, LogitCounts

Array = NDArray[np.float64]
Steps = NDArray[np.int64]

STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, math.inf)
"""Positives that the mean curve may be worth."""


@dataclass(frozen=True)
class Aim:
    """What thresholds are for.

    Args:
        kind: ``"f1"`` or ``"recall"``.
        recall: The share of occurrences to find.
    """

    kind: Literal["f1", "recall"]
    recall: float = 0.9


def fit_thresholds(counts: LogitCounts, aim: Aim, strength: float) -> Steps:
    """The step from which each species counts as present ``(S,)``.

    Args:
        counts: Of calibrated logits ``(S, K)``.
        aim: What the thresholds are for.
        strength: κ, how many positives the mean curve is worth.
    """
    lists = _Lists.of(counts)
    positives = lists.positives[:, 0]
    known = positives > 0
    if not known.any():
        return np.full(len(positives), STEPS - 1)
    own = lists.f1() if aim.kind == "f1" else lists.recall()
    weight = positives / (positives + strength)
    weight = weight[:, None]
    mixed = weight * own + (1 - weight) * own[known].mean(axis=0)
    if aim.kind == "f1":
        return np.asarray(mixed.argmax(axis=1))
    # Recall only falls with the step; rounding must not lose one that is just reached.
    return np.asarray((mixed >= aim.recall - 1e-9).sum(axis=1) - 1)


def choose_strength(fitted_on: list[LogitCounts], left_out: list[LogitCounts], aim: Aim) -> float:
    """The strength whose thresholds are best on folds that were left out.

    Args:
        fitted_on: For each fold, the calibrated counts of all others ``(S, K)``.
        left_out: The calibrated counts of each fold ``(S, K)``.
        aim: What the thresholds are for.
    """
    losses = []
    for strength in STRENGTHS:
        cuts = [fit_thresholds(counts, aim, strength) for counts in fitted_on]
        losses.append(_loss(left_out, cuts, aim))
    return STRENGTHS[int(np.argmin(losses))]


@dataclass(frozen=True)
class _Lists:
    """What lists hold that are cut at each step ``(S, K)``, and the number of positives."""

    hits: Array
    predicted: Array
    positives: Array

    @classmethod
    def of(cls, counts: LogitCounts) -> _Lists:
        hits, predicted = (
            np.cumsum(values[:, ::-1].astype(np.float64), axis=1)[:, ::-1]
            for values in (counts.seen, counts.samples)
        )
        return cls(hits, predicted, hits[:, :1])

    def f1(self) -> Array:
        return 2 * self.hits / np.maximum(self.predicted + self.positives, 1)

    def recall(self) -> Array:
        return self.hits / np.maximum(self.positives, 1)


def _loss(left_out: list[LogitCounts], cuts: list[Steps], aim: Aim) -> float:
    if aim.kind == "recall":
        pairs = zip(left_out, cuts, strict=True)
        return sum(_quantile_loss(counts, cut, 1 - aim.recall) for counts, cut in pairs)
    hits, sizes = (np.zeros(len(cuts[0])) for _ in range(2))
    for counts, cut in zip(left_out, cuts, strict=True):
        lists, at = _Lists.of(counts), (np.arange(len(cut)), cut)
        hits += 2 * lists.hits[at]
        sizes += lists.predicted[at] + lists.positives[:, 0]
    return -float(np.mean(hits / np.maximum(sizes, 1)))


def _quantile_loss(counts: LogitCounts, cut: Steps, level: float) -> float:
    """``Σ (level - [z < q]) (z - q)`` over the logits of positives (Koenker & Bassett 1978)."""
    beyond = EDGES - EDGES[cut][:, None]
    return float((counts.seen * np.where(beyond < 0, level - 1, level) * beyond).sum())
