"""How good an ensemble of species networks is, on the cells that its members held out.

Members are calibrated, pooled, and calibrated once more together: a mean of calibrated
probabilities is too shy (Ranjan and Gneiting 2010, "Combining probability forecasts", Journal of
the Royal Statistical Society B 72, 71-91). Both times a cell is judged by curves that were fitted
on others. The curves of the pool are fitted on what it says of validation cells when each member
answers by the curves of its other folds, as in stacking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quadrat.engine import Backend
from quadrat.ensemble.baselines import BEST_MEMBER, METHODS, PLAIN_MEAN, not_beaten
from quadrat.ensemble.members import Member
from quadrat.ensemble.schema import EnsembleExperiment, Method
from quadrat.ensemble.species.agreement import (
    Known,
    known_members,
    require_keys_of_species,
    species_experiment,
)
from quadrat.ensemble.species.predictor import Pooled, put_together
from quadrat.ensemble.species.weighting import fit_shares, likelihoods
from quadrat.experiment import CheckReport
from quadrat.occurrence.evaluating import judged_samples, known_from
from quadrat.occurrence.findings import missing_watched
from quadrat.occurrence.judging.adjustment import Adjustment, adjust
from quadrat.occurrence.judging.baselines import TrainingCounts
from quadrat.occurrence.judging.final_scores import Holdout, Judged, judge
from quadrat.occurrence.records.taxonomy import read_watchlist
from quadrat.occurrence.samples.dataset import SampleSet, left_out, make_samples
from quadrat.occurrence.schema import OccurrenceScore
from quadrat.runtime.calibration import Calibration
from quadrat.scoring import Metrics, primary_direction

Cells = NDArray[np.int64]


@dataclass(frozen=True)
class JudgedSpecies:
    """An ensemble of species networks and how good it is.

    Attributes:
        members: The members.
        weights: The weight of each ``(M,)``.
        judged: Scores, of it all, of species and of cells.
        pooled: What the members are together.
        stored: The calibration of what they say together.
        report: What was found out about the members.
    """

    members: list[Member]
    weights: NDArray[np.float64]
    judged: Judged
    pooled: Pooled
    stored: Calibration | None
    report: CheckReport


def judge_species(experiment: EnsembleExperiment, members: Sequence[Member]) -> JudgedSpecies:
    """Pools members and scores the result on the cells that they held out.

    Raises:
        DataError: The members cannot be combined or judged together.
        RunError: A member cannot be loaded.
        UsageError: The primary score is not one of species.
    """
    require_keys_of_species(experiment, [species_experiment(one) for one in members])
    known = known_members(members)
    bench = _Bench(experiment, known)
    method, equal = experiment.combine.method, np.ones(len(known))
    weights = bench.weights(experiment)
    judged, stored = bench.judge(method, weights)
    beside = bench.best_member()
    if method != "mean":
        beside[PLAIN_MEAN] = bench.judge("mean", equal)[0].metrics
    metrics = judged.metrics.beside(beside)
    judged = replace(judged, metrics=metrics)
    report = CheckReport(warnings=not_beaten(metrics, fitted=experiment.fitted))
    report.facts["members"] = f"{len(known)} networks, combined by {METHODS[method]}"
    report.facts["species"] = f"{len(known[0].predictor.vocabulary):,}"
    report.facts["split"] = str(metrics.protocol["words"])
    report.tables["Members"] = _member_table(known, weights, metrics.primary)
    pooled = bench.pooled(method, weights)
    return JudgedSpecies(list(members), weights, judged, pooled, stored, report)


class _Bench:
    """What all ways to combine some members are judged on."""

    def __init__(self, experiment: EnsembleExperiment, known: Sequence[Known]) -> None:
        self.known, first = known, known[0]
        self.seed, self.vocabulary = experiment.seed, first.predictor.vocabulary
        self.backend = Backend.create(first.experiment.run.device, "fp32")
        asked, own = experiment.score, first.experiment.score
        self.score = OccurrenceScore(
            primary=asked.primary or own.primary,
            bootstrap=asked.bootstrap,
            baselines=asked.baselines,
            protocols=own.protocols,
        )
        self.adjustments = [self._adjusted(one) for one in known]

    def weights(self, experiment: EnsembleExperiment) -> NDArray[np.float64]:
        """The weight of every member ``(M,)``: given, or fitted on validation cells."""
        equal = np.ones(len(self.known))
        if experiment.combine.method != "weighted":
            return equal
        if not experiment.fitted:
            given = [one.member.section.weight for one in self.known]
            return np.array(given, dtype=np.float64)
        pooled = self.pooled("mean", equal)
        samples = self._samples(pooled, self.known[0].parts.validation, crossed=True)
        device = self.backend.device
        return fit_shares(likelihoods(pooled.pool, samples, device, self.seed))

    def pooled(self, method: Method, weights: NDArray[np.float64]) -> Pooled:
        """The members together, with the curves of their folds."""
        return put_together(
            method,
            weights,
            [one.predictor for one in self.known],
            [adjustment.parts for adjustment in self.adjustments],
        )

    def judge(
        self, method: Method, weights: NDArray[np.float64]
    ) -> tuple[Judged, Calibration | None]:
        """Scores of the members together, and the calibration of what they say."""
        first, pooled = self.known[0], self.pooled(method, weights)
        parts, data = first.parts, first.experiment.data
        validation = self._samples(pooled, parts.validation, crossed=True)
        samples = self._samples(pooled, parts.test) if len(parts.test) else validation
        adjustment = adjust(
            pooled.pool,
            validation,
            parts.blocks[parts.validation],
            first.experiment.calibrate,
            judged=len(parts.test) or None,
            device=self.backend.device,
            seed=self.seed,
        )
        holdout = None
        if len(parts.holdout):
            there = self._samples(pooled, parts.holdout)
            holdout = Holdout(there, parts.blocks[parts.holdout])
        judged = judge(
            pooled.pool,
            samples,
            adjustment=adjustment,
            vocabulary=self.vocabulary,
            counts=self._counts(),
            blocks=parts.blocks[parts.judged],
            watchlist=self.vocabulary.columns(read_watchlist(data.watchlist)),
            score=self.score,
            protocol=self._protocol(method),
            backend=self.backend,
            seed=self.seed,
            holdout=holdout,
        )
        return judged, adjustment.stored

    def best_member(self) -> dict[str, Metrics]:
        """The scores of the member whose primary score is best; they are on the same cells."""
        every = [Metrics.from_dict(one.member.run.metrics()) for one in self.known]
        own = [metrics.scores.get(self.score.primary, float("nan")) for metrics in every]
        if np.isnan(own).all():
            return {}
        sign = 1.0 if primary_direction(self.score.primary) else -1.0
        return {BEST_MEMBER: every[int(np.nanargmax(sign * np.array(own)))]}

    def _adjusted(self, one: Known) -> Adjustment:
        """Calibration of a member, and that of each fold of the validation cells."""
        experiment, predictor, parts = one.experiment, one.predictor, one.parts
        return adjust(
            predictor.network,
            judged_samples(one.cells, parts.validation, predictor.vocabulary, predictor.known),
            parts.blocks[parts.validation],
            experiment.calibrate,
            judged=None,
            device=self.backend.device,
            seed=experiment.seed,
        )

    def _samples(self, pooled: Pooled, rows: Cells, *, crossed: bool = False) -> SampleSet:
        """Samples of cells; validation cells are answered by curves fitted on other cells."""
        cells, surroundings = self.known[0].cells, pooled.surroundings
        samples = make_samples(cells, rows, self.vocabulary)
        given = {
            name: cells.environment[rows, column]
            for column, name in enumerate(cells.environment_names)
            if name in surroundings.names
        }
        curves = [one.part + 1 if crossed else np.zeros_like(rows) for one in self.adjustments]
        environment = surroundings.with_curves(samples.lat, samples.lon, given, curves)
        return replace(samples, environment=environment)

    def _counts(self) -> TrainingCounts:
        _, counts = known_from(self.known[0].member.run)
        return counts or TrainingCounts.unknown(len(self.vocabulary))

    def _protocol(self, method: Method) -> dict[str, Any]:
        first = self.known[0]
        intervals = self.score.bootstrap > 0
        told = first.parts.protocol(first.experiment.split, intervals=intervals)
        told |= left_out(first.cells, first.parts.judged, self.vocabulary)
        watched = first.experiment.data.watchlist
        if missing := missing_watched(first.cells, first.parts, watched):
            told["watchlist_missing"] = missing
        words = f"{told['words'].rstrip('.')}; {len(self.known)} networks combined by "
        words += f"{METHODS[method]}."
        return {**told, "words": words, "members": len(self.known), "method": method}


def _member_table(
    known: Sequence[Known], weights: NDArray[np.float64], primary: str
) -> list[dict[str, Any]]:
    table = []
    for one, share in zip(known, (weights / weights.sum()).tolist(), strict=True):
        scores = one.member.run.metrics()["scores"]
        row = {"member": one.member.name, primary: scores.get(primary)}
        row |= {name: scores.get(name) for name in ("map", "macro_auc", "brier")}
        table.append({**row, "share": share})
    return table
