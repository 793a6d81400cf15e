from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quadrat.engine import Report
from quadrat.errors import DataError, NonFiniteLossError
from quadrat.experiment import Experiment, parse

SPACE = {
    "network": {"scale": {"low": 0.1, "high": 4.0, "log": True}},
    "optimiser": {
        "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
        "batch_size": {"choices": [256, 1024]},
    },
}


class FakeFamily:
    """A family whose score is a known function: best at a scale of 1 and a rate of 1e-2."""

    def __init__(self) -> None:
        self.prepared: list[str] = []
        self.trained: list[Experiment] = []
        self.fails: Callable[[int], Exception | None] = lambda number: None

    def data_key(self, experiment: Experiment) -> str:
        return json.dumps(experiment.content()["labels"])

    def prepare(self, experiment: Experiment) -> str:
        self.prepared.append(self.data_key(experiment))
        return self.prepared[-1]

    def validation_score(
        self, experiment: Any, data: str, *, report: Report | None = None
    ) -> float:
        assert data == self.data_key(experiment)
        self.trained.append(experiment)
        failure = self.fails(len(self.trained) - 1)
        if failure is not None:
            raise failure
        from math import log

        distance = log(experiment.network.scale) ** 2
        distance += log(experiment.optimiser.learning_rate / 1e-2) ** 2
        score = -distance
        for epoch in range(1, experiment.optimiser.epochs + 1):
            if report is not None:
                report(epoch, score - 1 / epoch)
        return score


def not_finite(number: int) -> NonFiniteLossError:
    return NonFiniteLossError(1, number, ["a"])


def unusable() -> DataError:
    return DataError("nothing is left", ["too few"])


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch) -> FakeFamily:
    """Takes the place of the real one in `tune`, which then writes no report."""
    fake = FakeFamily()
    monkeypatch.setattr("quadrat.search.tuning.family_of", lambda experiment: fake)
    monkeypatch.setattr("quadrat.search.tuning.write_page", lambda result: None)
    return fake


@pytest.fixture
def occurrence(tmp_path: Path) -> Callable[..., Experiment]:
    """Makes an experiment whose table nobody reads."""

    def make(**sections: dict[str, Any]) -> Experiment:
        document: dict[str, Any] = {
            "family": "occurrence",
            "name": "small",
            "data": {"table": str(tmp_path / "none.parquet")},
            "optimiser": {"epochs": 4},
        }
        for section, keys in sections.items():
            document[section] = {**document.get(section, {}), **keys}
        return parse(document)

    return make


@pytest.fixture
def photos(tmp_path: Path) -> Callable[..., Experiment]:
    """The same for photos."""

    def make(**sections: dict[str, Any]) -> Experiment:
        document: dict[str, Any] = {
            "family": "photos",
            "data": {"table": str(tmp_path / "none.csv"), "targets": ["mass_g"]},
            "split": {"kind": "random"},
        }
        for section, keys in sections.items():
            document[section] = {**document.get(section, {}), **keys}
        return parse(document)

    return make
