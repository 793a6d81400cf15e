"""The report of an occurrence run, section by section."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quadrat.errors import QuadratError
from quadrat.report import html, points, score_sections, sections
from quadrat.report.contents import Contents
from quadrat.report.html import Html, Section, element
from quadrat.report.maps import richness_map
from quadrat.report.occurrence_answers import answers, numbers
from quadrat.report.occurrence_figures import (
    plain_reliability,
    reliability,
    score_against_records,
    score_histogram,
)
from quadrat.report.occurrence_learnt import what_it_learnt
from quadrat.report.sections import Drawings
from quadrat.report.summary import Summary
from quadrat.report.words import number, words

if TYPE_CHECKING:
    import polars as pl

TABLE_ROWS = 10
"""Species in each of the short tables."""
MOST_ROWS = 1000
"""Species in a table of all."""

_BINS = ("mean_probability", "frequency", "count")

_MOSTLY_ABSENT = "; most are tiny, because most species are absent from most places."
_OUT_OF_FOLD = ", each by a model that has not learnt the spatial block of the site"

_COLUMNS = (
    ("n_train", "Training samples"),
    ("visits", "Visits"),
    ("n", "Judged samples"),
    ("ap", "AP"),
    ("auc", "AUC"),
    ("threshold", "Threshold"),
)


def occurrence_sections(contents: Contents, summary: Summary, drawings: Drawings) -> list[Section]:
    """All sections of an occurrence report, in the order of reading."""
    species, cells = contents.table("species.parquet"), contents.table("cells.parquet")
    found: list[Section | None] = [
        sections.warnings(contents, summary),
        score_sections.scores(contents, summary, drawings),
        score_sections.members(contents),
        points.protocol(contents, drawings) if contents.has_points else sections.protocol(contents),
        None if contents.has_points else answers(contents, species, cells, drawings),
        None if contents.has_points else places_section(cells, drawings),
        species_section(contents, species, drawings),
        calibration_section(contents, drawings),
        points.covariates(contents, species, drawings)
        if contents.has_points
        else what_it_learnt(contents, None if cells is None else _cell_radius_km(cells), drawings),
        score_sections.folds(contents, summary),
        None if contents.is_ensemble else sections.training(contents, summary, drawings),
        sections.data(contents),
        sections.experiment(contents),
        sections.provenance(contents),
    ]
    return [section for section in found if section is not None]


def occurrence_tiles(contents: Contents) -> list[tuple[str, str]]:
    """Key numbers of an occurrence run beside the primary score."""
    protocol, scores = contents.protocol, contents.metrics["scores"]
    species = contents.table("species.parquet")
    tiles = [] if species is None else [(number(species.height), "species")]
    judged = str(protocol.get("judged", "test"))
    tiles += [
        (number(protocol[key]), name)
        for key, name in ((f"{judged}_cells", f"{judged} cells"), ("train_cells", "training cells"))
        if isinstance(protocol.get(key), int)
    ]
    shown = [
        (number(scores[name]), words(name).label)
        for name in ("map", "geoscore", "f1_10", "macro_auc")
        if isinstance(scores.get(name), int | float) and name != contents.metrics.get("primary")
    ]
    return [*tiles[:3], *shown[:1]]


def places_section(cells: pl.DataFrame | None, drawings: Drawings) -> Section:
    """The cells that were judged: how long their lists are, and how right."""
    from quadrat.geo import land_polygons

    title = "Place by place"
    if cells is None or not {"lat", "lon"} <= set(cells.columns):
        return Section("places", title, html.notice("cells.parquet is missing: there is no map."))
    label = words("map").label
    shown = {
        "map": (
            "cell-precision",
            "Where the lists are right",
            f"{label} (0–1)",
            f"{label[:1].upper()}{label[1:]} of each judged cell: dark where the species that were "
            "seen stand first in the list. Cells without any record have no colour.",
        ),
        "richness": (
            "cell-richness",
            "Expected number of species",
            "species (count)",
            "The sum of all species' probabilities in each judged cell, mean over the weeks.",
        ),
    }
    land, radius = land_polygons(), _cell_radius_km(cells)
    lat, lon = numbers(cells, "lat"), numbers(cells, "lon")
    drawn = []
    for column, (name, heading, unit, caption) in shown.items():
        if column not in cells.columns or not np.isfinite(numbers(cells, column)).any():
            continue
        values = numbers(cells, column)
        figure = richness_map(lat, lon, values, land, title=heading, label=unit, radius_km=radius)
        drawn.append(drawings.svg(name, figure, caption, kind="map"))
    if not drawn:
        drawn = [html.notice("cells.parquet holds no number to map.")]
    return Section("places", title, html.joined(drawn))


def _cell_radius_km(cells: pl.DataFrame) -> float | None:
    """The reach of a cell's colour: the edge of its hexagon, and a little more against gaps."""
    if "cell" not in cells.columns:
        return None
    from quadrat.geo import EDGE_KM, parse_cells, resolutions

    try:
        ids, known = parse_cells(cells["cell"])
    except QuadratError:
        return None
    found = resolutions(ids)[known]
    return 1.25 * float(EDGE_KM[int(found.min())]) if found.size else None


