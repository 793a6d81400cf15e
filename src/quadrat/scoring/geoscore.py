"""GeoScore, the composite score of the BirdNET geomodel, in its published forms, part by part.

``GeoScore = Σ w s / Σ w`` over the parts that are known, so the weight of a missing part is shared
out. The form published first takes ``max(0, 1 - |ln r|)`` of the list ratio and the density ratio
as it is; the later one, of the code since version 3, takes ``min(r, 1/r)`` of both. Density ratio
and decorrelation reward a model that predicts nothing anywhere: look at the parts, or use the
variant in which these two are multiplied by the mean average precision.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Form = Literal["later", "first", "map"]

WEIGHTS = {
    "map": 0.20,
    "f1_10": 0.20,
    "list_ratio_10": 0.15,
    "watchlist_map": 0.10,
    "holdout_map": 0.10,
    "map_density_ratio": 0.20,
    "pred_density_r": 0.05,
}
"""Weight of every part."""
_EASY = ("map_density_ratio", "pred_density_r")


@dataclass(frozen=True)
class GeoScore:
    """A composite score with its parts.

    Attributes:
        value: The score; NaN if no part is known.
        parts: Name → what the part contributes before weighting, in [0, 1].
    """

    value: float
    parts: dict[str, float]


def geoscore(scores: Mapping[str, float], form: Form = "later") -> GeoScore:
    """The composite of the scores that are there.

    Args:
        scores: Name → number; a part that is missing or NaN is left out.
        form: ``later``, ``first``, or ``map``: the later form with density ratio and decorrelation
            multiplied by ``map``.
    """
    parts = {
        name: _part(name, float(scores[name]), form)
        for name in WEIGHTS
        if not math.isnan(scores.get(name, math.nan))
    }
    if form == "map":
        ranking = scores.get("map", math.nan)
        parts = {
            name: value * (ranking if name in _EASY else 1.0)
            for name, value in parts.items()
            if name not in _EASY or not math.isnan(ranking)
        }
    if not parts:
        return GeoScore(math.nan, {})
    total = sum(WEIGHTS[name] * value for name, value in parts.items())
    return GeoScore(total / sum(WEIGHTS[name] for name in parts), parts)


def geoscores(scores: Mapping[str, float]) -> dict[str, float]:
    """All forms under the names of scores: geoscore, geoscore_first, geoscore_map."""
    return {
        "geoscore": geoscore(scores).value,
        "geoscore_first": geoscore(scores, "first").value,
        "geoscore_map": geoscore(scores, "map").value,
    }


def resampled_geoscores(drawn: Mapping[str, Array]) -> dict[str, Array]:
    """All forms in every resample.

    Args:
        drawn: Name → values in the resamples ``(R,)``; a part that is defined in none is left out.

    Returns:
        Name → values ``(R,)``; NaN where a part that counts is not defined in a resample, as the
        weights would be others there.
    """
    parts = {name: drawn[name] for name in WEIGHTS if name in drawn}
    parts = {name: values for name, values in parts.items() if not np.isnan(values).all()}
    if not parts:
        return {}
    table = np.array(list(parts.values())).T
    names = list(geoscores({}))
    found = np.full((len(table), len(names)), np.nan)
    for place in np.flatnonzero(~np.isnan(table).any(axis=1)):
        found[place] = list(geoscores(dict(zip(parts, table[place], strict=True))).values())
    return dict(zip(names, found.T, strict=True))


def _part(name: str, value: float, form: Form) -> float:
    if name == "pred_density_r":
        return max(0.0, 1.0 - abs(value))
    if name not in ("list_ratio_10", "map_density_ratio"):
        return value
    if form == "first":
        if name == "map_density_ratio":
            return value
        return max(0.0, 1.0 - abs(math.log(value))) if value > 0.0 else 0.0
    return min(value, 1.0 / value) if value > 0.0 else 0.0
