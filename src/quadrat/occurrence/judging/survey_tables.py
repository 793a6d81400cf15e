"""What a survey says of single species and places, and how far probabilities can be believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.occurrence.records.surveys import Survey
from quadrat.occurrence.records.taxonomy import Vocabulary
from quadrat.runtime.calibration import Calibration, sigmoid
from quadrat.scoring import Metrics, Reliability
from quadrat.scoring.occurrence import RELIABILITY_EDGES

Array = NDArray[np.float64]


@dataclass(frozen=True)
class JudgedSurvey:
    """What a survey says of a model.

    Args:
        metrics: The object behind ``metrics.json``.
        species: One row a species that was looked for.
        places: One row a place.
        reliability: The object behind ``reliability.json``.
    """

    metrics: Metrics
    species: pl.DataFrame
    places: pl.DataFrame
    reliability: dict[str, Any]


def species_frame(
    scores: Mapping[str, Mapping[str, float]],
    vocabulary: Vocabulary,
    trained: NDArray[np.int64] | None,
) -> pl.DataFrame:
    """One row a species.

    Args:
        scores: Code → ``n`` (visits), ``present``, ``ap``, ``auc`` and others.
        vocabulary: The names.
        trained: Training samples of every species ``(S,)``, if they are known.
    """
    columns = [vocabulary.codes.index(code) for code in scores]
    named = [vocabulary.species[column] for column in columns]
    others = {name: [one[name] for one in scores.values()] for name in next(iter(scores.values()))}
    counts = {
        "visits": np.array(others.pop("n"), np.int64),
        "n": np.array(others.pop("present"), np.int64),
    }
    if trained is not None:
        counts = {"n_train": trained[columns], **counts}
    return pl.DataFrame(
        {
            "code": list(scores),
            "scientific_name": [species.scientific for species in named],
            "common_name": [species.common for species in named],
            "class_name": [species.group for species in named],
            **counts,
            **others,
        }
    )


def place_frame(
    survey: Survey, p: Array, place: NDArray[np.int64], precision: tuple[Array, Array]
) -> pl.DataFrame:
    """One row a place.

    Args:
        survey: What was found.
        p: The probability of every pair of visit and species ``(N,)``.
        place: The place of every visit ``(V,)``.
        precision: The terms of the mean average precision of the visits, told at single pairs.
    """
    of_pair, count = place[survey.visit], int(place.max()) + 1
    first = np.unique(place, return_index=True)[1]
    ap, ranked = (np.bincount(of_pair, terms, count) for terms in precision)
    with np.errstate(invalid="ignore"):
        mean = ap / ranked
    return pl.DataFrame(
        {
            "lat": survey.lat[first],
            "lon": survey.lon[first],
            "visits": np.bincount(place, minlength=count),
            "looked_for": np.bincount(of_pair, minlength=count),
            "found": np.bincount(of_pair, survey.present, count).astype(np.int64),
            "expected": np.bincount(of_pair, p, count),
            "map": mean,
        }
    )


def curves(p: Array, survey: Survey, calibration: Calibration | None) -> dict[str, Any]:
    """The reliability curve, and under ``raw`` that before calibration."""
    found = plain(reliability(p, survey.present))
    if calibration is None:
        return found
    slope, offset = (values[survey.column] for values in (calibration.slope, calibration.offset))
    clipped = np.clip(p, 1e-12, 1 - 1e-12)
    raw = sigmoid((np.log(clipped) - np.log1p(-clipped) - offset) / slope)
    return found | {"raw": plain(reliability(raw.astype(np.float64), survey.present))}


def reliability(p: Array, present: NDArray[np.bool_]) -> Reliability:
    """How often species are there that are said to be there with a probability.

    Args:
        p: Probabilities of species at places ``(n,)``.
        present: Whether they were there ``(n,)``.
    """
    edges = RELIABILITY_EDGES
    bins = np.clip(np.searchsorted(edges, p, side="left") - 1, 0, len(edges) - 2)
    count, said, seen = (
        np.bincount(bins, weights, len(edges) - 1) for weights in (None, p, present)
    )
    with np.errstate(invalid="ignore"):
        return Reliability(edges, count.astype(np.float64), said / count, seen / count)


def plain(curve: Reliability) -> dict[str, list[float]]:
    """The object behind ``reliability.json``."""
    return {name: values.tolist() for name, values in vars(curve).items()}
