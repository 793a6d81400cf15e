"""The final scores: of the network, of its species and cells, and of the baselines beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import nn

from quadrat.engine import Backend, evaluate
from quadrat.occurrence.judging.adjustment import Adjustment, Calibrated
from quadrat.occurrence.judging.baselines import TrainingCounts
from quadrat.occurrence.judging.features import all_features, judged_batches
from quadrat.occurrence.judging.list_scores import Lists, cut_lists, list_scores
from quadrat.occurrence.judging.score_tables import (
    cell_table,
    mean,
    scores_by_class,
    species_table,
    with_curves,
    with_lists,
)
from quadrat.occurrence.judging.whole_years import REFERENCE, WithYears
from quadrat.occurrence.network.species_network import OccurrenceNetwork
from quadrat.occurrence.objective import SpeciesEvaluator
from quadrat.occurrence.records.taxonomy import Vocabulary
from quadrat.occurrence.samples.dataset import SampleSet
from quadrat.occurrence.schema import OccurrenceScore
from quadrat.runtime.calibration import Calibration
from quadrat.runtime.weeks import WEEKS
from quadrat.scoring import Metrics, Reliability, geoscores
from quadrat.scoring.bootstrap import Interval, bootstrap_ratios

_HOLDOUT_SCORES = ("map", "f1_10")
_WITHOUT_INTERVALS = OccurrenceScore(bootstrap=0)


class Holdout(NamedTuple):
    """Cells of regions that were held out.

    Attributes:
        samples: All their weeks.
        blocks: The spatial block of every cell ``(C,)``.
    """

    samples: SampleSet
    blocks: NDArray[np.str_]


@dataclass(frozen=True)
class Judged:
    """What a run is judged by.

    Args:
        metrics: The object behind ``metrics.json``.
        species: One row a species: names, numbers of samples, scores, thresholds.
        cells: One row a cell: place, block, numbers, scores.
        reliability: How often species with a predicted probability are present.
        raw_reliability: The same before calibration; None where there is none.
    """

    metrics: Metrics
    species: pl.DataFrame
    cells: pl.DataFrame
    reliability: Reliability
    raw_reliability: Reliability | None = None

    def curves(self) -> dict[str, Any]:
        """The object behind ``reliability.json``; what was before calibration under ``raw``."""
        raw = self.raw_reliability
        return _plain(self.reliability) | ({"raw": _plain(raw)} if raw is not None else {})


def judge(
    network: OccurrenceNetwork,
    samples: SampleSet,
    *,
    adjustment: Adjustment,
    vocabulary: Vocabulary,
    counts: TrainingCounts,
    blocks: NDArray[np.str_],
    watchlist: Mapping[str, int],
    score: OccurrenceScore,
    protocol: Mapping[str, Any],
    backend: Backend,
    seed: int,
    holdout: Holdout | None = None,
) -> Judged:
    """Scores a network on samples it has not learnt.

    Everything here is in single precision, as predictions are.

    Args:
        network: The network.
        samples: All weeks of the cells to judge on.
        adjustment: Calibration and thresholds of these cells.
        vocabulary: The species.
        counts: What the baselines know.
        blocks: The spatial block of every cell ``(C,)``; intervals resample whole blocks.
        watchlist: Code → column of the species that are scored one by one.
        score: Primary score, number of resamples, whether baselines are wanted.
        protocol: How the cells were divided.
        backend: Where to compute.
        seed: Of the resampling.
        holdout: The regions that were held out, judged besides (``holdout_…``).
    """
    judging = _Judging(samples, np.repeat(blocks, WEEKS), watchlist, score, backend, seed, holdout)
    found = judging.of(Calibrated(network, adjustment), adjustment.stored)
    raw = judging.of(network) if adjustment.changes_probabilities else None
    features = all_features(network, judged_batches(samples, backend.device))
    logits = torch.inference_mode()(partial(network.logits, features))
    species = species_table(logits, samples, vocabulary, counts)
    species = with_curves(species, adjustment.stored)
    scores = found.scores | {f"macro_{name}": mean(species[name]) for name in ("ap", "auc")}
    intervals = found.intervals
    if (cuts := adjustment.cuts()) is not None:
        part = np.repeat(adjustment.part, WEEKS)
        by_sample, by_species = cut_lists(logits, samples.labels, cuts, part)
        scores |= list_scores(by_sample, by_species)
        intervals |= judging.intervals_of(by_sample)
        species = with_lists(species, by_species)
    if REFERENCE in score.protocols:
        scores |= judging.with_years(Calibrated(network, adjustment))
    rivals = counts.baselines() if score.baselines else {}
    baselines = {name: judging.of(module) for name, module in rivals.items()}
    metrics = Metrics.create(
        score.primary,
        scores,
        raw=raw.scores if raw else {},
        intervals=intervals,
        per_target=scores_by_class(species),
        baselines={name: one.scores for name, one in baselines.items()},
        baseline_intervals={name: b.intervals for name, b in baselines.items() if b.intervals},
        protocol=adjustment.told(protocol),
    )
    curves = [one.evaluator.scoring.reliability() for one in (found, raw) if one]
    return Judged(metrics, species, cell_table(samples, blocks, found.evaluator), *curves)


@dataclass(frozen=True)
class _Found:
    """The scores of one module."""

    evaluator: SpeciesEvaluator
    scores: dict[str, float]
    intervals: dict[str, Interval]

    def with_holdout(self, there: _Found) -> _Found:
        """The same with the scores in the held-out regions, which the composites take in.

        Cells and regions are resampled apart, so the composites have no interval.
        """
        scores = self.scores | {f"holdout_{name}": there.scores[name] for name in _HOLDOUT_SCORES}
        composites = geoscores(scores)
        intervals = {n: pair for n, pair in self.intervals.items() if n not in composites}
        held_out = {f"holdout_{n}": there.intervals[n] for n in _HOLDOUT_SCORES if intervals}
        return _Found(self.evaluator, scores | composites, intervals | held_out)


@dataclass(frozen=True)
class _Judging:
    """What all modules are judged by alike; ``groups`` are the blocks of samples ``(N,)``."""

    samples: SampleSet
    groups: NDArray[np.str_]
    watchlist: Mapping[str, int]
    score: OccurrenceScore
    backend: Backend
    seed: int
    holdout: Holdout | None = None

    def of(self, module: nn.Module, calibration: Calibration | None = None) -> _Found:
        """Scores and intervals of a module.

        Args:
            module: What is judged; it may be calibrated for the judged cells.
            calibration: What it is calibrated with everywhere else.
        """
        found = self._of(module)
        if self.holdout is None:
            return found
        samples, blocks = self.holdout
        if isinstance(module, Calibrated):
            species, cells = samples.labels.columns, len(blocks)
            adjustment = Adjustment.stored_only(calibration, species, cells)
            module = Calibrated(module.network, adjustment)
        groups = np.repeat(blocks, WEEKS)
        there = replace(self, samples=samples, groups=groups, holdout=None)
        return found.with_holdout(there.of(module))

    def _of(self, module: nn.Module) -> _Found:
        device = self.backend.device
        evaluator = SpeciesEvaluator(self.samples.labels.columns, self.watchlist)
        batches = judged_batches(self.samples, device)
        exact = replace(self.backend, precision="fp32")
        scores = evaluate(module.to(device), batches, evaluator, backend=exact)
        if not self.score.bootstrap:
            return _Found(evaluator, scores, {})
        intervals = evaluator.scoring.intervals(
            self.groups, resamples=self.score.bootstrap, seed=self.seed
        )
        return _Found(evaluator, scores, intervals)

    def with_years(self, module: nn.Module) -> dict[str, float]:
        """The scores of a module where whole years are judged among the weeks."""
        years = replace(self, samples=self.samples.with_years(), score=_WITHOUT_INTERVALS)
        found = years._of(WithYears(module, len(self.samples.cells)))
        return {f"{REFERENCE}_{name}": value for name, value in found.scores.items()}

    def intervals_of(self, lists: Lists) -> dict[str, Interval]:
        """Intervals of the scores of lists by sample."""
        if not self.score.bootstrap:
            return {}
        return bootstrap_ratios(
            lists.ratios(), self.groups, resamples=self.score.bootstrap, seed=self.seed
        )


def _plain(curve: Reliability) -> dict[str, list[float]]:
    return {name: values.tolist() for name, values in vars(curve).items()}
