"""The final scores: of the network, of its species and cells, and of the baselines beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from quadrat.engine import Backend, evaluate
from quadrat.experiment import ScoreSection
from quadrat.occurrence.judging.baselines import TrainingCounts
from quadrat.occurrence.judging.species_scores import species_scores
from quadrat.occurrence.network.species_network import OccurrenceNetwork
from quadrat.occurrence.objective import SpeciesEvaluator
from quadrat.occurrence.records.taxonomy import Vocabulary
from quadrat.occurrence.samples.batches import SampleBatches
from quadrat.occurrence.samples.dataset import SampleSet
from quadrat.runtime.weeks import WEEKS
from quadrat.scoring import Metrics, Reliability

_BATCH = 2048

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """What a run is judged by.

    Args:
        metrics: The object behind ``metrics.json``.
        species: One row a species: names, numbers of samples, scores.
        cells: One row a cell: place, block, numbers, scores.
        reliability: How often species with a predicted probability are present.
    """

    metrics: Metrics
    species: pl.DataFrame
    cells: pl.DataFrame
    reliability: Reliability


def judge(
    network: OccurrenceNetwork,
    samples: SampleSet,
    *,
    vocabulary: Vocabulary,
    counts: TrainingCounts,
    blocks: NDArray[np.str_],
    watchlist: Mapping[str, int],
    score: ScoreSection,
    protocol: Mapping[str, Any],
    backend: Backend,
    seed: int,
) -> Judged:
    """Scores a network on samples it has not learnt.

    Everything here is in single precision, as predictions are.

    Args:
        network: The network.
        samples: All weeks of the cells to judge on.
        vocabulary: The species.
        counts: What the baselines know.
        blocks: The spatial block of every cell ``(C,)``; intervals resample whole blocks.
        watchlist: Code → column of the species that are scored one by one.
        score: Primary score, number of resamples, whether baselines are wanted.
        protocol: How the cells were divided.
        backend: Where to compute.
        seed: Of the resampling.
    """
    exact = replace(backend, precision="fp32")
    batches = SampleBatches(samples, _BATCH, device=backend.device, seed=seed, shuffle=False)
    groups = np.repeat(blocks, WEEKS)

    def scored(module: nn.Module) -> tuple[SpeciesEvaluator, dict[str, float], dict[str, Any]]:
        evaluator = SpeciesEvaluator(len(vocabulary), watchlist)
        found = evaluate(module.to(backend.device), batches, evaluator, backend=exact)
        if not score.bootstrap:
            return evaluator, found, {}
        spread = evaluator.scoring.intervals(groups, resamples=score.bootstrap, seed=seed)
        return evaluator, found, dict(spread)

    evaluator, scores, intervals = scored(network)
    features, expected = _features(network, batches)
    species = _species_table(network, features, samples, vocabulary, counts)
    scores |= {f"macro_{name}": _mean(species[name]) for name in ("ap", "auc")}
    modules = counts.baselines() if score.baselines else {}
    baselines = {name: scored(module)[1:] for name, module in modules.items()}
    metrics = Metrics.create(
        score.primary,
        scores,
        intervals=intervals,
        per_target=_by_class(species),
        baselines={name: found for name, (found, _) in baselines.items()},
        baseline_intervals={name: spread for name, (_, spread) in baselines.items() if spread},
        protocol=protocol,
    )
    cells = _cell_table(samples, blocks, evaluator, expected)
    return Judged(metrics, species, cells, evaluator.scoring.reliability())


@torch.inference_mode()
def _features(network: OccurrenceNetwork, batches: SampleBatches) -> tuple[Tensor, Floats]:
    """The features of every sample, and the sum of its species' probabilities ``(N,)``."""
    network.eval()
    layers, sums = [], []
    for batch in batches.epoch(0):
        features = network.features(batch.position, batch.week, batch.environment)
        layers.append(features)
        sums.append(network.logits(features).sigmoid().sum(dim=1).cpu())
    return torch.cat(layers), torch.cat(sums).double().numpy()


@torch.inference_mode()
def _species_table(
    network: OccurrenceNetwork,
    features: Tensor,
    samples: SampleSet,
    vocabulary: Vocabulary,
    counts: TrainingCounts,
) -> pl.DataFrame:
    ap, auc = species_scores(partial(network.logits, features), samples.labels)
    return pl.DataFrame(
        {
            "code": vocabulary.codes,
            "scientific_name": [s.scientific for s in vocabulary.species],
            "common_name": [s.common for s in vocabulary.species],
            "class_name": [s.group for s in vocabulary.species],
            "n_train": counts.by_week.sum(axis=0),
            "n_train_by_week": pl.Series(counts.by_week.T.astype(np.int32).tolist()).cast(
                pl.List(pl.Int32)
            ),
            "n": samples.labels.counts(),
            "ap": ap,
            "auc": auc,
        }
    )


def _cell_table(
    samples: SampleSet, blocks: NDArray[np.str_], evaluator: SpeciesEvaluator, expected: Floats
) -> pl.DataFrame:
    """One row a cell; ``richness`` is the mean over weeks of the expected number of species."""
    weekly = {
        name: values.reshape(-1, WEEKS) for name, values in evaluator.scoring.per_sample().items()
    }
    total = {name: values.sum(axis=1) for name, values in weekly.items()}
    seen = (weekly["positives"] > 0).sum(axis=1)
    with np.errstate(invalid="ignore"):
        precision = np.nansum(weekly["average_precision"], axis=1) / seen
        f1 = 2 * total["hits_10"] / (total["predicted_10"] + total["positives"])
    return pl.DataFrame(
        {
            "cell": samples.cells,
            "lat": samples.lat,
            "lon": samples.lon,
            "block": blocks,
            "n": total["positives"].astype(np.int64),
            "weeks_with_species": seen,
            "map": precision,
            "f1_10": f1,
            "mean_list_length_10": total["predicted_10"] / WEEKS,
            "richness": expected.reshape(-1, WEEKS).mean(axis=1),
        }
    )


def _by_class(species: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Macro scores of each taxonomic class, where the taxonomy names classes."""
    return {
        name: {
            "species": float(part.height),
            "macro_ap": _mean(part["ap"]),
            "macro_auc": _mean(part["auc"]),
        }
        for name in species["class_name"].unique().sort()
        if name and (part := species.filter(pl.col("class_name") == name)).height
    }


def _mean(column: pl.Series) -> float:
    """The mean of what is not NaN."""
    value = column.drop_nans().mean()
    return float(value) if isinstance(value, float) else float("nan")
