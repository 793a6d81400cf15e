"""A trained network that answers: probabilities, species lists, range maps, tables of places."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from quadrat.errors import UsageError
from quadrat.geo import is_land
from quadrat.occurrence.network.calibration import load_calibration, save_calibration
from quadrat.occurrence.network.model import NetworkSpec, load_model, pick_device, save_model
from quadrat.occurrence.network.species_network import OccurrenceNetwork
from quadrat.occurrence.records.places import check_places, read_places
from quadrat.occurrence.records.taxonomy import Species, Vocabulary
from quadrat.occurrence.samples.known_environment import KnownEnvironment
from quadrat.runtime.calibration import Calibration
from quadrat.runtime.weeks import WEEKS, WHOLE_YEAR, week_of_date
from quadrat.tables import numeric_column

_CHUNK = 4096
"""Samples that go through the network at a time."""


@dataclass(frozen=True)
class SpeciesPredictions:
    """Probabilities of places.

    Args:
        places: The columns of the table that was given.
        codes: The species.
        probabilities: float32 ``(N, S)``.
    """

    places: pl.DataFrame
    codes: tuple[str, ...]
    probabilities: NDArray[np.float32]

    def frame(self) -> pl.DataFrame:
        """One row a place: its own columns, then one float32 column a species code."""
        species = pl.DataFrame(self.probabilities, schema=list(self.codes), orient="row")
        kept = [column for column in self.places.columns if column not in set(self.codes)]
        return self.places.select(kept).hstack(species)


@dataclass(frozen=True)
class RangeMap:
    """Where a species is to be found in a week.

    Args:
        species: The species.
        week: 1-48, 0 for the whole year.
        lat: Latitudes of the middles of the rows, from north to south ``(H,)``.
        lon: Longitudes of the middles of the columns, from west to east ``(W,)``.
        probability: float32 ``(H, W)``; NaN at sea where only land was asked for.
    """

    species: Species
    week: int
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    probability: NDArray[np.float32]


class OccurrencePredictor:
    """A network with its species, loaded once and asked often.

    Args:
        network: The network.
        spec: Its shape.
        vocabulary: The species of its outputs.
        environment: What is known of the environment of places, for a network that reads it.
        calibration: What makes probabilities of its logits; their sigmoid where there is none.
        device: Where it computes.
    """

    family = "occurrence"

    def __init__(
        self,
        network: OccurrenceNetwork,
        spec: NetworkSpec,
        vocabulary: Vocabulary,
        environment: KnownEnvironment | None = None,
        *,
        calibration: Calibration | None = None,
        device: str = "auto",
    ) -> None:
        self.device = pick_device(device)
        self.network = network.to(self.device).eval()
        self.spec, self.vocabulary, self.environment = spec, vocabulary, environment
        self.calibration = calibration
        curves = calibration or Calibration.identity(len(vocabulary))
        self._slope = torch.from_numpy(curves.slope).to(self.device)
        self._offset = torch.from_numpy(curves.offset).to(self.device)

    @classmethod
    def load(cls, folder: Path | str, *, device: str = "auto") -> OccurrencePredictor:
        """Loads a run folder or a saved predictor; the training data are not needed.

        Raises:
            RunError: The folder holds no occurrence model.
        """
        folder = Path(folder)
        network, spec, vocabulary = load_model(folder)
        known = KnownEnvironment.load(folder) if spec.environment_inputs else None
        calibration = load_calibration(folder, len(vocabulary))
        return cls(network, spec, vocabulary, known, calibration=calibration, device=device)

    def save(self, folder: Path | str) -> None:
        """Writes what `load` needs into a folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        save_model(folder, self.network, self.spec, self.vocabulary, "model.safetensors")
        if self.environment is not None:
            self.environment.save(folder)
        save_calibration(folder, self.calibration)

    def predict(self, table: pl.DataFrame | Path | str) -> SpeciesPredictions:
        """Predicts a table of places.

        Args:
            table: A table or its file, with ``lat``, ``lon`` and ``week`` (0 is the whole year) or
                ``date``. Where the network reads the environment, columns of it may be given, in
                the units of the training table.

        Raises:
            DataError: Columns are missing, or rows hold values that cannot be.
        """
        places = read_places(table)
        names = self.environment.encoder.names if self.environment is not None else ()
        given = {
            name: numeric_column(places.frame, name, "the table of places")
            for name in names
            if name in places.frame.columns
        }
        probabilities = self.probabilities(places.lat, places.lon, places.week, given)
        return SpeciesPredictions(places.frame, self.vocabulary.codes, probabilities)

    def probabilities(
        self,
        lat: ArrayLike,
        lon: ArrayLike,
        week: ArrayLike,
        environment: Mapping[str, ArrayLike] | None = None,
    ) -> NDArray[np.float32]:
        """The probability of every species.

        Args:
            lat: Latitudes in degrees ``(N,)``.
            lon: Longitudes in degrees ``(N,)``.
            week: Weeks 1-48 ``(N,)``, or 0 for the whole year: the maximum over all weeks. The
                three broadcast.
            environment: Environment columns in the units of the training table, by name ``(N,)``,
                NaN where unknown. Where the network reads the environment and it is not given
                here, the nearest cell of the run speaks for places near enough to it.

        Returns:
            float32 ``(N, S)`` in the order of ``vocabulary``.

        Raises:
            DataError: A latitude, longitude or week outside its range.
            UsageError: The network does not know an environment column.
        """
        return self._answers(lat, lon, week, slice(None), environment)

    def species_list(
        self,
        lat: float,
        lon: float,
        week: int | None = None,
        *,
        date: str | dt.date | None = None,
        top: int | None = None,
        threshold: float = 0.0,
        environment: Mapping[str, float] | None = None,
    ) -> pl.DataFrame:
        """The species of a place, the most probable first.

        Args:
            lat: Latitude in degrees.
            lon: Longitude in degrees.
            week: 1-48, or 0 for the whole year.
            date: A date instead of the week.
            top: At most so many species.
            threshold: Only species at least as probable as this.
            environment: Environment columns by name, as in `probabilities`.

        Returns:
            Columns ``code``, ``scientific_name``, ``common_name`` and ``probability``.

        Raises:
            UsageError: Neither week nor date is given, or both.
        """
        if date is not None and week is None:
            week = week_of_date(date)
        elif week is None or date is not None:
            raise UsageError("give either a week (1-48, 0 for the whole year) or a date.")
        probability = self.probabilities(lat, lon, week, environment)[0]
        order = np.argsort(-probability, kind="stable")
        order = order[probability[order] >= threshold][:top]
        species = [self.vocabulary.species[column] for column in order.tolist()]
        return pl.DataFrame(
            {
                "code": [s.code for s in species],
                "scientific_name": [s.scientific for s in species],
                "common_name": [s.common for s in species],
                "probability": probability[order],
            },
            schema_overrides={"code": pl.String, "scientific_name": pl.String},
        )

    def range_map(
        self,
        species: str,
        week: int,
        *,
        step_degrees: float = 1.0,
        bounds: tuple[float, float, float, float] = (-180.0, -90.0, 180.0, 90.0),
        land_only: bool = False,
    ) -> RangeMap:
        """The probability of one species over a grid.

        Args:
            species: Code, scientific name or common name.
            week: 1-48, or 0 for the whole year.
            step_degrees: Distance of neighbouring points.
            bounds: Longitude from, latitude from, longitude to, latitude to, in degrees; a
                longitude beyond 180 goes across the dateline.
            land_only: NaN at sea.

        Raises:
            UnknownNameError: The model does not know the species.
            UsageError: The grid is empty.
        """
        west, south, east, north = bounds
        if step_degrees <= 0 or east <= west or north <= south:
            raise UsageError(
                f"the bounds {bounds} with steps of {step_degrees} degrees hold no points: give "
                "longitude from, latitude from, longitude to, latitude to."
            )
        column = self.vocabulary.find(species)
        lat = np.arange(north - step_degrees / 2, south, -step_degrees)
        lon = np.arange(west + step_degrees / 2, east, step_degrees)
        grid_lat, grid_lon = (axis.ravel() for axis in np.meshgrid(lat, lon, indexing="ij"))
        wanted = is_land(grid_lat, grid_lon) if land_only else np.ones(len(grid_lat), dtype=bool)
        values = np.full(len(grid_lat), np.nan, dtype=np.float32)
        if wanted.any():
            one = slice(column, column + 1)
            values[wanted] = self._answers(grid_lat[wanted], grid_lon[wanted], week, one)[:, 0]
        shape = (len(lat), len(lon))
        return RangeMap(self.vocabulary.species[column], week, lat, lon, values.reshape(shape))

    def _answers(
        self,
        lat: ArrayLike,
        lon: ArrayLike,
        week: ArrayLike,
        columns: slice,
        environment: Mapping[str, ArrayLike] | None = None,
    ) -> NDArray[np.float32]:
        lats, lons, weeks = np.broadcast_arrays(
            np.atleast_1d(np.asarray(lat, np.float64)),
            np.asarray(lon, np.float64),
            np.asarray(week, np.int64),
        )
        check_places(lats, lons, weeks)
        position = torch.from_numpy(np.stack([lats, lons], axis=1)).float()
        known = self._known(lats, lons, environment or {})
        answer = np.empty((len(lats), len(self.vocabulary)), np.float32)[:, columns]
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
        self, position: Tensor, week: Tensor, environment: Tensor, columns: slice
    ) -> NDArray[np.float32]:
        inputs = (values.to(self.device) for values in (position, week, environment))
        logits = self.network.logits(self.network.features(*inputs), columns).float()
        logits = torch.addcmul(self._offset[columns], logits, self._slope[columns])
        probabilities: NDArray[np.float32] = logits.sigmoid().cpu().numpy()
        return probabilities


def _chunks(rows: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]
