"""Against loops over samples and species that follow the definition word by word."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from quadrat.geo import great_circle_km, lat_lon, unit_vectors
from quadrat.occurrence.labels import propagation
from quadrat.occurrence.labels.matrix import LabelMatrix
from quadrat.occurrence.labels.propagation import TrainingCells, propagate
from quadrat.occurrence.labels.ranges import range_radii
from quadrat.occurrence.labels.similarity import EnvironmentSpace
from quadrat.occurrence.schema.labels import PropagateSection

NAMES = ("elevation_m", "temperature_c", "landcover_class")
SPECIES, WEEKS_USED = 8, 3


class World:
    """Cells around the dateline; in the first weeks some are full of species and some are not."""

    def __init__(self, seed: int, cells: int = 14, spread: float = 8.0) -> None:
        rng = np.random.default_rng(seed)
        self.lat = rng.uniform(-spread, spread, cells)
        self.lon = (180 + rng.uniform(-spread, spread, cells) + 180) % 360 - 180
        self.values = np.stack(
            [rng.normal(size=cells), rng.normal(size=cells), rng.integers(1, 3, cells)], axis=1
        ).astype(float)
        self.values[rng.random(self.values.shape) < 0.15] = np.nan
        rich = rng.random((cells, WEEKS_USED)) < 0.5
        chance = np.where(rich, 0.7, 0.15)[..., None]
        seen = rng.random((cells, WEEKS_USED, SPECIES)) < chance
        cell, week, species = np.nonzero(seen)
        shape = (cells * 48, SPECIES)
        self.labels = LabelMatrix.from_pairs(cell * 48 + week, species, shape)

    def propagate(self, section: PropagateSection) -> LabelMatrix:
        space = EnvironmentSpace.fitted(NAMES, self.values)
        cells = TrainingCells(self.lat, self.lon, space, self.labels.lengths())
        return propagate(self.labels, cells, section)

    def distance_km(self, one: int, other: int) -> float:
        place = self.lat[one], self.lon[one], self.lat[other], self.lon[other]
        return float(great_circle_km(*place))

    def unlike(self, one: int, other: int) -> float:
        squares = []
        for column, name in enumerate(NAMES):
            a, b = self.values[one, column], self.values[other, column]
            if np.isnan(a) or np.isnan(b):
                continue
            if name.endswith("_class"):
                squares.append(2.0 * (a != b))
            else:
                squares.append(((a - b) / np.nanstd(self.values[:, column])) ** 2)
        return np.sqrt(sum(squares) * len(NAMES) / len(squares)) if squares else np.inf

    def by_hand(self, section: PropagateSection) -> list[set[int]]:
        rows = sets(self.labels)
        limits = [self.limit_km(species, section) for species in range(SPECIES)]
        answer = [set(row) for row in rows]
        for row, own in enumerate(rows):
            if len(own) >= section.min_observed:
                continue
            cell, week = divmod(row, 48)
            near = [
                (self.unlike(cell, other), other)
                for other in range(len(self.lat))
                if len(rows[other * 48 + week]) >= section.min_observed
                and self.distance_km(cell, other) <= section.max_radius_km
                and self.unlike(cell, other) <= (section.max_environment_distance or np.inf)
            ]
            for _, other in sorted(near)[: section.k]:
                for species in rows[other * 48 + week]:
                    if self.nearest_record_km(cell, species) <= limits[species]:
                        answer[row].add(species)
        return answer

    def homes(self, species: int) -> list[int]:
        return sorted({row // 48 for row, seen in enumerate(sets(self.labels)) if species in seen})

    def nearest_record_km(self, cell: int, species: int) -> float:
        return min(self.distance_km(cell, home) for home in self.homes(species))

    def limit_km(self, species: int, section: PropagateSection) -> float:
        homes = self.homes(species)
        if not homes:
            return 0.0
        lat, lon = lat_lon(unit_vectors(self.lat[homes], self.lon[homes]).mean(axis=0))
        radius = great_circle_km(lat, lon, self.lat[homes], self.lon[homes]).max()
        of_range = section.max_spread * max(radius, 50.0) if section.max_spread else np.inf
        return min(of_range, section.range_cap_km or np.inf)


def sets(labels: LabelMatrix) -> list[set[int]]:
    rows = np.split(labels.indices, labels.indptr[1:-1])
    return [set(row.tolist()) for row in rows]


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    k=st.integers(1, 4),
    radius=st.sampled_from([300.0, 1000.0, 3000.0]),
    spread=st.sampled_from([0.0, 0.3, 1.0, 2.0]),
    cap=st.sampled_from([0.0, 150.0, 500.0, 5000.0]),
    unlike=st.sampled_from([0.0, 0.8, 2.0, 9.0]),
)
def test_it_is_what_the_definition_says(seed, k, radius, spread, cap, unlike):
    section = PropagateSection(
        on=True,
        k=k,
        max_radius_km=radius,
        max_spread=spread,
        min_observed=4,
        max_environment_distance=unlike,
        range_cap_km=cap,
    )
    world = World(seed)
    assert sets(world.propagate(section)) == world.by_hand(section)


def test_without_limits_all_species_of_the_similar_places_are_taken_over():
    """Cells around the globe, one of which knows nothing of its environment."""
    world = World(2, spread=60.0)
    world.values[3] = np.nan
    none = {"max_spread": 0.0, "range_cap_km": 0.0, "max_environment_distance": 0.0}
    section = PropagateSection(on=True, k=50, min_observed=4, max_radius_km=20_100.0, **none)
    found, rows = sets(world.propagate(section)), sets(world.labels)
    for week in range(WEEKS_USED):
        samples = range(week, len(rows), 48)
        observed = [rows[sample] for sample in samples if len(rows[sample]) >= 4]
        for sample in samples:
            grown = rows[sample].union(*observed)
            assert found[sample] == (rows[sample] if rows[sample] in observed else grown)


def test_many_small_parts_are_one_whole(monkeypatch):
    section = PropagateSection(on=True, min_observed=4, k=2)
    world = World(5, cells=40, spread=15.0)
    whole = world.propagate(section)
    assert whole.positives > world.labels.positives
    monkeypatch.setattr(propagation, "_PAIRS_AT_ONCE", 50)
    parts = world.propagate(section)
    np.testing.assert_array_equal(parts.indptr, whole.indptr)
    np.testing.assert_array_equal(parts.indices, whole.indices)


def test_rows_stay_sorted_and_grow_only():
    world = World(11, cells=30)
    found = world.propagate(PropagateSection(on=True, min_observed=4))
    for row, before in zip(sets(found), sets(world.labels), strict=True):
        assert before <= row
    for row in np.split(found.indices, found.indptr[1:-1]):
        assert (np.diff(row) > 0).all()


def test_the_near_ones_are_searched_among_the_eligible():
    """The most similar cells lie on the other side of the globe; the only near one counts."""
    lat = np.array([0.0, 0.5, 0.0, 0.1, 0.2])
    lon = np.array([0.0, 0.5, 179.0, 179.5, -179.9])
    elevation = np.array([0.0, 1.0, 0.1, 0.1, 0.1])
    cells = np.repeat([1, 2, 3, 4], 2)
    labels = LabelMatrix.from_pairs(cells * 48, [0, 1, 0, 2, 0, 2, 0, 2], (5 * 48, 3))
    space = EnvironmentSpace.fitted(["elevation_m"], elevation[:, None])
    section = PropagateSection(on=True, k=1, min_observed=2, max_environment_distance=5.0)
    found = propagate(labels, TrainingCells(lat, lon, space, labels.lengths()), section)
    assert sets(found)[0] == {0, 1}


def test_weeks_do_not_mix():
    labels = LabelMatrix.from_pairs([48, 48, 49, 49], [0, 1, 0, 2], (2 * 48, 3))
    space = EnvironmentSpace.fitted(["elevation_m"], np.zeros((2, 1)))
    lat, lon = np.zeros(2), np.array([179.9, -179.9])
    section = PropagateSection(on=True, min_observed=2)
    found = sets(propagate(labels, TrainingCells(lat, lon, space, labels.lengths()), section))
    assert found[0] == {0, 1} and found[1] == {0, 2} and found[2] == set()


def test_species_that_are_not_learnt_make_a_sample_observed():
    labels = LabelMatrix.from_pairs([0, 48], [0, 1], (2 * 48, 2))
    space = EnvironmentSpace.fitted(["elevation_m"], np.zeros((2, 1)))
    place = np.zeros(2), np.array([0.0, 0.1])
    lengths = labels.lengths()
    lengths[0], lengths[48] = 5, 5
    section = PropagateSection(on=True, min_observed=3)
    kept = propagate(labels, TrainingCells(*place, space, lengths), section)
    assert sets(kept) == sets(labels)


@pytest.mark.parametrize("unknown", [0, 1])
def test_cells_with_nothing_in_common_are_infinitely_unlike(unknown):
    values = np.array([[1.0, np.nan], [np.nan, 2.0]])
    space = EnvironmentSpace.fitted(["a_class", "b"], values)
    distance = space.distances(np.array([unknown]), np.array([1 - unknown]))
    assert np.isinf(distance[0])


def test_an_antarctic_range_has_no_seam():
    lon = np.arange(-180.0, 180.0, 30.0)
    places = unit_vectors(np.full(len(lon), -75.0), lon)
    radius = range_radii(sparse.csr_array(np.ones((len(lon), 1), dtype=bool)), places)
    assert radius[0] == pytest.approx(float(great_circle_km(-90, 0, -75, 0)))
