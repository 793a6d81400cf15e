"""Judging a model on a survey that it has never seen: places, dates, species found or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quadrat.errors import DataError
from quadrat.experiment import ScoreSection
from quadrat.occurrence.answering import SpeciesPredictor
from quadrat.occurrence.judging.baselines import TrainingCounts
from quadrat.occurrence.judging.list_scores import Lists, list_scores
from quadrat.occurrence.judging.survey_tables import (
    JudgedSurvey,
    curves,
    place_frame,
    species_frame,
)
from quadrat.occurrence.records.surveys import Survey
from quadrat.occurrence.samples.observed import ObservedCells
from quadrat.runtime.calibration import sigmoid
from quadrat.scoring import Metrics
from quadrat.scoring._resampled import weighted_ap_auc
from quadrat.scoring.bootstrap import Interval, bootstrap_ratios, interval, resample_counts
from quadrat.scoring.occurrence import ECE_BINS

PRIMARY = "macro_auc"
"""What headlines where the experiment's own primary score has no meaning for a survey."""

_VISITS = 512
"""Visits answered at a time: answers are visits × species."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Found:
    scores: dict[str, float]
    intervals: dict[str, Interval]
    species: dict[str, dict[str, float]]


def judge_survey(
    predictor: SpeciesPredictor,
    survey: Survey,
    *,
    counts: TrainingCounts | None,
    score: ScoreSection,
    seed: int,
) -> JudgedSurvey:
    """Scores a model on a survey; only the pairs of visit and species that were looked for count.

    Args:
        predictor: The model.
        survey: What was found.
        counts: What the baselines know, if anything.
        score: Primary score, resamples of places, whether baselines are wanted.
        seed: Of the resampling.

    Raises:
        DataError: No species was both found and missed.
    """
    judging = _Judging(survey, predictor.vocabulary.codes, score.bootstrap, seed)
    known = predictor.calibration
    thresholds = None if known is None else known.threshold
    p = _predicted(predictor, survey)
    found = judging.of(p, thresholds)
    if np.isnan(found.scores[PRIMARY]):
        raise DataError(
            "no species of the survey was found at some visits and missed at others, so nothing "
            "can be ranked.",
            fix="give absences (0) too: visits at which a species was looked for in vain.",
        )
    baselines = _baselines(counts, survey) if counts is not None and score.baselines else {}
    rivals = {name: judging.of(values, None) for name, values in baselines.items()}
    metrics = Metrics.create(
        score.primary if score.primary in found.scores else PRIMARY,
        found.scores,
        intervals=found.intervals,
        per_target=found.species,
        baselines={name: one.scores for name, one in rivals.items()},
        baseline_intervals={n: one.intervals for n, one in rivals.items() if one.intervals},
        protocol=judging.protocol(predictor.observed),
    )
    trained = None if counts is None else counts.by_week.sum(axis=0)
    return JudgedSurvey(
        metrics,
        species_frame(found.species, predictor.vocabulary, trained),
        place_frame(survey, p, judging.groups, judging.visits(p)["map"]),
        curves(p, survey, known),
    )


def _predicted(predictor: SpeciesPredictor, survey: Survey) -> Array:
    """The probability of every pair ``(N,)``."""
    parts = []
    for start in range(0, len(survey.lat), _VISITS):
        rows = slice(start, start + _VISITS)
        answers = predictor.probabilities(survey.lat[rows], survey.lon[rows], survey.week[rows])
        low, high = np.searchsorted(survey.visit, [start, start + _VISITS])
        parts.append(answers[survey.visit[low:high] - start, survey.column[low:high]])
    return np.concatenate(parts).astype(np.float64)


def _baselines(counts: TrainingCounts, survey: Survey) -> dict[str, Array]:
    found = {}
    for name, module in counts.baselines().items():
        weekly = sigmoid(module.table.double().numpy())
        table = np.concatenate([weekly.max(axis=0, keepdims=True), weekly])  # week 0: the year
        found[name] = table[survey.week[survey.visit], survey.column]
    return found


@dataclass(frozen=True)
class _Judging:
    survey: Survey
    codes: tuple[str, ...]
    resamples: int
    seed: int

    @property
    def groups(self) -> NDArray[np.int64]:
        """The place of every visit; intervals resample places."""
        places = np.stack([self.survey.lat, self.survey.lon], axis=1)
        return np.unique(places, axis=0, return_inverse=True)[1].reshape(-1)

    def of(self, p: Array, thresholds: NDArray[np.float32] | None) -> _Found:
        """Scores of probabilities of pairs ``(N,)``."""
        survey, y = self.survey, self.survey.present
        place = self.groups[survey.visit]
        draws = np.ones((1, int(place.max()) + 1))
        if self.resamples:
            drawn = resample_counts(draws.shape[1], self.resamples, self.seed)
            draws = np.concatenate([draws, drawn])
        species, macro = self._species(p, place, draws)
        ratios = self.visits(p) | self._ratios(p) | self._lists(p > 0.1, "10")
        scores = {name: float(values[0]) for name, values in macro.items()}
        if thresholds is not None:
            listed = p >= thresholds[survey.column]
            ratios |= self._lists(listed, "threshold")
            by_species = self._by(survey.column, listed, len(self.codes))
            every = list_scores(by_species, by_species)
            scores |= {name: every[name] for name in every if name.startswith("macro_")}
            for code, column in zip(species, np.unique(survey.column), strict=True):
                species[code] |= {
                    f"{name}_threshold": float(values[column])
                    for name, values in by_species.each().items()
                }
        for name, (above, under) in ratios.items():
            scores[name] = float(above.sum() / under.sum()) if under.sum() else float("nan")
        scores["ece"] = _calibration_error(p, y)
        if not self.resamples:
            return _Found(scores, {}, species)
        spread = bootstrap_ratios(ratios, place, resamples=self.resamples, seed=self.seed)
        ranks = {name: interval(v[1:], draws.shape[1]) for name, v in macro.items()}
        return _Found(scores, spread | ranks, species)

    def _species(
        self, p: Array, place: NDArray[np.int64], draws: Array
    ) -> tuple[dict[str, dict[str, float]], dict[str, Array]]:
        """AP and AUC by species, and their means in every resample."""
        survey = self.survey
        order = np.argsort(survey.column, kind="stable")
        columns, starts = np.unique(survey.column[order], return_index=True)
        species, each = {}, []
        for column, rows in zip(columns, np.split(order, starts[1:]), strict=True):
            y = survey.present[rows]
            found = weighted_ap_auc(p[rows], y, draws[:, place[rows]])
            told = {"n": float(len(rows)), "present": float(y.sum())}
            species[self.codes[column]] = told | {"ap": found[0][0], "auc": found[1][0]}
            each.append(found)
        stacked = np.array(each)  # species, score, resample
        known = ~np.isnan(stacked)
        with np.errstate(invalid="ignore"):
            means = np.nansum(stacked, axis=0) / known.sum(axis=0)
        return species, {"macro_ap": means[0], "macro_auc": means[1]}

    def _ratios(self, p: Array) -> dict[str, tuple[Array, Array]]:
        y, one = self.survey.present, np.ones(len(p))
        clipped = np.clip(p, 1e-12, 1 - 1e-12)
        loss = -np.where(y, np.log(clipped), np.log1p(-clipped))
        return {"brier": ((p - y) ** 2, one), "log_loss": (loss, one)}

    def _lists(self, listed: NDArray[np.bool_], name: str) -> dict[str, tuple[Array, Array]]:
        y = self.survey.present
        hits, predicted, positives = (v.astype(np.float64) for v in (listed & y, listed, y))
        return {
            f"f1_{name}": (2 * hits, predicted + positives),
            f"precision_{name}": (hits, predicted),
            f"recall_{name}": (hits, positives),
        }

    def _by(self, group: NDArray[np.int64], listed: NDArray[np.bool_], count: int) -> Lists:
        y = self.survey.present
        hits, predicted, positives = (
            np.bincount(group, values, count).astype(np.float64)
            for values in (listed & y, listed, y)
        )
        return Lists(hits, predicted, positives)

    def visits(self, p: Array) -> dict[str, tuple[Array, Array]]:
        """The average precision of the ranking of each visit, told at its first pair."""
        survey, one = self.survey, np.ones((1, 1))
        starts = np.flatnonzero(np.diff(survey.visit, prepend=-1))
        above, under = np.zeros(len(p)), np.zeros(len(p))
        for first, rows in zip(starts, np.split(np.arange(len(p)), starts[1:]), strict=True):
            y = survey.present[rows]
            if y.any():
                weights = np.broadcast_to(one, (1, len(rows)))
                above[first], under[first] = weighted_ap_auc(p[rows], y, weights)[0][0], 1
        return {"map": (above, under)}

    def protocol(self, observed: ObservedCells | None) -> Mapping[str, Any]:
        """What was judged; species that the model does not know are named."""
        survey = self.survey
        first = np.unique(self.groups, return_index=True)[1]
        places, judged, learnt = len(first), len(np.unique(survey.column)), None
        if observed is not None:
            learnt = int(observed.holds(survey.lat[first], survey.lon[first]).sum())
        unjudged = {"visits_left_out": survey.left_out} if survey.left_out else {}
        return {
            "judged": "survey",
            "visits": len(survey.lat),
            **unjudged,
            "groups": places,
            **({} if learnt is None else {"learnt_places": learnt}),
            "species": judged,
            "unknown_species": list(survey.unknown),
            "words": self._words(judged, places, learnt),
        }

    def _words(self, judged: int, places: int, learnt: int | None) -> str:
        survey = self.survey
        parts = [
            f"scores on {len(survey.visit)} presences and absences of {judged} species at "
            f"{len(survey.lat)} visits of another survey",
            f"{len(survey.unknown)} of its species are unknown to the model",
        ]
        if survey.left_out:
            parts.append(f"{survey.left_out} visits without a judged pair are left out")
        if learnt:
            parts.append(f"{learnt} of its {places} places lie in cells with records it learnt")
        if self.resamples:
            parts.append(f"intervals resample {places} places")
        return f"{'; '.join(parts)}."


def _calibration_error(p: Array, y: NDArray[np.bool_]) -> float:
    bins = np.clip(np.ceil(p * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1)
    return float(np.abs(np.bincount(bins, p - y, ECE_BINS)).sum() / len(p))
