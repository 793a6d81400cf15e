import typing

import numpy as np
import pytest
import torch

from quadrat.errors import ExperimentError
from quadrat.geo import REGIONS, great_circle_km
from quadrat.occurrence.labels.learning import learn_labels
from quadrat.occurrence.samples.dataset import prepare, sample_rows
from quadrat.occurrence.schema.split import Region

PROPAGATE = {"on": True, "min_observed": 4, "max_environment_distance": 3.0}


def test_only_training_samples_are_changed(experiment):
    """Validation is what was recorded, whatever is done to the labels that are learnt."""
    plain = prepare(experiment())
    made = prepare(
        experiment(
            labels={
                "max_observations": 300,
                "propagate": PROPAGATE,
                "frequency_weight": {"on": True},
            }
        )
    )
    for part in ("validation", "train"):
        cells = getattr(plain.partition, part)
        np.testing.assert_array_equal(cells, getattr(made.partition, part))
        np.testing.assert_array_equal(
            plain.samples(cells).labels.indices, made.samples(cells).labels.indices
        )
    assert plain.label_weights is None and made.label_weights.shape == (len(made.vocabulary),)
    assert made.training.counts().max() == 300 < plain.training.counts().max()
    assert made.counts.tolist() == plain.counts.tolist()
    assert made.tally.propagated > 0 and made.tally.dropped > 0


def test_training_samples_are_the_records_by_default(experiment):
    data = prepare(experiment())
    samples, records = data.training_samples(), data.samples(data.partition.train)
    np.testing.assert_array_equal(samples.labels.indices, records.labels.indices)
    np.testing.assert_array_equal(samples.labels.indptr, records.labels.indptr)


def test_nothing_comes_from_other_parts(experiment):
    """Without the records of validation cells, training labels are the same."""
    keys = {"propagate": PROPAGATE, "max_observations": 300, "frequency_weight": {"on": True}}
    data = prepare(experiment(labels=keys))
    train = data.partition.train
    table = data.table
    blind = learn_labels(
        table.labels.rows(sample_rows(train)),
        (table.lat[train], table.lon[train]),
        (table.environment_names, table.environment[train]),
        experiment(labels=keys).labels,
        first=np.array([], dtype=np.int64),
        seed=42,
    )
    np.testing.assert_array_equal(blind.labels.indices, data.training.indices)


def test_years_are_the_union_of_what_is_learnt(experiment):
    made = experiment(labels={"propagate": PROPAGATE}, data={"yearly": True})
    samples = prepare(made).training_samples().with_years()
    cells = len(samples.cells)
    for cell in (0, cells // 2, cells - 1):
        weeks = samples.labels.rows(np.arange(cell * 48, cell * 48 + 48)).indices
        year = samples.labels.rows([cells * 48 + cell]).indices
        assert sorted(set(weeks.tolist())) == year.tolist()
    _, week = samples.cell_and_week(torch.tensor([0, 47, cells * 48]))
    assert week.tolist() == [1, 48, 0]


def test_the_seed_of_training_draws_no_labels(experiment):
    """So that members of an ensemble share what was prepared."""
    keys = {"max_observations": 100}
    one, other = (prepare(experiment(labels=keys)) for _ in range(2))
    np.testing.assert_array_equal(one.training.indices, other.training.indices)
    redrawn = prepare(experiment(labels=keys, split={"seed": 7}))
    assert redrawn.training.indices.tolist() != one.training.indices.tolist()


def test_propagated_species_stay_near_their_records(experiment):
    made = experiment(labels={"propagate": {**PROPAGATE, "range_cap_km": 800.0}})
    data = prepare(made)
    train, species = data.partition.train, len(data.vocabulary)
    recorded = data.samples(train).labels
    lat, lon = data.table.lat[train], data.table.lon[train]
    for column in range(0, species, 7):
        home = np.unique(recorded.row_of_positives()[recorded.indices == column]) // 48
        put = np.unique(data.training.row_of_positives()[data.training.indices == column]) // 48
        for cell in put[:40]:
            assert great_circle_km(lat[cell], lon[cell], lat[home], lon[home]).min() <= 800.0


def test_watched_species_come_first(experiment, planet):
    rare = prepare(experiment()).counts.argmin()
    code = prepare(experiment()).vocabulary.codes[rare]
    made = experiment(labels={"max_species": 5}, data={"watchlist": [code]})
    data = prepare(made)
    assert len(data.vocabulary) == 5 and code in data.vocabulary.codes
    assert data.tally.surplus > 0


@pytest.mark.parametrize(
    ("section", "keys", "message"),
    [
        ("split", {"kind": "region"}, "needs regions"),
        ("split", {"regions": ["atlantis"]}, "regions"),
        ("split", {"regions": [[0, 10, 5, 5]]}, "a box is"),
        ("split", {"validation_years": [2020]}, "need kind = 'year'"),
        (
            "split",
            {"kind": "year", "validation_years": [2020], "test_years": [2020]},
            "is in validation_years and in test_years",
        ),
        (
            "labels",
            {"frequency_weight": {"on": True, "pct_low": 90, "pct_high": 20}},
            "must be below",
        ),
    ],
)
def test_what_is_refused(experiment, section, keys, message):
    with pytest.raises(ExperimentError, match=message):
        experiment(**{section: keys})


def test_the_schema_names_the_regions_that_there_are():
    assert set(typing.get_args(Region)) == set(REGIONS)
