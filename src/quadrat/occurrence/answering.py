"""What a model of species answers: probabilities, species lists, tables of places."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from quadrat.errors import RunError, UsageError
from quadrat.occurrence.network.model import pick_device
from quadrat.occurrence.network.species_network import OccurrenceNetwork, SpeciesModel
from quadrat.occurrence.records.places import (
    MAX_LATITUDE,
    MAX_LONGITUDE,
    check_places,
    read_places,
)
from quadrat.occurrence.records.taxonomy import Vocabulary
from quadrat.occurrence.samples.known_environment import Surroundings
from quadrat.occurrence.samples.observed import ObservedCells
from quadrat.runtime.calibration import Calibration
from quadrat.runtime.weeks import WEEKS, WHOLE_YEAR, week_of_date
from quadrat.tables import numeric_column

if TYPE_CHECKING:
    from quadrat.occurrence.network.one_place import OnePlace

_CHUNK = 4096
"""Samples that go through the network at a time."""
_FIRST = 32
"""Single places that are asked as batches of one, before it is worth loading what is quicker."""


@dataclass(frozen=True)
class SpeciesPredictions:
    """Probabilities of places.

    Args:
        places: The columns of the table that was given.
        codes: The species.
        probabilities: float32 ``(N, S)``.
        distance_km: Distance to the nearest observed cell ``(N,)``, if it was asked for.
    """

    places: pl.DataFrame
    codes: tuple[str, ...]
    probabilities: NDArray[np.float32]
    distance_km: NDArray[np.float64] | None = None

    def frame(self, threshold: float | NDArray[np.float32] | None = None) -> pl.DataFrame:
        """One row a place: its own columns, then one column a species code.

        Args:
            threshold: Presence (1) or absence (0) instead of float32 probabilities: from this
                probability on, one for all or for each species ``(S,)``.
        """
        values = self.probabilities
        if threshold is not None:
            values = (values >= threshold).astype(np.uint8)
        species = pl.DataFrame(values, schema=list(self.codes), orient="row")
        kept = [column for column in self.places.columns if column not in set(self.codes)]
        places = self.places.select(kept)
        if self.distance_km is not None:
            places = places.with_columns(distance_km=self.distance_km)
        return places.hstack(species)


class SpeciesPredictor:
    """What answers for the species of places, loaded once and asked often.

    Args:
        network: What gives their logits.
        vocabulary: The species of its outputs.
        environment: What is known of the environment of places, for a network that reads it.
        calibration: What makes probabilities of its logits; their sigmoid where there is none.
        observed: Where it has records, if that is known.
        device: Where it computes.
    """

    family = "occurrence"

    def __init__(
        self,
        network: SpeciesModel,
        vocabulary: Vocabulary,
        environment: Surroundings | None = None,
        *,
        calibration: Calibration | None = None,
        observed: ObservedCells | None = None,
        device: str = "auto",
    ) -> None:
        self.device = pick_device(device)
        self.network: SpeciesModel = network.to(self.device).eval()
        self.network.keep_weeks()
        self.vocabulary, self.environment = vocabulary, environment
        self.calibration, self.observed = calibration, observed
        curves = calibration or Calibration.identity(len(vocabulary))
        self._asked_alone = 0
        self._slope = torch.from_numpy(curves.slope).to(self.device)
        self._offset = torch.from_numpy(curves.offset).to(self.device)

    @property
    def thresholds(self) -> NDArray[np.float32]:
        """The probability from which each species counts as present ``(S,)``.

        Raises:
            RunError: The run fitted no thresholds.
        """
        if self.calibration is None or self.calibration.threshold is None:
            raise RunError(
                "this model has no thresholds of species: it was trained with "
                "calibrate.thresholds = 'none', or imported. Give a number."
            )
        return self.calibration.threshold

    def distance_km(self, lat: ArrayLike, lon: ArrayLike) -> NDArray[np.float64]:
        """The distance in km to the nearest training cell with records.

        Args:
            lat: Latitudes in degrees ``(N,)``.
            lon: Longitudes in degrees ``(N,)``.

        Returns:
            ``(N,)``; NaN for a model that does not know where its records were.
        """
        lats, lons = (np.atleast_1d(np.asarray(axis, np.float64)) for axis in (lat, lon))
        if self.observed is None:
            return np.full(len(lats), np.nan)
        return self.observed.distance_km(lats, lons)

    def is_far(self, lat: ArrayLike, lon: ArrayLike) -> NDArray[np.bool_]:
        """Whether places are farther from all records than 99 % of the judged cells ``(N,)``."""
        limit = np.inf if self.observed is None else self.observed.far_km
        return self.distance_km(lat, lon) > limit

    def predict(
        self, table: pl.DataFrame | Path | str, *, distance: bool = False
    ) -> SpeciesPredictions:
        """Predicts a table of places.

        Args:
            table: A table or its file, with ``lat``, ``lon`` and ``week`` (0 is the whole year) or
                ``date``. Where the network reads the environment, columns of it may be given, in
                the units of the training table.
            distance: Tell how far the places are from the nearest observed cell.

        Raises:
            DataError: Columns are missing, or rows hold values that cannot be.
        """
        places = read_places(table)
        names = self.environment.names if self.environment is not None else ()
        given = {
            name: numeric_column(places.frame, name, "the table of places")
            for name in names
            if name in places.frame.columns
        }
        probabilities = self.probabilities(places.lat, places.lon, places.week, given)
        away = self.distance_km(places.lat, places.lon) if distance else None
        return SpeciesPredictions(places.frame, self.vocabulary.codes, probabilities, away)

    def probabilities(
        self,
        lat: ArrayLike,
        lon: ArrayLike,
        week: ArrayLike,
        environment: Mapping[str, ArrayLike] | None = None,
        *,
        columns: Sequence[int] | None = None,
    ) -> NDArray[np.float32]:
        """The probability of every species, or of some.

        Args:
            lat: Latitudes in degrees ``(N,)``.
            lon: Longitudes in degrees ``(N,)``.
            week: Weeks 1-48 ``(N,)``, or 0 for the whole year: the maximum over all weeks. The
                three broadcast.
            environment: Environment columns in the units of the training table, by name ``(N,)``,
                NaN where unknown. Where the network reads the environment and it is not given
                here, the nearest cell of the run speaks for places near enough to it.
            columns: Positions of the wanted species in ``vocabulary``; all by default. The cost of
                the last layer is that of these species only.

        Returns:
            float32 ``(N, S)`` in the order of ``vocabulary``, or of ``columns``.

        Raises:
            DataError: A latitude, longitude or week outside its range.
            UsageError: The network does not know an environment column.
        """
        if columns is None:
            alone = self._alone(lat, lon, week, environment or {})
            if alone is not None:
                return alone
        chosen: slice | Tensor = slice(None)
        if columns is not None:
            chosen = torch.tensor(columns, dtype=torch.int64, device=self.device)
        return self._answers(lat, lon, week, environment or {}, chosen)

    def species_list(
        self,
        lat: float,
        lon: float,
        week: int | None = None,
        *,
        date: str | dt.date | None = None,
        top: int | None = None,
        threshold: float | Literal["species"] = 0.0,
        environment: Mapping[str, float] | None = None,
    ) -> pl.DataFrame:
        """The species of a place, the most probable first.

        Args:
            lat: Latitude in degrees.
            lon: Longitude in degrees.
            week: 1-48, or 0 for the whole year.
            date: A date instead of the week.
            top: At most so many species.
            threshold: Only species at least as probable as this; ``"species"``: each at its own.
            environment: Environment columns by name, as in `probabilities`.

        Returns:
            Columns ``code``, ``scientific_name``, ``common_name`` and ``probability``.

        Raises:
            UsageError: Neither week nor date is given, or both.
            RunError: The run has no thresholds of species.
        """
        if date is not None and week is None:
            week = week_of_date(date)
        elif week is None or date is not None:
            raise UsageError("give either a week (1-48, 0 for the whole year) or a date.")
        probability = self.probabilities(lat, lon, week, environment)[0]
        least = self.thresholds if threshold == "species" else np.float32(threshold)
        order = _most_probable(probability, np.flatnonzero(probability >= least), top)
        return self._names[order].with_columns(probability=probability[order])

    @cached_property
    def _names(self) -> pl.DataFrame:
        """The species' names, in the order of the vocabulary."""
        species = self.vocabulary.species
        names = {
            "code": [s.code for s in species],
            "scientific_name": [s.scientific for s in species],
            "common_name": [s.common for s in species],
        }
        return pl.DataFrame(names, schema=dict.fromkeys(names, pl.String))

    @cached_property
    def _one_place(self) -> OnePlace | None:
        from quadrat.occurrence.network.one_place import OnePlace

        network = self.network
        if isinstance(network, OccurrenceNetwork) and OnePlace.can_be(network):
            return OnePlace(network)
        return None

    def _alone(
        self, lat: ArrayLike, lon: ArrayLike, week: ArrayLike, environment: Mapping[str, ArrayLike]
    ) -> NDArray[np.float32] | None:
        """The answer for one place in one week ``(1, S)``; None for what `_answers` must see to."""
        if np.ndim(lat) or np.ndim(lon) or np.ndim(week):
            return None
        self._asked_alone += 1
        if self._asked_alone <= _FIRST or self._one_place is None:
            return None
        north, east, number = float(lat), float(lon), int(week)  # type: ignore[arg-type]
        if not (abs(north) <= MAX_LATITUDE and abs(east) <= MAX_LONGITUDE and 1 <= number <= WEEKS):
            return None
        known = self._known(np.array([north]), np.array([east]), environment)
        logits = torch.from_numpy(self._one_place.logits((north, east), number, known))
        answer = torch.addcmul(self._offset, logits, self._slope).sigmoid_()
        probabilities: NDArray[np.float32] = answer[None].numpy()
        return probabilities

    def _answers(
        self,
        lat: ArrayLike,
        lon: ArrayLike,
        week: ArrayLike,
        environment: Mapping[str, ArrayLike],
        columns: slice | Tensor,
    ) -> NDArray[np.float32]:
        lats, lons, weeks = np.broadcast_arrays(
            np.atleast_1d(np.asarray(lat, np.float64)),
            np.asarray(lon, np.float64),
            np.asarray(week, np.int64),
        )
        check_places(lats, lons, weeks)
        position = torch.from_numpy(np.stack([lats, lons], axis=1)).float()
        known = self._known(lats, lons, environment)
        width = len(self._offset[columns])
        answer = np.empty((len(lats), width), np.float32)
        year = weeks == WHOLE_YEAR
        for rows in _chunks(np.flatnonzero(~year), _CHUNK):
            week_of = torch.tensor(weeks[rows])
            answer[rows] = self._forward(position[rows], week_of, known[rows], columns)
        every = torch.arange(1, WEEKS + 1)
        for rows in _chunks(np.flatnonzero(year), _CHUNK // WEEKS):
            place, surroundings = (
                values[rows].repeat_interleave(WEEKS, dim=0) for values in (position, known)
            )
            found = self._forward(place, every.repeat(len(rows)), surroundings, columns)
            answer[rows] = found.reshape(len(rows), WEEKS, -1).max(axis=1)
        return answer

    def _known(
        self,
        lat: NDArray[np.float64],
        lon: NDArray[np.float64],
        given: Mapping[str, ArrayLike],
    ) -> Tensor:
        """The encoded environment ``(N, E)``; E is 0 where the network does not read it."""
        if self.environment is None:
            if given:
                raise UsageError(
                    "this model reads no environment (network.environment_input was off); ask "
                    "without it."
                )
            return torch.empty(len(lat), 0)
        columns = {
            name: np.broadcast_to(np.asarray(values, np.float64), lat.shape)
            for name, values in given.items()
        }
        return torch.from_numpy(self.environment.encoded(lat, lon, columns))

    @torch.inference_mode()
    def _forward(
        self, position: Tensor, week: Tensor, environment: Tensor, columns: slice | Tensor
    ) -> NDArray[np.float32]:
        inputs = (values.to(self.device) for values in (position, week, environment))
        logits = self.network.logits(self.network.features(*inputs), columns).float()
        logits = torch.addcmul(self._offset[columns], logits, self._slope[columns])
        probabilities: NDArray[np.float32] = logits.sigmoid().cpu().numpy()
        return probabilities


def _most_probable(
    probability: NDArray[np.float32], columns: NDArray[np.int64], top: int | None
) -> NDArray[np.int64]:
    """The given columns by falling probability, equal ones in their order, at most ``top``."""
    values = -probability[columns]
    if top is not None and 0 < top < len(values):
        chosen = values <= np.partition(values, top - 1)[top - 1]
        columns, values = columns[chosen], values[chosen]
    return columns[np.argsort(values, kind="stable")][:top]


def _chunks(rows: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]
