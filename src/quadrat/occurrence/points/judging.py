"""The final scores of points: of the model, of each species, and of the baselines beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.experiment import ScoreSection
from quadrat.occurrence.judging.survey_tables import plain, reliability
from quadrat.occurrence.points.scores import (
    Answers,
    SpeciesScores,
    scores_over_folds,
)
from quadrat.occurrence.points.sites import Sites
from quadrat.occurrence.records.taxonomy import Vocabulary
from quadrat.scoring import Metrics, bootstrap_means

NO_SKILL, SIMPLE = "no_skill", "quadratic_logistic"


@dataclass(frozen=True)
class JudgedPoints:
    """What a run with points is judged by.

    Args:
        metrics: The object behind ``metrics.json``.
        species: One row a species: names, numbers of sites, scores.
        reliability: The object behind ``reliability.json``; None where answers are no
            probabilities.
    """

    metrics: Metrics
    species: pl.DataFrame
    reliability: dict[str, list[float]] | None


def judge(
    answers: Answers,
    sites: Sites,
    fold: NDArray[np.int64],
    *,
    vocabulary: Vocabulary,
    counts: NDArray[np.int64],
    groups: tuple[str, ...],
    baseline: Answers | None,
    score: ScoreSection,
    protocol: Mapping[str, Any],
    calibrated: bool,
    seed: int,
) -> JudgedPoints:
    """Scores answers for sites that the models have not learnt.

    Args:
        answers: Of the model ``(N, S)``.
        sites: The sites, with what is known of each species.
        fold: Which model answered each site ``(N,)``.
        vocabulary: The species.
        counts: At how many training sites each species was seen ``(S,)``.
        groups: The group of each species.
        baseline: Answers of the simple model; None: no baselines.
        score: Primary score and number of resamples.
        protocol: How the sites were divided.
        calibrated: Whether answers are probabilities of presence, so that ``brier`` makes sense.
        seed: Of the resampling.
    """
    others = {}
    if baseline is not None:
        # The same answer everywhere tells nothing apart: its AUC is one half.
        same = np.tile((counts + 0.5) / (len(sites) + 1.0), (len(sites), 1)).astype(np.float32)
        others = {NO_SKILL: same, SIMPLE: baseline}
    judged, folds = scores_over_folds(answers, sites.labels, fold)
    beside = {name: scores_over_folds(a, sites.labels, fold)[0] for name, a in others.items()}
    names = ("macro_auc", "macro_ap", "brier") if calibrated else ("macro_auc", "macro_ap")

    def shown(scores: Mapping[str, float]) -> dict[str, float]:
        return {name: scores[name] for name in names}

    def intervals(scores: SpeciesScores) -> dict[str, tuple[float, float]]:
        if not score.bootstrap:
            return {}
        values = {"macro_auc": scores.auc, "macro_ap": scores.ap, "brier": scores.brier}
        kept = {name: values[name] for name in names}
        codes = np.array(vocabulary.codes)
        return bootstrap_means(kept, codes, resamples=score.bootstrap, seed=seed)

    several = len(folds) > 1
    metrics = Metrics.create(
        score.primary,
        shown(judged.macro()),
        intervals=intervals(judged),
        per_target=_by_group(judged, groups),
        folds=[shown(scores) for scores in folds] if several else [],
        baselines={name: shown(scores.macro()) for name, scores in beside.items()},
        baseline_intervals={
            name: spread for name, scores in beside.items() if (spread := intervals(scores))
        },
        protocol=protocol,
    )
    known = ~np.isnan(sites.labels)
    said, seen = answers[known].astype(np.float64), sites.labels[known] > 0
    return JudgedPoints(
        metrics,
        _species_table(judged, sites, vocabulary, counts, groups),
        plain(reliability(said, seen)) if calibrated else None,
    )


def _by_group(scores: SpeciesScores, groups: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Macro scores of each group of species, where there are groups."""
    found = {}
    for group in sorted(set(groups) - {""}):
        of = np.array([name == group for name in groups])
        macro = SpeciesScores(scores.ap[of], scores.auc[of], scores.brier[of]).macro()
        found[group] = {
            "species": float(of.sum()),
            "macro_ap": macro["macro_ap"],
            "macro_auc": macro["macro_auc"],
        }
    return found


def _species_table(
    scores: SpeciesScores,
    sites: Sites,
    vocabulary: Vocabulary,
    counts: NDArray[np.int64],
    groups: tuple[str, ...],
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "code": vocabulary.codes,
            "scientific_name": [s.scientific for s in vocabulary.species],
            "common_name": [s.common for s in vocabulary.species],
            "class_name": [s.group for s in vocabulary.species],
            "group": groups,
            "n_train": counts,
            "n": (sites.labels > 0).sum(axis=0),
            "ap": scores.ap,
            "auc": scores.auc,
        }
    )
