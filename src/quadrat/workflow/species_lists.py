"""Species lists for other programs: of one place, of many, or of all of them together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from quadrat.engine import current_progress
from quadrat.errors import DataError, UsageError
from quadrat.runs import require_writable
from quadrat.tables import FIRST_ROW, read_table
from quadrat.workflow.places import Threshold, chosen_week, occurrence_run, selection

if TYPE_CHECKING:
    import polars as pl

    from quadrat.occurrence.answering import SpeciesPredictor
    from quadrat.occurrence.records.places import PlaceTable

Names = set[tuple[str, str]]

_NAMING = ("name", "site", "place", "id", "sample")
"""Columns that may name a place, the first that is there."""

_ROWS = 512
"""Places asked for at a time: answers are places × species."""

_NAMED = 20
"""Far places that are named; of more, it is said how many."""


def birdnet_lists(
    run: Path | str,
    *,
    places: Path | str,
    out: Path | str,
    week: int | None = None,
    date: str | None = None,
    top: int | None = None,
    threshold: Threshold | None = None,
    union: bool = False,
) -> list[Path]:
    """Writes BirdNET's species lists for a table of places, and notes those far from all records.

    Args:
        run: The run folder.
        places: A table with ``lat`` and ``lon``, and ``week`` or ``date`` where neither is given
            here. A column ``name``, ``site``, ``place``, ``id`` or ``sample`` names the lists.
        out: The folder of the lists, or with ``union`` the one file.
        week: 1 to 48, 0 for the whole year, for all places.
        date: A date instead, for all places.
        top: At most so many species a place.
        threshold: Only species of at least this probability, ``"species"``: each from its own
            threshold on; 0.03 where ``top`` is not given either, as in BirdNET.
        union: One list of all species that any of the places has.

    Returns:
        The files.

    Raises:
        DataError: The table cannot be used, or a list would be empty.
        UsageError: Numbers out of range, or week and date are both given.
    """
    from quadrat.occurrence.birdnet import write_birdnet_list
    from quadrat.occurrence.records.places import read_places

    out = Path(out)
    _check_out(out, union=union)
    most, least = selection(top, threshold, birdnet=True)
    frame = _with_week(places, week, date)
    table = read_places(frame, source=places)
    predictor: SpeciesPredictor = occurrence_run(run).predictor
    _note_far(predictor, table)
    lists = list(_lists(predictor, frame, most, least))
    if union:
        write_birdnet_list(set[tuple[str, str]]().union(*lists), out)
        return [out]
    paths = [out / f"{name}.txt" for name in _file_names(frame)]
    empty = [path.name for names, path in zip(lists, paths, strict=True) if not names]
    if empty:
        raise DataError(
            "no species is probable enough for some places, and BirdNET takes an empty list for "
            "no filter at all. Nothing was written.",
            empty,
            fix="ask with a lower threshold, or leave these places out.",
        )
    for names, path in zip(lists, paths, strict=True):
        write_birdnet_list(names, path)
    return paths


def _check_out(out: Path, *, union: bool) -> None:
    if not union and out.suffix:
        raise UsageError(
            f"{out} looks like a file: give a folder, which gets a list for each place, or ask "
            "for the union of all places."
        )
    require_writable(out if union else out / "species_list.txt")


def _with_week(places: Path | str, week: int | None, date: str | None) -> pl.DataFrame:
    """The table of places, with the week that was asked for."""
    import polars as pl

    frame = read_table(Path(places))
    if week is None and date is None:
        return frame
    others = [column for column in frame.columns if column.strip().lower() not in ("week", "date")]
    return frame.select(others).with_columns(week=pl.lit(chosen_week(week, date)))


def _lists(
    predictor: SpeciesPredictor, frame: pl.DataFrame, top: int | None, threshold: Threshold
) -> Iterator[Names]:
    import numpy as np

    species = predictor.vocabulary.species
    least = predictor.thresholds if threshold == "species" else np.float32(threshold)
    for start in range(0, frame.height, _ROWS):
        for chances in predictor.predict(frame[start : start + _ROWS]).probabilities:
            order = np.argsort(-chances, kind="stable")
            kept = order[(chances >= least)[order]][:top]
            yield {(species[c].scientific, species[c].common) for c in kept.tolist()}


def _note_far(predictor: SpeciesPredictor, places: PlaceTable) -> None:
    """Names the places that are beyond what the run was judged on."""
    import numpy as np

    far = np.flatnonzero(predictor.is_far(places.lat, places.lon))
    if not len(far):
        return
    away = predictor.distance_km(places.lat, places.lon)
    column = _naming(places.frame)
    names = [""] * len(away) if column is None else places.frame[column].to_list()
    named = [
        f"row {row + FIRST_ROW}{f', {names[row]}' if names[row] else ''} ({away[row]:.0f} km)"
        for row in far[:_NAMED].tolist()
    ]
    more = f"; and {len(far) - _NAMED} more" if len(far) > _NAMED else ""
    current_progress().note(
        f"note: {len(far)} of {len(places.lat)} places are farther from all training cells with "
        "records than 99 % of the cells the run was judged on, so that no score speaks for their "
        f"species: {'; '.join(named)}{more}."
    )


def _naming(frame: pl.DataFrame) -> str | None:
    """The column that names places."""
    return next((c for key in _NAMING for c in frame.columns if c.strip().lower() == key), None)


def _file_names(frame: pl.DataFrame) -> list[str]:
    """A name a row, each another one: the place's, with the row where several bear it."""
    column = _naming(frame)
    rows = [f"row-{row}" for row in range(FIRST_ROW, frame.height + FIRST_ROW)]
    if column is None:
        return [f"species_list-{row}" for row in rows]
    plain = [re.sub(r"[^\w.-]+", "-", str(name)).strip("-.") for name in frame[column].to_list()]
    folded = [name.casefold() for name in plain]
    return [
        name if name and folded.count(name.casefold()) == 1 else f"{name}-{row}".lstrip("-")
        for name, row in zip(plain, rows, strict=True)
    ]
