from __future__ import annotations

from typing import Any

import pytest

from quadrat.experiment import parse
from quadrat.occurrence.points.training import train
from quadrat.occurrence.schema import OccurrenceExperiment
from quadrat.runs import Run
from quadrat.worlds.points import COLUMNS, PointsWorld, make_points


@pytest.fixture(scope="session")
def region(tmp_path_factory) -> PointsWorld:
    """Ten species whose niches are known."""
    return make_points(tmp_path_factory.mktemp("region"), species=10, visits=600, seed=2)


@pytest.fixture(scope="session")
def points(region):
    """Makes a small experiment on the region; arguments are keys of [points], then sections."""

    def make(keys: dict[str, Any] | None = None, **sections: Any) -> OccurrenceExperiment:
        columns = {
            "x": "x",
            "y": "y",
            "covariates": list(COLUMNS[2:4]),
            "categorical": ["soil"],
            "group": "group",
            "folds": 3,
            "members": 2,
            "width": 32,
            "trees": 10,
        }
        document: dict[str, Any] = {
            "family": "occurrence",
            "name": "region",
            "data": {"points": str(region.records)},
            "points": {k: v for k, v in {**columns, **(keys or {})}.items() if v is not None},
            "optimiser": {"epochs": 12, "precision": "fp32"},
            "score": {"bootstrap": 50},
            "run": {"device": "cpu"},
        }
        for name, value in sections.items():
            document[name] = {**document.get(name, {}), **value}
        made = parse(document)
        assert isinstance(made, OccurrenceExperiment)
        return made

    return make


@pytest.fixture(scope="session")
def trained(points, tmp_path_factory) -> Run:
    """One run for the tests that ask one."""
    made = points()
    run = Run.create(tmp_path_factory.mktemp("runs"), made)
    train(made, run, history=run.history())
    return run
