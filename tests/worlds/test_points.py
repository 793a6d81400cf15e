from __future__ import annotations

import csv

import numpy as np

from quadrat.worlds import make_points


def test_the_same_seed_makes_the_same_bytes(tmp_path):
    one = make_points(tmp_path / "one", species=4, visits=100, surveys=50, seed=5)
    other = make_points(tmp_path / "other", species=4, visits=100, surveys=50, seed=5)
    for name in ("records", "background", "surveys"):
        assert getattr(one, name).read_bytes() == getattr(other, name).read_bytes()


def test_surveys_follow_the_known_chances_and_records_the_road(tmp_path):
    world = make_points(tmp_path, species=6, visits=800, surveys=2000, seed=1)
    with world.surveys.open() as handle:
        surveys = list(csv.DictReader(handle))
    found = np.array([[int(row[code]) for code in world.codes] for row in surveys])
    np.testing.assert_allclose(found.mean(axis=0), world.survey_chances.mean(axis=0), atol=0.03)
    with world.records.open() as handle:
        north = [float(row["y"]) for row in csv.DictReader(handle)]
    assert np.mean(north) > np.mean([float(row["y"]) for row in surveys]) + 10
