from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from quadrat.occurrence import training
from quadrat.occurrence.samples.dataset import weighed
from quadrat.occurrence.trials import _DATA_SECTIONS, data_key, prepare, validation_score
from quadrat.runs import Run


def test_data_are_prepared_from_the_sections_of_their_key_alone(experiment):
    small = experiment(data={"cache": False})
    known = SimpleNamespace(**{name: getattr(small, name) for name in _DATA_SECTIONS})
    assert prepare(known).vocabulary == prepare(small).vocabulary


def test_experiments_that_learn_otherwise_share_their_data(experiment):
    key = data_key(experiment())
    assert data_key(experiment(network={"scale": 0.5}, optimiser={"batch_size": 64})) == key
    assert data_key(experiment(labels={"min_observations": 3})) != key
    assert data_key(experiment(split={"seed": 3})) != key


def test_label_weights_are_found_anew_without_reading_again(experiment):
    brief = {"epochs": 1}
    plain = experiment(optimiser=brief)
    weighted = experiment(optimiser=brief, labels={"frequency_weight": {"on": True}})
    assert data_key(weighted) == data_key(plain)
    expected = prepare(weighted)
    found = weighed(prepare(plain), weighted.labels.frequency_weight)
    np.testing.assert_array_equal(found.label_weights, expected.label_weights)
    assert 0.01 < found.label_weights.mean() < 1
    assert weighed(expected, plain.labels.frequency_weight).label_weights is None
    assert validation_score(weighted, prepare(plain)) == validation_score(weighted, expected)


def test_the_score_is_that_of_a_run_on_its_validation_cells(experiment, tmp_path):
    small = experiment()
    reports: list[tuple[int, float]] = []
    score = validation_score(
        small, prepare(small), report=lambda step, value: reports.append((step, value))
    )
    run = Run.create(tmp_path, small)
    history = run.history()
    training.train(small, run, history=history)
    best = max(record["map"] for record in history.records())
    assert score == pytest.approx(best, abs=0)
    assert [step for step, _ in reports] == [1, 2]
    assert reports[-1][1] == score


def test_test_cells_are_not_looked_at(experiment, monkeypatch):
    small = experiment(split={"test": 0.2})
    data = prepare(small)
    tests = set(data.partition.test.tolist())
    seen: set[int] = set()
    before = type(data).samples

    def spy(self, cells):
        seen.update(cells.tolist())
        return before(self, cells)

    monkeypatch.setattr(type(data), "samples", spy)
    validation_score(small, data)
    assert tests
    assert seen
    assert not tests & seen


def test_a_report_that_raises_ends_the_training(experiment):
    small = experiment(optimiser={"epochs": 3})
    steps: list[int] = []

    def report(step: int, score: float) -> None:
        steps.append(step)
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        validation_score(small, prepare(small), report=report)
    assert steps == [1]
