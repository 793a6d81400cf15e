"""Tables of what a run of points learnt: where its sites lie, and what it makes of covariates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.occurrence.points.data import PointData
from quadrat.occurrence.points.ensemble import PointEnsemble
from quadrat.occurrence.points.table import Covariates
from quadrat.occurrence.responses.covariates import covariate_names, response_of_points
from quadrat.occurrence.responses.curves import some_places
from quadrat.occurrence.responses.importance import covariate_importance
from quadrat.occurrence.schema import PointsSection
from quadrat.tables import write_table

SPECIES = 8
"""Species that importance is the mean of, the most recorded ones: rare ones have few held out."""

SHOWN_SPECIES, SHOWN_COVARIATES = 3, 3
"""Response curves are those of the most recorded species along the most important covariates."""

SITES = 200
"""Held-out sites of a fold that importance is measured on; forests take long to walk."""

PLACES = 100
"""Sites that a response curve is the mean of."""


def write_what_it_learnt(
    folder: Path,
    section: PointsSection,
    data: PointData,
    folds: Sequence[PointEnsemble],
    answering: PointEnsemble,
    *,
    seed: int,
) -> None:
    """Writes ``sites.parquet``, ``importance.parquet`` and ``response.parquet`` into a run folder.

    Where no fold can judge a species, importance is empty and there are no curves.

    Args:
        folder: The run folder.
        section: What the columns mean.
        data: What was learnt from.
        folds: The models of the cross-validation.
        answering: The models that answer for new places.
        seed: Of the exchanges and of the choice of places.
    """
    importance = held_out_importance(section, data, folds, seed=seed)
    leading = importance["column"].to_list()[:SHOWN_COVARIATES]
    write_table(sites_table(section, data), folder / "sites.parquet")
    write_table(importance, folder / "importance.parquet")
    if leading:
        shown = most_recorded(data, SHOWN_SPECIES)
        told = response_of_points(
            section,
            answering,
            data.sites.covariates,
            leading,
            {data.vocabulary.codes[column]: column for column in shown},
            most=PLACES,
            seed=seed,
            table="the sites of training",
        )
        write_table(told, folder / "response.parquet")


def sites_table(section: PointsSection, data: PointData) -> pl.DataFrame:
    """A row a site: ``lon``, ``lat`` or ``x``, ``y``; ``fold``, ``block``, ``species`` seen."""
    east, north = ("lon", "lat") if section.geographic else ("x", "y")
    return pl.DataFrame(
        {
            east: data.sites.place[:, 0],
            north: data.sites.place[:, 1],
            "fold": data.folds.fold,
            "block": data.folds.blocks.tolist(),
            "species": (data.sites.labels > 0).sum(axis=1),
        }
    )


def held_out_importance(
    section: PointsSection, data: PointData, folds: Sequence[PointEnsemble], *, seed: int
) -> pl.DataFrame:
    """The fall of AUC on held-out sites when a covariate is that of another site of the fold.

    Returns:
        Columns ``column``, ``drop`` (mean over folds of the mean over species) and ``sd`` over
        the folds; the greatest first. Folds in which no species can be judged are left out, and
        so are covariates without any value.
    """
    chosen = most_recorded(data, SPECIES)
    codes = [data.vocabulary.codes[column] for column in chosen]
    names = covariate_names(section)
    parts = []
    known = [name for name in names if _has_values(data.sites.covariates, names.index(name))]
    for number, model in enumerate(folds):
        rows = np.flatnonzero(data.folds.fold == number)
        rows = rows[some_places(len(rows), SITES, seed)]

        def answer(asked: Covariates, model: PointEnsemble = model) -> NDArray[np.float32]:
            return model.answers(asked, chosen)

        found = covariate_importance(
            answer,
            data.sites.covariates.rows(rows),
            names,
            codes,
            labels=data.sites.labels[rows][:, chosen],
            seed=seed,
            repeats=1,
        )
        judged = found.filter((pl.col("measure") == "auc_drop") & pl.col("covariate").is_in(known))
        parts.append(judged.group_by("covariate").agg(pl.col("importance").mean()))
    return (
        pl.concat(parts)
        .group_by(column="covariate")
        .agg(drop=pl.col("importance").mean(), sd=pl.col("importance").std())
        .sort("drop", "column", descending=[True, False])
    )


def most_recorded(data: PointData, count: int) -> list[int]:
    """The columns of the species that were seen at most sites, the first of them first."""
    return [int(column) for column in np.argsort(-data.counts, kind="stable")[:count]]


def _has_values(covariates: Covariates, column: int) -> bool:
    return any(value is not None and value == value for value in covariates.column(column).tolist())
