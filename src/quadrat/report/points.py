"""The parts that only the report of a run of points has: its sites, and what it makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quadrat.report import html, sections
from quadrat.report.contents import Contents
from quadrat.report.html import Html, Section
from quadrat.report.occurrence_answers import numbers
from quadrat.report.occurrence_figures import importance_bars
from quadrat.report.points_figures import fold_map
from quadrat.report.response_figures import response_curves
from quadrat.report.sections import Drawings
from quadrat.report.words import counted, listed, number

if TYPE_CHECKING:
    import polars as pl

_MOST_BARS = 20
"""Covariates whose importance is drawn, the greatest first."""


def protocol(contents: Contents, drawings: Drawings) -> Section:
    """How the sites were divided, with a map of them."""
    told = sections.protocol(contents)
    sites = contents.table("sites.parquet")
    if sites is None:
        return told
    return Section(
        told.anchor, told.title, html.joined([told.body, _map(contents, sites, drawings)])
    )


def _map(contents: Contents, sites: pl.DataFrame, drawings: Drawings) -> Html:
    from quadrat.geo import land_polygons

    degrees = "lon" in sites.columns
    east, north = ("lon", "lat") if degrees else ("x", "y")
    side, blocks = contents.protocol.get("block"), contents.protocol.get("groups")
    figure = fold_map(
        numbers(sites, east),
        numbers(sites, north),
        sites["fold"].to_numpy(),
        land=land_polygons() if degrees else None,
        side=None if degrees else side,
    )
    of_blocks = f"{counted(blocks, 'square')} " if isinstance(blocks, int) else "Squares "
    caption = (
        f"Every dot is a site. {of_blocks}with sides of {number(side)}{' km' if degrees else ''} "
        "are held out whole, each by the fold of its colour, so that few sites have neighbours "
        "among those that their model has learnt."
    )
    if contents.protocol.get("background") in ("random", "table"):
        caption += " Points of the background are among the dots."
    return drawings.svg("sites", figure, caption, kind="map")


def covariates(
    contents: Contents, species: pl.DataFrame | None, drawings: Drawings
) -> Section | None:
    """What each covariate is worth, and how answers follow the most important ones."""
    parts = [
        _importance(contents.table("importance.parquet"), drawings),
        _responses(contents, contents.table("response.parquet"), species, drawings),
    ]
    if not any(parts):
        return None
    return Section("covariates", "What it makes of the covariates", html.joined(parts))


def _importance(table: pl.DataFrame | None, drawings: Drawings) -> Html | None:
    if table is None or not table.height:
        return None
    shown = table.head(_MOST_BARS)
    figure = importance_bars(
        shown["column"].to_list(),
        numbers(shown, "drop"),
        numbers(shown, "sd"),
        score="AUC",
        over="folds",
    )
    caption = (
        "How much the AUC of held-out sites falls when a covariate is that of another site, mean "
        "over the most recorded species. Covariates that say the same can stand in for one "
        "another, so both look less important than they are."
    )
    left_off = table.height - shown.height
    if left_off:
        caption += f" {counted(left_off, 'less important covariate')} not shown."
    return drawings.svg("importance", figure, caption, kind="wide")


def _responses(
    contents: Contents, table: pl.DataFrame | None, species: pl.DataFrame | None, drawings: Drawings
) -> Html | None:
    if table is None or not table.height:
        return None
    surveys = contents.protocol.get("labels") == "presence-absence"
    answer = "probability" if surveys else "suitability"
    figure = response_curves(table, names=_names(species), answer=answer)
    along = listed(table["covariate"].unique(maintain_order=True).to_list())
    caption = (
        f"The {answer} of the most recorded species along {along}: its mean over sites of training "
        "if each had this value, all else as it is (partial dependence). Values may meet there "
        "that never meet outside. “quadrat explain” draws other species and all covariates."
    )
    return drawings.svg("response", figure, caption, kind="wide")


def _names(species: pl.DataFrame | None) -> dict[str, str]:
    """Code → the name that people use."""
    if species is None:
        return {}
    rows = species.select("code", "common_name", "scientific_name").iter_rows()
    return {str(code): str(common or scientific or code) for code, common, scientific in rows}
