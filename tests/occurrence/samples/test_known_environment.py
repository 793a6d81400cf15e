import numpy as np
import pytest

from quadrat.errors import RunError, UsageError
from quadrat.geo import all_cells, cell_centres, great_circle_km
from quadrat.occurrence.records.cells import read_cells
from quadrat.occurrence.samples.environment import EnvironmentEncoder
from quadrat.occurrence.samples.known_environment import KnownEnvironment

from ..tables import columns, random_lists, write


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    made = columns(random_lists(200, ["a", "b"]))
    made["elevation_m"][3] = None
    return read_cells(write(tmp_path_factory.mktemp("known") / "cells.parquet", made))


@pytest.fixture(scope="module")
def known(table):
    encoder = EnvironmentEncoder.fitted(table.environment_names, table.environment[:100])
    return KnownEnvironment.of(table, encoder)


def test_the_nearest_cell_speaks_within_its_reach(table, known):
    generator = np.random.default_rng(0)
    lat = np.degrees(np.arcsin(generator.uniform(-1, 1, 300)))
    lon = generator.uniform(-180, 180, 300)
    found = known.at(lat, lon)
    km = great_circle_km(lat[:, None], lon[:, None], table.lat, table.lon)
    nearest, near = km.argmin(axis=1), km.min(axis=1) <= 2 * 483.0568
    np.testing.assert_array_equal(found[near], table.environment[nearest[near]])
    assert 0 < near.sum() < 300 and np.isnan(found[~near]).all()


def test_every_point_of_a_cell_is_within_its_reach():
    """Also where the grid is most distorted."""
    lat, lon = cell_centres(all_cells(1))
    known = KnownEnvironment(
        EnvironmentEncoder(()), lat, lon, np.empty((len(lat), 0)), 2 * 483.0568
    )
    generator = np.random.default_rng(0)
    points = np.degrees(np.arcsin(generator.uniform(-1, 1, 9000)))
    elsewhere = generator.uniform(-180, 180, 9000)
    distance, _ = known._tree.query(
        np.stack(
            [
                np.cos(np.radians(points)) * np.cos(np.radians(elsewhere)),
                np.cos(np.radians(points)) * np.sin(np.radians(elsewhere)),
                np.sin(np.radians(points)),
            ],
            axis=1,
        )
    )
    assert (distance * 6371 < 2 * 483.0568).all()


def test_what_is_given_goes_before_what_the_cells_know(table, known):
    lat, lon = table.lat[:4], table.lon[:4]
    given = {"elevation_m": np.array([1000.0, np.nan, np.nan, 7.0])}
    expected = table.environment[:4].copy()
    column = table.environment_names.index("elevation_m")
    expected[0, column], expected[3, column] = 1000.0, 7.0
    np.testing.assert_array_equal(known.encoded(lat, lon, given), known.encoder.encoded(expected))
    assert np.isnan(known.encoded(lat, lon)[3, known.encoder.positions(["elevation_m"])]).all()


def test_unknown_names_are_refused(table, known):
    with pytest.raises(UsageError, match="Did you mean 'elevation_m'"):
        known.encoded(table.lat[:1], table.lon[:1], {"elevation": np.zeros(1)})


def test_saved_and_loaded(known, tmp_path, table):
    known.save(tmp_path)
    again = KnownEnvironment.load(tmp_path)
    assert again.encoder == known.encoder and again.reach_km == known.reach_km
    np.testing.assert_array_equal(
        again.encoded(table.lat, table.lon), known.encoded(table.lat, table.lon)
    )
    text = (tmp_path / "environment.json").read_text()
    (tmp_path / "environment.json").write_text(text.replace("elevation_m", "height_m"))
    with pytest.raises(RunError, match="different columns"):
        KnownEnvironment.load(tmp_path)


def test_places_without_cells_reach_to_their_neighbours(tmp_path):
    made = columns(random_lists(4, ["a", "b"]))
    del made["h3_index"]
    made |= {"lat": [0.0, 0.0, 0.0, 50.0], "lon": [10.0, 11.0, 12.0, 10.0]}
    table = read_cells(write(tmp_path / "cells.parquet", made))
    known = KnownEnvironment.of(
        table, EnvironmentEncoder.fitted(table.environment_names, table.environment)
    )
    assert known.reach_km == pytest.approx(great_circle_km(0, 10, 0, 11))
