"""Response curves of networks that read the environment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.errors import UsageError
from quadrat.occurrence.judging.what_it_learnt import SEASONS, columns_read
from quadrat.occurrence.predictor import OccurrencePredictor
from quadrat.occurrence.records.places import read_coordinates
from quadrat.occurrence.responses.axes import Axis
from quadrat.occurrence.responses.curves import (
    PLACES,
    chosen_species,
    response_table,
    some_places,
)
from quadrat.occurrence.samples.known_environment import KnownEnvironment
from quadrat.runtime.weeks import WEEKS
from quadrat.tables import numeric_column, read_table

Floats = NDArray[np.float64]


def environment_response(
    predictor: OccurrencePredictor,
    known: KnownEnvironment,
    table: Path | None,
    *,
    species: Sequence[str],
    week: int | None,
    seed: int,
) -> pl.DataFrame:
    """How probabilities follow the environment, all else of a place being as it is.

    Args:
        predictor: A network that reads the environment.
        known: What the run knows of its cells.
        table: Places with ``lat``, ``lon`` and columns of the environment; for columns that it
            lacks the nearest cell of the run speaks. By default the run's own cells.
        species: Names of the wanted species; by default the first ones.
        week: 1-48, or 0 for the whole year; by default the mean of four weeks of the year.
        seed: Of the choice of places.

    Returns:
        See `response_table`; values are in the units of the training table.

    Raises:
        UsageError: There is no such week.
        DataError: The table cannot be used.
        UnknownNameError: The model does not know a species.
    """
    if week is not None and not 0 <= week <= WEEKS:
        raise UsageError(f"--week {week}: weeks are 1-{WEEKS}, or 0 for the whole year.")
    columns = chosen_species(predictor.vocabulary, species)
    lat, lon, values = _places(known, table)
    axes = _axes(predictor, known, values, "the run's cells" if table is None else str(table))
    rows = some_places(len(lat), PLACES, seed)
    names = known.names
    own = dict(zip(names, values[rows].T, strict=True))
    weeks = np.array(SEASONS if week is None else (week,))[:, None]

    def ask(axis: Axis, value: float | str) -> NDArray[np.float32]:
        environment = {**own, axis.name: np.full(len(rows), value, np.float64)}
        found = predictor.probabilities(
            np.tile(lat[rows], len(weeks)),
            np.tile(lon[rows], len(weeks)),
            np.repeat(weeks, len(rows)),
            {name: np.tile(column, len(weeks)) for name, column in environment.items()},
            columns=columns,
        )
        mean: NDArray[np.float32] = found.reshape(len(weeks), len(rows), -1).mean(axis=0)
        return mean

    return response_table(axes, [predictor.vocabulary.codes[c] for c in columns], ask)


def _places(known: KnownEnvironment, table: Path | None) -> tuple[Floats, Floats, Floats]:
    """Latitudes, longitudes, and the environment there ``(N, columns)``."""
    if table is None:
        return known.lat, known.lon, known.values
    frame = read_table(table)
    lat, lon = read_coordinates(frame, table)
    values = known.at(lat, lon)
    for column, name in enumerate(known.names):
        if name in frame.columns:
            given = numeric_column(frame, name, table)
            np.copyto(values[:, column], given, where=~np.isnan(given))
    return lat, lon, values


def _axes(
    predictor: OccurrencePredictor, known: KnownEnvironment, values: Floats, table: str
) -> list[Axis]:
    """The columns that the network reads, with their values."""
    read = set(columns_read(predictor.own_network, known.encoder))
    return [
        Axis.of_classes(column.name, own, column.classes, table)
        if column.kind == "class"
        else Axis.of_numbers(column.name, own, table)
        for column, own in zip(known.encoder.columns, values.T, strict=True)
        if column.name in read
    ]
