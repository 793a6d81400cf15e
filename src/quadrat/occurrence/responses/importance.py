"""What each covariate is worth to a model of points, species by species."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.engine import current_progress
from quadrat.occurrence.points.scores import species_scores
from quadrat.occurrence.points.sites import Labels
from quadrat.occurrence.points.table import Covariates
from quadrat.occurrence.responses.curves import some_places

PLACES = 1000
"""Places that importance is measured on."""

REPEATS = 3
"""How often the values of a covariate are exchanged among the places."""

Answer = Callable[[Covariates], NDArray[np.float32]]


def covariate_importance(
    answer: Answer,
    covariates: Covariates,
    names: Sequence[str],
    codes: Sequence[str],
    *,
    labels: Labels | None,
    seed: int,
    repeats: int = REPEATS,
) -> pl.DataFrame:
    """What is lost when a covariate is that of another place.

    Where a survey holds presences and absences of a species, the drop of its AUC when the values
    of a covariate are exchanged among the places (L. Breiman, "Random forests", Machine Learning
    45, 2001); elsewhere how far its answers move in the mean.

    Args:
        answer: The model: answers ``(N, S)`` of places.
        covariates: The places.
        names: The covariates, numbers first.
        codes: The S species.
        labels: 1, 0, or NaN where unknown ``(N, S)``; None where nothing is known.
        seed: Of the choice of places and the exchanges.
        repeats: How often the values of a covariate are exchanged.

    Returns:
        Columns ``species``, ``covariate``, ``measure`` (``auc_drop`` or ``mean_absolute_change``),
        ``importance`` and ``sd`` over the repeats, NaN for a single one; in each species the
        greatest first.
    """
    rows = some_places(len(covariates), PLACES, seed)
    places = covariates.rows(rows)
    known = np.full((len(rows), len(codes)), np.nan, np.float32) if labels is None else labels[rows]
    whole = answer(places)
    auc = species_scores(whole, known).auc
    rng = np.random.default_rng((seed, 31))
    parts = []
    with current_progress().task("importance", len(names) * repeats) as task:
        for column, name in enumerate(names):
            lost = []
            for _ in range(repeats):
                values = rng.permutation(places.column(column))
                exchanged = answer(places.with_column(column, values))
                drop = auc - species_scores(exchanged, known).auc
                change = np.abs(exchanged.astype(np.float64) - whole).mean(axis=0)
                lost.append(np.where(np.isnan(drop), change, drop))
                task.advance()
            parts.append(_rows(name, codes, auc, np.stack(lost)))
    order = pl.col("species").cast(pl.Enum(list(codes)))
    return pl.concat(parts).sort(order, "importance", descending=[False, True], maintain_order=True)


def _rows(
    name: str, codes: Sequence[str], auc: NDArray[np.float64], lost: NDArray[np.float64]
) -> pl.DataFrame:
    measures = np.where(np.isnan(auc), "mean_absolute_change", "auc_drop")
    return pl.DataFrame(
        {
            "species": list(codes),
            "covariate": [name] * len(codes),
            "measure": measures.tolist(),
            "importance": lost.mean(axis=0),
            "sd": lost.std(axis=0, ddof=1) if len(lost) > 1 else np.full(len(codes), np.nan),
        }
    )
