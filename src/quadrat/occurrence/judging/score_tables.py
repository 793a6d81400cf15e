"""The scores of single species, cells and classes, as tables."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray
from torch import Tensor

from quadrat.occurrence.judging.baselines import TrainingCounts
from quadrat.occurrence.judging.list_scores import Lists
from quadrat.occurrence.judging.species_scores import MeansOverSpecies, species_scores
from quadrat.occurrence.objective import SpeciesEvaluator
from quadrat.occurrence.records.taxonomy import Vocabulary
from quadrat.occurrence.samples.dataset import SampleSet
from quadrat.runtime.calibration import Calibration
from quadrat.runtime.weeks import WEEKS


def species_table(
    logits: Callable[[slice], Tensor],
    samples: SampleSet,
    vocabulary: Vocabulary,
    counts: TrainingCounts,
    means: MeansOverSpecies | None = None,
) -> pl.DataFrame:
    """One row a species.

    Args:
        logits: Gives the logits of some species in every sample ``(N, columns)``.
        samples: The judged samples.
        vocabulary: The species.
        counts: How often they were seen in training.
        means: Takes every species in, for intervals.
    """
    ap, auc = species_scores(logits, samples.labels, means)
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


def with_curves(species: pl.DataFrame, stored: Calibration | None) -> pl.DataFrame:
    """The same table with the species' calibration curves and thresholds."""
    if stored is None:
        return species
    curves = {"slope": stored.slope, "offset": stored.offset, "threshold": stored.threshold}
    return species.with_columns(
        pl.Series(name, values) for name, values in curves.items() if values is not None
    )


def with_lists(species: pl.DataFrame, lists: Lists) -> pl.DataFrame:
    """The same table with how right each species' threshold is."""
    return species.with_columns(
        pl.Series(f"{name}_threshold", values) for name, values in lists.each().items()
    )


def cell_table(
    samples: SampleSet, blocks: NDArray[np.str_], evaluator: SpeciesEvaluator
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
            "richness": total["expected"] / WEEKS,
        }
    )


def scores_by_class(species: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Macro scores of each taxonomic class, where the taxonomy names classes."""
    names = [name for name in ("ap", "auc", "f1_threshold") if name in species.columns]
    return {
        name: {"species": float(part.height)} | {f"macro_{key}": mean(part[key]) for key in names}
        for name in species["class_name"].unique().sort()
        if name and (part := species.filter(pl.col("class_name") == name)).height
    }


def mean(column: pl.Series) -> float:
    """The mean of what is not NaN."""
    value = column.drop_nans().mean()
    return float(value) if isinstance(value, float) else float("nan")
