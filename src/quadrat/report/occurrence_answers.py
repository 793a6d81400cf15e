"""What an occurrence model answers when the report asks it: seasons, a place's year, a range."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quadrat.errors import QuadratError
from quadrat.report import html
from quadrat.report.contents import Contents
from quadrat.report.html import Html, Section
from quadrat.report.maps import range_map, richness_map
from quadrat.report.occurrence_figures import list_length, phenology
from quadrat.report.projections import EqualEarth, suitable
from quadrat.report.sections import Drawings
from quadrat.runtime.weeks import week_label

if TYPE_CHECKING:
    import polars as pl

Array = NDArray[np.float64]

SHOWN_SPECIES = 14
"""Species in the strip of the year."""

WORLD_RESOLUTION = 2
REGION_STEPS = 70
"""How finely maps are asked for: H3 cells of the world, steps along a region's longer side. Coarse,
so that a report takes seconds."""

KM_PER_DEGREE = 111.2

SEASONS = {2: "mid-January", 26: "mid-July"}
"""Weeks of which the expected number of species is mapped."""

MOSTLY_LAND = 0.9
"""Where more of the judged cells than this lie on land, the sea is left blank."""

_CHUNK = 512
"""Places asked for at a time: answers are places × species."""


def answers(
    contents: Contents,
    species: pl.DataFrame | None,
    cells: pl.DataFrame | None,
    drawings: Drawings,
) -> Section:
    """The section that asks the model itself.

    Args:
        contents: The run.
        species: ``species.parquet``, for an example species.
        cells: ``cells.parquet``, for an example place and the region.
        drawings: Receives the figures.
    """
    title = "What it answers"
    if cells is None or not cells.height or not {"lat", "lon"} <= set(cells.columns):
        return Section("answers", title, html.notice("cells.parquet is missing: nothing to ask."))
    try:
        predictor = _predictor(contents)
    except QuadratError as error:
        told = f"The model could not be asked: {str(error).splitlines()[0]}"
        return Section("answers", title, html.notice(told))
    places = _places(cells)
    parts = [
        *(_seasons(predictor, places, drawings) if places.lat.size else []),
        *_year(predictor, cells, drawings),
        _range(predictor, species, places, drawings) if places.lat.size else None,
    ]
    return Section("answers", title, html.joined(parts))


def _predictor(contents: Contents) -> Any:
    from quadrat.predictors import load_run

    return load_run(contents.folder).predictor


@dataclass(frozen=True)
class _Places:
    """Places all over a map.

    Args:
        lat: Degrees ``(n,)``.
        lon: Degrees ``(n,)``.
        radius_km: How far each place's colour reaches.
    """

    lat: Array
    lon: Array
    radius_km: float


def _places(cells: pl.DataFrame) -> _Places:
    """Places where the judged cells are: the hexagons of the world, or a fine grid of a region."""
    from quadrat.geo import EDGE_KM, all_cells, cell_centres, is_land

    known_lat, known_lon = numbers(cells, "lat"), numbers(cells, "lon")
    if isinstance(suitable(known_lat, known_lon), EqualEarth):
        lat, lon = cell_centres(all_cells(WORLD_RESOLUTION))
        radius = 1.25 * EDGE_KM[WORLD_RESOLUTION]
    else:
        west, south, east, north = (
            known_lon.min() - 1,
            max(known_lat.min() - 1, -90),
            known_lon.max() + 1,
            min(known_lat.max() + 1, 90),
        )
        step = max(east - west, north - south) / REGION_STEPS
        rows, columns = np.arange(south + step / 2, north, step), np.arange(west, east, step)
        lat, lon = (axis.ravel() for axis in np.meshgrid(rows, columns, indexing="ij"))
        radius = 0.8 * step * KM_PER_DEGREE
    if is_land(known_lat, known_lon).mean() > MOSTLY_LAND:
        kept = is_land(lat, lon)
        lat, lon = lat[kept], lon[kept]
    return _Places(lat, lon, radius)


def _seasons(predictor: Any, places: _Places, drawings: Drawings) -> list[Html]:
    """Two maps of the expected number of species, half a year apart, in the same colours."""
    from quadrat.geo import land_polygons

    expected = {
        week: _asked(predictor, places, week, lambda found: found.sum(axis=1, dtype=np.float64))
        for week in SEASONS
    }
    top = max(float(np.percentile(values, 99.5)) for values in expected.values())
    return [
        drawings.svg(
            f"richness-week-{week}",
            richness_map(
                places.lat,
                places.lon,
                values,
                land_polygons(),
                title=f"Expected number of species in {SEASONS[week]}",
                radius_km=places.radius_km,
                top=top,
            ),
            "The sum of all species' probabilities at each place, as recorded lists would hold it "
            f"in week {week}. Both seasons have the same colours.",
            kind="map",
        )
        for week, values in expected.items()
    ]


def _asked(
    predictor: Any, places: _Places, week: int, pick: Callable[[NDArray[np.float32]], Array]
) -> Array:
    """One number a place and week, ``(n,)``, picked from the probabilities of all species."""
    parts = [
        pick(
            predictor.probabilities(
                places.lat[start : start + _CHUNK], places.lon[start : start + _CHUNK], week
            )
        )
        for start in range(0, len(places.lat), _CHUNK)
    ]
    return np.concatenate(parts)


def _year(predictor: Any, cells: pl.DataFrame, drawings: Drawings) -> list[Html]:
    """The year at the cell with the most observations."""
    counted = numbers(cells, "n") if "n" in cells.columns else np.ones(cells.height)
    place = int(np.argmax(np.nan_to_num(counted, nan=-1)))
    lat, lon = float(numbers(cells, "lat")[place]), float(numbers(cells, "lon")[place])
    weeks = np.arange(1, 49)
    told = predictor.probabilities(np.full(48, lat), np.full(48, lon), weeks)
    by_species = told.T.astype(np.float64)
    name = coordinates(lat, lon)
    shown = telling_species(by_species)
    names = [_display_name(predictor.vocabulary.species[column]) for column in shown]
    return [
        drawings.svg(
            "year",
            phenology(names, by_species[shown], place=name),
            "Species of the judged cell with the most observations: half of them those that the "
            "model expects most, half those that come and go most clearly.",
            kind="wide",
        ),
        drawings.svg(
            "list-length",
            list_length(by_species.sum(axis=0), place=name),
            "The number of species that the model expects in each week: the sum of all "
            "probabilities.",
            kind="wide",
        ),
    ]


def telling_species(probabilities: Array) -> list[int]:
    """Species to show: half that are there all year, half that come and go; the steadiest first.

    Args:
        probabilities: ``(species, 48)``.
    """
    half = SHOWN_SPECIES // 2
    mean = probabilities.mean(axis=1)
    swing = probabilities.max(axis=1) - probabilities.min(axis=1)
    chosen = list(np.argsort(-mean, kind="stable")[:half])
    chosen += [c for c in np.argsort(-swing, kind="stable") if c not in chosen][:half]
    return sorted((int(c) for c in chosen), key=lambda column: (-float(mean[column]), column))


def _range(
    predictor: Any, species: pl.DataFrame | None, places: _Places, drawings: Drawings
) -> Html | None:
    """The range of the best predicted of the common species, when it is recorded most."""
    from quadrat.geo import land_polygons

    code = example_species(species)
    if code is None or species is None:
        return None
    week, column = _peak_week(species, code), predictor.vocabulary.find(code)
    named = predictor.vocabulary.species[column]
    figure = range_map(
        places.lat,
        places.lon,
        _asked(predictor, places, week, lambda found: found[:, column].astype(np.float64)),
        f"{_display_name(named)}, {week_label(week)}",
        land_polygons(),
        note=named.scientific,
        radius_km=places.radius_km,
    )
    caption = (
        "Where the model expects the species that it predicts best among the common ones, in the "
        "week with most of its records. “quadrat map” draws any species and week."
    )
    return drawings.svg("range", figure, caption, kind="map")


def example_species(species: pl.DataFrame | None) -> str | None:
    """The code of the best predicted species among the most recorded quarter."""
    if species is None or not {"code", "n", "ap"} <= set(species.columns) or not species.height:
        return None
    counts, ap = numbers(species, "n"), np.nan_to_num(numbers(species, "ap"), nan=-1)
    common = counts >= np.nanquantile(counts, 0.75)
    return str(species["code"][int(np.argmax(np.where(common, ap, -2)))])


def _peak_week(species: pl.DataFrame, code: str) -> int:
    """The week with most of a species' training samples; July where they are not told."""
    if "n_train_by_week" not in species.columns:
        return max(SEASONS)
    counts = species.filter(species["code"] == code)["n_train_by_week"].to_list()[0]
    return int(np.argmax(counts)) + 1


def _display_name(species: Any) -> str:
    return str(species.common or species.scientific or species.code)


def numbers(frame: pl.DataFrame, name: str) -> Array:
    """A column as numbers ``(rows,)``, NaN where blank."""
    return frame[name].cast(float).fill_null(np.nan).to_numpy()


def coordinates(lat: float, lon: float) -> str:
    """A place in degrees, such as ``46.2° N, 6.1° E``."""
    north, east = "N" if lat >= 0 else "S", "E" if lon >= 0 else "W"
    return f"{abs(lat):.1f}° {north}, {abs(lon):.1f}° {east}"
