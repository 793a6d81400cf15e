"""Response curves and importance of covariates for models of points."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from quadrat.occurrence.points.predictor import PointsPredictor
from quadrat.occurrence.points.sites import Labels, read_test
from quadrat.occurrence.points.table import Covariates, read_covariates
from quadrat.occurrence.responses.covariates import covariate_names, response_of_points
from quadrat.occurrence.responses.curves import PLACES, chosen_species
from quadrat.occurrence.responses.importance import covariate_importance
from quadrat.occurrence.schema import PointsSection
from quadrat.tables import read_table


def explain_points(
    predictor: PointsPredictor, table: Path, *, species: Sequence[str], seed: int
) -> dict[str, pl.DataFrame]:
    """How answers follow the covariates, and what each covariate is worth.

    Args:
        predictor: The model.
        table: Records, places or a survey, with the covariates.
        species: Names of the wanted species; by default the first ones.
        seed: Of the choice of places and of the exchanges.

    Returns:
        ``response`` (see `response_table`) and ``importance`` (see `covariate_importance`).

    Raises:
        DataError: The table cannot be used.
        UnknownNameError: The model does not know a species.
    """
    section, codes = predictor.section, predictor.vocabulary.codes
    columns = chosen_species(predictor.vocabulary, species)
    wanted = [codes[column] for column in columns]
    covariates, labels = _read(table, section, codes)
    names = covariate_names(section)
    response = response_of_points(
        section,
        predictor.model,
        covariates,
        names,
        dict(zip(wanted, columns, strict=True)),
        most=PLACES,
        seed=seed,
        table=str(table),
    )
    importance = covariate_importance(
        lambda asked: predictor.model.answers(asked, columns),
        covariates,
        names,
        wanted,
        labels=None if labels is None else labels[:, columns],
        seed=seed,
    )
    return {"response": response, "importance": importance}


def _read(
    table: Path, section: PointsSection, codes: Sequence[str]
) -> tuple[Covariates, Labels | None]:
    """The places of a table, and who was found there ``(N, S)`` if it is a survey."""
    frame = read_table(table)
    wide = not set(codes).isdisjoint(frame.columns)
    if wide or (section.occurrence is not None and section.occurrence in frame.columns):
        sites = read_test(frame, section, codes, table).of_species(codes)
        return sites.covariates, sites.labels
    return read_covariates(frame, section, table), None
