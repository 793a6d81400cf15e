"""The final scores: of the network, of its species and cells, and of the baselines beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
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
from quadrat.occurrence.judging.list_scores import cut_lists, list_scores
from quadrat.occurrence.judging.score_tables import (
    cell_table,
    mean,
    scores_by_class,
    species_table,
    with_curves,
    with_lists,
)
from quadrat.occurrence.judging.species_scores import MeansOverSpecies
from quadrat.occurrence.judging.whole_years import REFERENCE, WithYears
from quadrat.occurrence.network.species_network import SpeciesModel
from quadrat.occurrence.objective import SpeciesEvaluator
from quadrat.occurrence.records.taxonomy import Vocabulary
from quadrat.occurrence.samples.dataset import SampleSet
from quadrat.occurrence.schema import OccurrenceScore
from quadrat.runtime.calibration import Calibration
from quadrat.runtime.weeks import WEEKS
from quadrat.scoring import Metrics, Reliability, geoscores
from quadrat.scoring.bootstrap import Interval, Resampling, interval
from quadrat.scoring.geoscore import resampled_geoscores

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
    network: SpeciesModel,
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
    judging = _Judging(samples, blocks, watchlist, score, backend, (seed,), holdout)
    calibrated = Calibrated(network, adjustment)
    found = judging.of(calibrated, adjustment.stored)
    raw = judging.without_intervals().of(network) if adjustment.changes_probabilities else None
    features = all_features(network, judged_batches(samples, backend.device))
    logits = torch.inference_mode()(partial(network.logits, features))
    resampling = judging.resampling
    means = MeansOverSpecies(resampling) if resampling is not None else None
    species = species_table(logits, samples, vocabulary, counts, means)
    species = with_curves(species, adjustment.stored)
    scores = found.scores | {f"macro_{name}": mean(species[name]) for name in ("ap", "auc")}
    drawn = found.drawn | (means.drawn() if means is not None else {})
    if (cuts := adjustment.cuts()) is not None:
        part = np.repeat(adjustment.part, WEEKS)
        by_sample, by_species = cut_lists(logits, samples.labels, cuts, part)
        scores |= list_scores(by_sample, by_species)
        drawn |= resampling.ratios(by_sample.ratios()) if resampling is not None else {}
        species = with_lists(species, by_species)
    if REFERENCE in score.protocols:
        years = replace(judging.without_intervals(), years=True).of(calibrated, adjustment.stored)
        scores |= {f"{REFERENCE}_{name}": value for name, value in years.scores.items()}
    rivals = counts.baselines() if score.baselines else {}
    baselines = {name: judging.of(module) for name, module in rivals.items()}
    metrics = Metrics.create(
        score.primary,
        scores,
        raw=raw.scores if raw else {},
        intervals=judging.intervals(drawn),
        per_target=scores_by_class(species),
        baselines={name: one.scores for name, one in baselines.items()},
        baseline_intervals={
            name: judging.intervals(one.drawn) for name, one in baselines.items() if one.drawn
        },
        protocol=adjustment.told(protocol),
    )
    curves = [one.evaluator.scoring.reliability() for one in (found, raw) if one]
    return Judged(metrics, species, cell_table(samples, blocks, found.evaluator), *curves)


@dataclass(frozen=True)
class _Found:
    """The scores of one module, and their values in every resample ``(R,)``."""

    evaluator: SpeciesEvaluator
    scores: dict[str, float]
    drawn: dict[str, NDArray[np.float64]]

    def with_holdout(self, there: _Found) -> _Found:
        """The same with the scores in the held-out regions, which the composites take in."""
        names = {f"holdout_{name}": name for name in _HOLDOUT_SCORES}
        scores = self.scores | {new: there.scores[name] for new, name in names.items()}
        scores |= geoscores(scores)
        if not self.drawn:
            return _Found(self.evaluator, scores, {})
        drawn = self.drawn | {new: there.drawn[name] for new, name in names.items()}
        return _Found(self.evaluator, scores, drawn | resampled_geoscores(drawn))


@dataclass(frozen=True)
class _Judging:
    """What all modules are judged by alike.

    Args:
        samples: The judged samples.
        blocks: The spatial block of every cell ``(C,)``.
        watchlist: Code → column.
        score: Number of resamples.
        backend: Where to compute.
        seed: Of the resampling; regions that are held out are drawn apart from the cells.
        holdout: Regions that were held out.
        years: Whether whole years are among the samples.
    """

    samples: SampleSet
    blocks: NDArray[np.str_]
    watchlist: Mapping[str, int]
    score: OccurrenceScore
    backend: Backend
    seed: tuple[int, ...]
    holdout: Holdout | None = None
    years: bool = False

    @cached_property
    def resampling(self) -> Resampling | None:
        """Draws of blocks, if intervals are wanted."""
        if not self.score.bootstrap:
            return None
        groups = np.repeat(self.blocks, WEEKS)
        return Resampling.of(groups, resamples=self.score.bootstrap, seed=self.seed)

    def of(self, module: nn.Module, calibration: Calibration | None = None) -> _Found:
        """Scores of a module.

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
        return found.with_holdout(self._there(self.holdout)._of(module))

    def without_intervals(self) -> _Judging:
        """The same without resamples."""
        return replace(self, score=_WITHOUT_INTERVALS)

    def intervals(self, drawn: Mapping[str, NDArray[np.float64]]) -> dict[str, Interval]:
        """Intervals of scores; of those with held-out regions in them, if there are two blocks."""
        if self.resampling is None:
            return {}
        found = self.resampling.intervals(drawn)
        if self.holdout is None:
            return found
        there = [name for name in drawn if name.startswith(("holdout_", "geoscore"))]
        groups = min(len(np.unique(b)) for b in (self.blocks, self.holdout.blocks))
        return found | {name: interval(drawn[name], groups) for name in there}

    def _there(self, holdout: Holdout) -> _Judging:
        return replace(self, samples=holdout.samples, blocks=holdout.blocks, seed=(*self.seed, 1))

    def _of(self, module: nn.Module) -> _Found:
        device, samples = self.backend.device, self.samples
        evaluator = SpeciesEvaluator(samples.labels.columns, self.watchlist)
        if self.years:
            samples, module = samples.with_years(), WithYears(module, len(samples.cells))
        exact = replace(self.backend, precision="fp32")
        batches = judged_batches(samples, device)
        scores = evaluate(module.to(device), batches, evaluator, backend=exact)
        if self.resampling is None:
            return _Found(evaluator, scores, {})
        return _Found(evaluator, scores, evaluator.scoring.resampled(self.resampling))


def _plain(curve: Reliability) -> dict[str, list[float]]:
    return {name: values.tolist() for name, values in vars(curve).items()}
