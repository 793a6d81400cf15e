"""Maps of a run of the occurrence family, as pictures and as layers for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quadrat.errors import UnknownNameError, UsageError
from quadrat.geo import WORLD, Bounds, CellGrid, RasterGrid, cell_count, parse_bounds
from quadrat.runtime.weeks import WHOLE_YEAR, parse_weeks
from quadrat.workflow.places import Threshold, check_threshold, occurrence_run

if TYPE_CHECKING:
    from quadrat.occurrence.maps import MapLayers
    from quadrat.predictors import Run

_STEPS = (1.0, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01)
_MOVING_STEPS = (2.0, *_STEPS)
_COLUMNS = 120
"""A map without a step has the coarsest one that gives its longer side so many squares. Moving
pictures ask 48 times, so theirs may be coarser."""

_CELLS = 6_000
"""A map without a resolution has the finest one with at most so many H3 cells."""


def make_map(
    run: Path | str,
    *,
    what: str = "range",
    species: str | None = None,
    group: str | None = None,
    weeks: str | int | Sequence[int] | None = None,
    bounds: str | Bounds = WORLD,
    step: float | None = None,
    resolution: int | None = None,
    land_only: bool = False,
    threshold: Threshold | None = None,
    near_only: bool = False,
    out: Path | str | None = None,
    format: str | None = None,
) -> Path:
    """Makes a map: where a species is, how many there are, or how sure the model is.

    Args:
        run: The run folder.
        what: ``"range"`` of one species, ``"richness"`` (the expected number of species) or
            ``"uncertainty"`` (of a species: entropy in bits; of the number: standard deviation).
        species: A code, a scientific name or a common name.
        group: Count the species of this taxonomic class only.
        weeks: Weeks 1-48 as numbers or as ``"1,13,26-28"``; 0 or ``"year"`` is the whole year,
            ``"all"`` every week. By default the year, and every week of an animation.
        bounds: Longitude from, latitude from, longitude to, latitude to, or a region's name.
        step: Degrees between the points of a grid.
        resolution: H3 cells of this resolution instead of a grid.
        land_only: Leave the sea blank.
        threshold: Show where the species counts as present, from this probability on;
            ``"species"``: from the species' own threshold, as the run has fitted it.
        near_only: Leave blank what is far from all training cells with records; pictures stripe it
            else.
        out: The file; by default a picture in the run's figures. Its ending says the format:
            ``.png``, ``.svg``, ``.pdf``, ``.gif``, ``.tif``, ``.gpkg`` or ``.geojson``.
        format: The format, where the file's ending does not say it.

    Returns:
        The file.

    Raises:
        UnknownNameError: The run does not know the species, the class or the region.
        UsageError: Options contradict one another.
        RunError: The run is of another family, has not finished or has no thresholds.
        MissingExtraError: The format needs a package that is not installed.
    """
    from quadrat.occurrence.maps import map_layers, near_records, presence
    from quadrat.report.map_files import map_format, write_map

    opened = occurrence_run(run)
    kind = map_format(Path(out) if out is not None else Path("map.png"), format)
    box = parse_bounds(bounds) if isinstance(bounds, str) else bounds
    if species is not None and group is not None:
        raise UsageError("a species and a class are both given: a map shows one or the other.")
    layers = map_layers(
        opened.predictor,
        what,
        _grid(kind, box, step, resolution),
        _weeks(weeks, kind),
        species=species,
        among=None if group is None else _members(opened, group),
        group=group or "",
        land_only=land_only,
    )
    if threshold is not None:
        layers = presence(layers, _least(opened.predictor, layers, threshold))
    far = opened.predictor.is_far(*layers.grid.places())
    layers = near_records(layers, far) if near_only else replace(layers, far=far)
    default = opened.path("figures") / f"{_name(layers)}.{kind}"
    return write_map(layers, out if out is not None else default, format=kind)


def _least(predictor: Any, layers: MapLayers, threshold: Threshold) -> float:
    """The probability from which the species of a map counts as present."""
    check_threshold(threshold)
    if threshold != "species":
        return threshold
    species = layers.subject.species
    if species is None:
        raise UsageError("threshold 'species' is that of one species: map its range.")
    return float(predictor.thresholds[predictor.vocabulary.find(species.code)])


def _weeks(weeks: str | int | Sequence[int] | None, kind: str) -> tuple[int, ...]:
    if weeks is None:
        return parse_weeks("all" if kind == "gif" else "year")
    if isinstance(weeks, str):
        return parse_weeks(weeks)
    return parse_weeks(",".join(map(str, [weeks] if isinstance(weeks, int) else weeks)))


def _grid(
    kind: str, bounds: Bounds, step: float | None, resolution: int | None
) -> RasterGrid | CellGrid:
    """The places to ask for, as fine as the kind of file and the bounds want them."""
    if step is not None and resolution is not None:
        raise UsageError("give a step (a grid of degrees) or a resolution (H3 cells), not both.")
    if kind == "tif" and resolution is not None:
        raise UsageError("a GeoTIFF holds a grid of degrees, not H3 cells: give a step.")
    if resolution is not None:
        return CellGrid.of(bounds, resolution)
    if step is not None:
        return RasterGrid.of(bounds, step)
    west, south, east, north = bounds
    share = (east - west) * (north - south) / (360 * 180)
    if kind in ("gpkg", "geojson"):
        fitting = (r for r in range(9, 0, -1) if cell_count(r) * share <= _CELLS)
        return CellGrid.of(bounds, next(fitting, 0))
    longer = max(east - west, north - south)
    steps = _MOVING_STEPS if kind == "gif" else _STEPS
    return RasterGrid.of(bounds, next((s for s in steps if longer / s >= _COLUMNS), steps[-1]))


def _members(run: Run, group: str) -> list[int]:
    """The positions of the species of a taxonomic class."""
    from quadrat.tables import read_table

    table = read_table(run.path("species.parquet"))
    named = dict(zip(table["code"].to_list(), table["class_name"].to_list(), strict=True))
    groups = {str(name) for name in named.values() if name}
    found = {name.casefold(): name for name in groups}.get(group.casefold())
    if found is None:
        raise UnknownNameError("class", group, groups)
    codes = run.predictor.vocabulary.codes
    return [column for column, code in enumerate(codes) if named.get(code) == found]


def _name(layers: Any) -> str:
    """A file name that tells maps apart."""
    subject, weeks = layers.subject, layers.weeks
    parts = [subject.kind]
    if subject.species is not None:
        parts.append(subject.species.code)
    if weeks == (WHOLE_YEAR,):
        parts.append("year")
    else:
        parts.append("week-" + "-".join(map(str, weeks)) if len(weeks) <= 6 else "weeks")
    return "-".join(parts)
