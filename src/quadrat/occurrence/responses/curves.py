"""Response curves: what a model answers when one covariate takes other values everywhere.

The mean over places is the partial dependence (J. H. Friedman, "Greedy function approximation: a
gradient boosting machine", Annals of Statistics 29, 2001). Its quantiles over places tell how much
the rest of a place matters: they are those of individual conditional expectations (A. Goldstein et
al., "Peeking inside the black box", Journal of Computational and Graphical Statistics 24, 2015).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.engine import current_progress
from quadrat.occurrence.records.taxonomy import Vocabulary
from quadrat.occurrence.responses.axes import Axis

PLACES = 200
"""Places of a table that a curve is the mean of; more would hardly move it."""

SPECIES = 12
"""Species that are told of where none are asked for: the first ones."""

_BAND = (0.1, 0.9)

Ask = Callable[[Axis, float | str], NDArray[np.float32]]
"""The answers ``(N, S)`` for all places when a covariate has one value everywhere."""


def response_table(axes: Sequence[Axis], codes: Sequence[str], ask: Ask) -> pl.DataFrame:
    """The mean answer and its spread over places, along every covariate.

    Args:
        axes: The covariates with their values.
        codes: The S species that ``ask`` answers for.
        ask: The model.

    Returns:
        Columns ``species``, ``covariate``, ``value`` (blank for categories), ``category`` (blank
        for numbers), ``mean``, ``low`` and ``high`` (10 % and 90 % quantiles over the places); a
        row a species, covariate and value.
    """
    found = []
    with current_progress().task("response", sum(len(axis.values) for axis in axes)) as task:
        for axis in axes:
            told = []
            for value in axis.values:
                told.append(_summary(ask(axis, value)))
                task.advance()
            found.append(_rows(axis, codes, np.stack(told)))
    order = pl.Enum(list(codes))
    return pl.concat(found).sort(pl.col("species").cast(order), maintain_order=True)


def chosen_species(vocabulary: Vocabulary, names: Sequence[str]) -> list[int]:
    """The positions of the species that are asked for; by default the first ones, which is said.

    Args:
        vocabulary: The species of the model.
        names: Codes, scientific names or common names.

    Raises:
        UnknownNameError: The model does not know a species.
    """
    if names:
        return list(dict.fromkeys(vocabulary.find(name) for name in names))
    if len(vocabulary) > SPECIES:
        current_progress().note(
            f"the first {SPECIES} of {len(vocabulary)} species are told of; --species chooses "
            "others."
        )
    return list(range(min(SPECIES, len(vocabulary))))


def some_places(count: int, most: int, seed: int) -> NDArray[np.int64]:
    """At most so many rows of a table, drawn by a seed, in their order."""
    rows = np.random.default_rng((seed, 29)).permutation(count)[:most]
    return np.sort(rows)


def _summary(answers: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean and both quantiles over the places ``(3, S)``."""
    values = answers.astype(np.float64)
    return np.concatenate([values.mean(axis=0)[None], np.quantile(values, _BAND, axis=0)])


def _rows(axis: Axis, codes: Sequence[str], told: NDArray[np.float64]) -> pl.DataFrame:
    """The rows of one covariate, from its summaries ``(values, 3, S)``, species after species."""
    count, species = len(axis.values), len(codes)
    numbers = [None] * count if axis.texts is not None else list(axis.values)
    texts = [None] * count if axis.texts is None else list(axis.texts)
    mean, low, high = told.transpose(1, 2, 0).reshape(3, -1)
    return pl.DataFrame(
        {
            "species": np.repeat(list(codes), count),
            "covariate": [axis.name] * (count * species),
            "value": pl.Series(numbers * species, dtype=pl.Float64),
            "category": pl.Series(texts * species, dtype=pl.String),
            "mean": mean,
            "low": low,
            "high": high,
        }
    )
