from __future__ import annotations

from typing import Any

import pytest
import torch

from quadrat.experiment import parse
from quadrat.occurrence.schema import OccurrenceExperiment
from quadrat.worlds.planet import PlanetWorld, make_planet


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Small matrices are fastest on one thread, and the bits do not depend on the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def planet(tmp_path_factory) -> PlanetWorld:
    """842 cells and 40 species whose truth is known."""
    folder = tmp_path_factory.mktemp("planet")
    return make_planet(folder, resolution=1, species=40, effort=2.0, seed=3)


@pytest.fixture(scope="session")
def experiment(planet):
    """Makes a small experiment on the planet; arguments are sections."""

    def make(**sections: dict[str, Any]) -> OccurrenceExperiment:
        document: dict[str, Any] = {
            "family": "occurrence",
            "name": "planet",
            "data": {"table": str(planet.table), "taxonomy": str(planet.taxonomy)},
            "network": {"scale": 0.125},
            "optimiser": {"epochs": 2, "learning_rate": 5e-3, "precision": "fp32"},
            "score": {"primary": "map", "bootstrap": 50},
            "run": {"device": "cpu"},
        }
        for section, keys in sections.items():
            document[section] = {**document.get(section, {}), **keys}
        made = parse(document)
        assert isinstance(made, OccurrenceExperiment)
        return made

    return make
