"""Response curves along the covariates of points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.occurrence.points.ensemble import PointEnsemble
from quadrat.occurrence.points.table import Covariates
from quadrat.occurrence.responses.axes import Axis
from quadrat.occurrence.responses.curves import response_table, some_places
from quadrat.occurrence.schema import PointsSection


def response_of_points(
    section: PointsSection,
    model: PointEnsemble,
    covariates: Covariates,
    names: Sequence[str],
    species: Mapping[str, int],
    *,
    most: int,
    seed: int,
    table: str,
) -> pl.DataFrame:
    """Response curves of species along covariates, see `response_table`.

    Args:
        section: What the columns mean.
        model: The models.
        covariates: The places.
        names: The covariates to draw along.
        species: Code → column of the model.
        most: So many of the places at most are asked for.
        seed: Draws these.
        table: What the places are called in messages.

    Raises:
        DataError: A covariate has no values.
    """
    every, columns = covariate_names(section), list(species.values())
    places = covariates.rows(some_places(len(covariates), most, seed))

    def ask(axis: Axis, value: float | str) -> NDArray[np.float32]:
        return model.answers(places.with_column(every.index(axis.name), value), columns)

    axes = [_axis(section, model, covariates, name, table) for name in names]
    return response_table(axes, list(species), ask)


def covariate_names(section: PointsSection) -> list[str]:
    """All covariates, numbers first."""
    return [*section.covariates, *section.categorical]


def _axis(
    section: PointsSection, model: PointEnsemble, covariates: Covariates, name: str, table: str
) -> Axis:
    column = covariate_names(section).index(name)
    values = covariates.column(column)
    if name in section.covariates:
        return Axis.of_numbers(name, values, table)
    known = model.encoder.columns.vocabularies[column - len(section.covariates)]
    return Axis.of_categories(name, values.tolist(), known, table)
