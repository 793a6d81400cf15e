import numpy as np
import pytest

from quadrat.errors import DataError
from quadrat.occurrence.labels.learning import learn_labels
from quadrat.occurrence.labels.matrix import LabelMatrix
from quadrat.occurrence.schema import LabelsSection

COUNTS = np.array([30, 3, 20, 25, 0, 12])
NONE = np.array([], dtype=np.int64)
BARE = ((), np.empty((2, 0)))


@pytest.fixture(scope="module")
def records():
    """Two cells; species 0 is in 30 samples, species 1 in 3, and so on."""
    rows = np.concatenate([np.arange(count) for count in COUNTS])
    columns = np.repeat(np.arange(len(COUNTS)), COUNTS)
    return LabelMatrix.from_pairs(rows, columns, (96, len(COUNTS)))


def learnt(records, first=NONE, environment=BARE, **keys):
    place = np.array([0.0, 0.3]), np.array([0.0, 0.3])
    section = LabelsSection.model_validate(keys)
    return learn_labels(records, place, environment, section, first=first, seed=1)


def test_rare_species_are_left_out(records):
    found = learnt(records, min_observations=12)
    assert found.species.tolist() == [0, 2, 3, 5]
    assert found.counts.tolist() == [30, 20, 25, 12] == found.labels.counts().tolist()
    assert (found.tally.rare, found.tally.surplus) == (1, 0)
    assert found.weights is None


def test_the_most_frequent_species_are_kept_and_watched_ones_first(records):
    assert learnt(records, min_observations=5, max_species=2).species.tolist() == [0, 3]
    watched = learnt(records, np.array([1, 5]), min_observations=5, max_species=2)
    assert watched.species.tolist() == [0, 5]
    assert watched.tally.surplus == 2


def test_no_most_is_no_limit(records):
    assert learnt(records, min_observations=5, max_species=0).species.tolist() == [0, 2, 3, 5]


def test_counts_are_of_records_and_not_of_what_is_left_of_them(records):
    found = learnt(records, min_observations=12, max_observations=15)
    assert found.counts.tolist() == [30, 20, 25, 12]
    assert found.labels.counts().tolist() == [15, 15, 15, 12]
    assert (found.tally.capped, found.tally.dropped) == (3, 15 + 5 + 10)


def test_propagated_labels_count_for_the_cap(records):
    environment = ["elevation_m"], np.array([[1.0], [1.2]])
    keys = {"on": True, "min_observed": 2, "max_environment_distance": 3.0}
    grown = learnt(records, environment=environment, min_observations=12, propagate=keys)
    assert grown.tally.propagated == grown.labels.positives - 87 > 0
    assert grown.tally.enriched == (grown.labels.lengths()[48:] > 0).sum()
    capped = learnt(
        records,
        environment=environment,
        min_observations=12,
        max_observations=30,
        propagate=keys,
    )
    assert capped.labels.counts().max() == 30


def test_weights_are_of_records(records):
    alone = learnt(records, frequency_weight={"on": True}, min_observations=12)
    capped = learnt(
        records, frequency_weight={"on": True}, min_observations=12, max_observations=12
    )
    np.testing.assert_array_equal(alone.weights, capped.weights)
    assert alone.weights[0] == alone.weights.max() > alone.weights[3]


def test_propagation_needs_an_environment(records):
    with pytest.raises(DataError, match="there is none"):
        learnt(records, min_observations=1, propagate={"on": True})
