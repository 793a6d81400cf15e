"""The report of an evaluation: a species model judged again, on cells, a survey or points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from quadrat.report import html, occurrence, score_sections, sections
from quadrat.report.contents import Contents
from quadrat.report.html import Section, element
from quadrat.report.maps import richness_map
from quadrat.report.occurrence_answers import KM_PER_DEGREE, numbers
from quadrat.report.protocol import how_split
from quadrat.report.sections import Drawings
from quadrat.report.summary import Summary
from quadrat.report.words import number, words

if TYPE_CHECKING:
    import polars as pl

_TILES = (
    ("visits", "visits"),
    ("groups", "groups"),
    ("species", "species"),
    ("sites", "sites"),
    ("species_judged", "species"),
    ("table_cells", "cells"),
)
"""Keys of ``protocol`` that are told beside the primary score."""

_DOTS = 120
"""A dot's radius fits so often into the longer side of a survey's map."""


def evaluation_sections(contents: Contents, summary: Summary, drawings: Drawings) -> list[Section]:
    """All sections, in the order of reading."""
    species = contents.table("species.parquet")
    found: list[Section | None] = [
        sections.warnings(contents, summary),
        score_sections.scores(contents, summary, drawings),
        _judged_how(contents),
        _where(contents, drawings),
        occurrence.species_section(contents, species, drawings, every=True),
        occurrence.calibration_section(contents, drawings),
        sections.provenance(contents),
    ]
    return [section for section in found if section is not None]


def evaluation_tiles(protocol: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Key numbers of an evaluation beside the primary score."""
    found = [(key, label) for key, label in _TILES if isinstance(protocol.get(key), int)]
    return [(number(protocol[key]), label) for key, label in found[:4]]


def _judged_how(contents: Contents) -> Section:
    stated = {key: value for key, value in contents.protocol.items() if key != "words"}
    facts = html.facts([(key, value) for key, value in sections.flat(stated) if value != "–"])
    body = html.joined([element("p", how_split(contents)), facts])
    return Section("protocol", "How it was judged", body)


def _where(contents: Contents, drawings: Drawings) -> Section | None:
    places = contents.table("places.parquet")
    if places is not None:
        return _survey_maps(places, drawings)
    cells = contents.table("cells.parquet")
    return None if cells is None else occurrence.places_section(cells, drawings)


def _survey_maps(places: pl.DataFrame, drawings: Drawings) -> Section:
    """Where the survey was, and how right the lists are there."""
    from quadrat.geo import land_polygons

    label = words("map").label
    shown = {
        "visits": (
            "survey-visits",
            "Where the survey looked",
            "visits (count)",
            "Visits, each a place and a week, at every place of the survey.",
        ),
        "map": (
            "survey-precision",
            "Where the lists are right",
            f"{label} (0–1)",
            f"{label[:1].upper()}{label[1:]} of the visits of each place: dark where the species "
            "that were found stand first among those that were looked for. Places where nothing "
            "was found have no colour.",
        ),
    }
    lat, lon, land = numbers(places, "lat"), numbers(places, "lon"), land_polygons()
    radius = max(np.ptp(lat), np.ptp(lon)) * KM_PER_DEGREE / _DOTS
    drawn = []
    for column, (name, title, unit, caption) in shown.items():
        values = numbers(places, column)
        if not np.isfinite(values).any():
            continue
        top = float(np.nanmax(values))
        figure = richness_map(
            lat, lon, values, land, title=title, label=unit, top=top, radius_km=radius
        )
        drawn.append(drawings.svg(name, figure, caption, kind="map"))
    return Section("places", "Place by place", html.joined(drawn))
