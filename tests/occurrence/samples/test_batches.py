import numpy as np
import pytest
import torch

from quadrat.geo import great_circle_km
from quadrat.occurrence.samples.batches import SampleBatches
from quadrat.occurrence.samples.dataset import prepare, sample_rows
from quadrat.occurrence.samples.draws import Draws

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(experiment):
    return prepare(experiment())


@pytest.fixture(scope="module")
def samples(data):
    return data.samples(data.partition.train)


def species_of(labels, row):
    return labels.indices[labels.indptr[row] : labels.indptr[row + 1]].tolist()


def pairs_of(batch):
    found = [[] for _ in range(len(batch.week))]
    for row, column in zip(batch.positives.rows, batch.positives.columns, strict=True):
        found[row].append(column.item())
    return found


def test_an_epoch_holds_every_sample_once(samples):
    batches = SampleBatches(samples, 100, device=CPU, seed=1)
    seen = torch.cat([batch.index for batch in batches.epoch(0)])
    assert torch.equal(seen.sort().values, torch.arange(len(samples)))
    again = torch.cat([batch.index for batch in batches.epoch(0)])
    later = torch.cat([batch.index for batch in batches.epoch(1)])
    assert torch.equal(seen, again) and not torch.equal(seen, later)


def test_a_batch_is_what_the_table_says(data, samples):
    batch = next(SampleBatches(samples, 200, device=CPU, seed=1).epoch(0))
    cells = data.partition.train[batch.index.numpy() // 48]
    weeks = batch.index.numpy() % 48 + 1
    assert (batch.week.numpy() == weeks).all()
    places = np.c_[data.table.lat, data.table.lon][cells]
    np.testing.assert_allclose(batch.position, places, rtol=1e-6)
    environment = data.encoder.encoded(data.table.environment)[cells]
    np.testing.assert_array_equal(batch.environment, environment)
    for row, (cell, week) in enumerate(zip(cells, weeks, strict=True)):
        codes = {data.table.codes[c] for c in species_of(data.table.labels, cell * 48 + week - 1)}
        wanted = codes & set(data.vocabulary.codes)
        assert {data.vocabulary.codes[c] for c in pairs_of(batch)[row]} == wanted
    assert batch.positives.lengths.tolist() == [len(found) for found in pairs_of(batch)]
    assert (batch.positives.rows.diff() >= 0).all()


def test_names_say_cell_and_week(data, samples):
    batch = next(SampleBatches(samples, 5, device=CPU, seed=1, shuffle=False).epoch(0))
    cell = data.table.names(data.partition.train)[0]
    assert list(batch.sample_ids()) == [f"{cell} week {week}" for week in range(1, 6)]


def test_the_whole_year_is_the_union_of_the_weeks(samples):
    years = samples.with_years()
    assert len(years) == len(samples) // 48 * 49
    batches = SampleBatches(years, 64, device=CPU, seed=1, shuffle=False)
    batch = next(batches.epoch(0, start=len(samples) // 64 + 1))
    assert (batch.week == 0).all()
    first = int(batch.index[0]) - len(samples)
    for row, found in enumerate(pairs_of(batch)):
        weeks = range((first + row) * 48, (first + row + 1) * 48)
        assert set(found) == {s for week in weeks for s in species_of(samples.labels, week)}
    assert batch.sample_ids()[0].endswith("week 0")


def test_vocabulary_and_scaling_come_from_training_cells(experiment):
    data = prepare(experiment(labels={"min_observations": 400}))
    training = data.table.labels.rows(sample_rows(data.partition.train))
    counts = dict(zip(data.table.codes, training.counts(), strict=True))
    assert set(data.vocabulary.codes) == {code for code, n in counts.items() if n >= 400}
    assert 0 < len(data.vocabulary) < len(counts)
    assert data.counts.tolist() == [counts[code] for code in data.vocabulary.codes]
    elevation = data.table.environment[data.partition.train, 1]
    assert data.encoder.columns[1].mean == pytest.approx(np.nanmean(elevation))


def drawing(data, samples, experiment, **loss):
    made = experiment(
        augment={"jitter": True}, loss={"kind": "assume-negative", "neg_samples": 4, **loss}
    )
    draws = Draws.of(made, data.table, data.partition.train, len(data.vocabulary))
    return SampleBatches(samples, 300, device=CPU, seed=1, draws=draws)


def test_what_is_drawn_depends_on_the_position_alone(data, samples, experiment):
    batches = drawing(data, samples, experiment)
    through = list(batches.epoch(2))
    resumed = next(batches.epoch(2, start=3))
    assert torch.equal(through[3].index, resumed.index)
    for name in ("position", "species"):
        assert torch.equal(getattr(through[3], name), getattr(resumed, name))
        assert not torch.equal(getattr(through[4], name), getattr(resumed, name))
    assert torch.equal(through[3].elsewhere.position, resumed.elsewhere.position)


def test_jitter_moves_places_and_nothing_else(data, samples, experiment):
    moved = next(drawing(data, samples, experiment).epoch(0))
    still = next(SampleBatches(samples, 300, device=CPU, seed=1).epoch(0))
    distance = great_circle_km(*still.position.T, *moved.position.T)
    assert distance.min() > 0 and np.median(distance) == pytest.approx(228, rel=0.15)
    assert torch.equal(moved.week, still.week)
    assert torch.equal(moved.positives.columns, still.positives.columns)
    assert torch.equal(moved.environment.nan_to_num(), still.environment.nan_to_num())


def test_random_places_have_the_weeks_of_the_samples(data, samples, experiment):
    batch = next(drawing(data, samples, experiment).epoch(0))
    assert torch.equal(batch.elsewhere.week, batch.week)
    assert batch.elsewhere.environment is None
    assert len(batch.species) == 4


def test_random_cells_are_training_cells_with_their_environment(data, samples, experiment):
    batches = drawing(data, samples, experiment, spatial_negatives="cells")
    batches._jitter = None
    found = next(batches.epoch(0)).elsewhere
    places = np.c_[samples.lat, samples.lon].astype(np.float32)
    distance = np.abs(found.position.numpy()[:, None] - places[None]).sum(axis=2)
    cells = distance.argmin(axis=1)
    assert distance.min(axis=1).max() == 0
    assert len(np.unique(cells)) > 100
    np.testing.assert_array_equal(found.environment, samples.environment[cells])