def species_section(
    contents: Contents, species: pl.DataFrame | None, drawings: Drawings, *, every: bool = False
) -> Section:
    """How well single species are told apart.

    Args:
        contents: The run or evaluation.
        species: ``species.parquet``.
        drawings: Receives the figures.
        every: Whether all species that were judged are listed too.
    """
    title = "Species by species"
    if species is None or "ap" not in species.columns:
        missing = "species.parquet is missing, so single species cannot be shown."
        return Section("species", title, html.notice(missing))
    ap = numbers(species, "ap")
    caption = "A model can look good on average and fail for many species: look at the left end."
    figure = score_histogram(ap, label="average precision")
    drawn = [drawings.svg("species-precision", figure, caption)]
    known = next((name for name in ("n_train", "n") if name in species.columns), None)
    if known is not None:
        figure = score_against_records(
            numbers(species, known),
            ap,
            label="average precision",
            where="sites" if contents.has_points else "samples",
        )
        caption = "Rare species are harder to rank and harder to judge: their scores scatter."
        drawn.append(drawings.svg("species-records", figure, caption))
    parts: list[str | None] = [sections.panels(drawn), _by_class(contents)]
    for place, (named, rows) in enumerate(_short_tables(species, ap)):
        listed = _species_table(species, rows, sites=contents.has_points)
        parts += [html.details(named, listed)] if place else [element("h3", named), listed]
    if every:
        judged = np.flatnonzero(np.isfinite(ap))[:MOST_ROWS]
        listed = _species_table(species, judged, sites=contents.has_points)
        parts.append(html.details(f"All {len(judged)}", listed))
    return Section("species", title, html.joined(parts))


def _by_class(contents: Contents) -> Html | None:
    """Scores by taxonomic class, where there is more than one."""
    classes = contents.metrics.get("per_target") or {}
    if len(classes) < 2 or contents.protocol.get("judged") == "survey":
        return None  # a survey tells single species there
    names = list(dict.fromkeys(key for scores in classes.values() for key in scores))
    rows = [
        [name, *[_count_or_score(key, scores.get(key)) for key in names]]
        for name, scores in classes.items()
        if any(_is_known(value) for key, value in scores.items() if key != "species")
    ]
    if not rows:
        return None
    what = "group" if contents.has_points else "class"
    head = [what.capitalize(), *[words(name).column for name in names]]
    return html.table(head, rows, caption=f"Means over the species of each {what}.")


def _is_known(value: object) -> bool:
    return isinstance(value, int | float) and np.isfinite(value)


def _count_or_score(name: str, value: object) -> str:
    whole = name == "species" and isinstance(value, int | float)
    return number(round(float(value))) if whole and isinstance(value, float) else number(value)


def _short_tables(
    species: pl.DataFrame, ap: NDArray[np.float64]
) -> list[tuple[str, NDArray[np.int64]]]:
    """Rows of the most recorded, the best and the worst predicted species that were judged."""
    judged = np.flatnonzero(np.isfinite(ap))
    if not judged.size:
        return []
    by_ap = judged[np.argsort(ap[judged], kind="stable")]
    tables = [("Predicted best", by_ap[::-1][:TABLE_ROWS]), ("Predicted worst", by_ap[:TABLE_ROWS])]
    if "n" in species.columns:
        counts = numbers(species, "n")[judged]
        common = judged[np.argsort(-counts, kind="stable")][:TABLE_ROWS]
        tables.insert(0, ("Most recorded", common))
    return tables


def _species_table(species: pl.DataFrame, rows: NDArray[np.int64], *, sites: bool) -> Html:
    shown = [
        (name, label.replace("samples", "sites") if sites else label)
        for name, label in _COLUMNS
        if name in species.columns
    ]
    cells = []
    for row in rows:
        record = species.row(int(row), named=True)
        names = [record.get(key) for key in ("common_name", "scientific_name", "code")]
        first = next(str(name) for name in names if name)
        second = str(record.get("scientific_name") or "")
        name = html.joined([first, element("small", f" {second}") if second != first else None])
        cells.append([name, *[number(record[key]) for key, _ in shown]])
    return html.table(["Species", *[label for _, label in shown]], cells)


def calibration_section(contents: Contents, drawings: Drawings) -> Section | None:
    """The reliability curve, also as it was before calibration, and the scores of probabilities.

    None where points learnt from presences alone: their answers are no probabilities.
    """
    title = "Can the probabilities be believed?"
    bins = contents.json("reliability.json")
    if bins is None and contents.has_points:
        return None
    if bins is None:
        drawn = html.notice("reliability.json is missing, so there is no calibration curve.")
    else:
        predicted, observed, counts = (np.asarray(bins[key], np.float64) for key in _BINS)
        raw = bins.get("raw")
        before = None if raw is None else tuple(np.asarray(raw[key], np.float64) for key in _BINS)
        figure = (
            plain_reliability(predicted, observed, counts, np.asarray(bins["edges"], np.float64))
            if contents.has_points
            else reliability(predicted, observed, counts, before=before)
        )
        drawn = drawings.svg(
            "reliability",
            figure,
            "Above the dashed line species are there more often than the model says, below it "
            "less often. Bars: how many predictions fell into each step"
            + (_OUT_OF_FOLD if contents.protocol.get("judged") == "folds" else "")
            + ("." if contents.has_points else _MOSTLY_ABSENT)
            + (" Grey: the network's own probabilities, before calibration." if before else ""),
        )
    scores = contents.metrics["scores"]
    rows = [
        [words(name).label, number(scores[name], 4)]
        for name in ("brier", "log_loss", "ece")
        if isinstance(scores.get(name), int | float)
    ]
    table = html.table(["Score", "Value"], rows) if rows else None
    return Section("calibration", title, sections.panels([drawn, *([table] if table else [])]))
