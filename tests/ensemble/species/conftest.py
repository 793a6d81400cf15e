from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quadrat.experiment import parse
from quadrat.occurrence import family
from quadrat.runs import Run
from quadrat.worlds.planet import PlanetWorld, make_planet

Train = Callable[..., Run]


@pytest.fixture(scope="session")
def planet(tmp_path_factory: pytest.TempPathFactory) -> PlanetWorld:
    """842 cells and 20 species whose truth is known."""
    folder = tmp_path_factory.mktemp("planet")
    return make_planet(folder, resolution=1, species=20, effort=2.0, seed=3)


@pytest.fixture(scope="session")
def train(planet: PlanetWorld, tmp_path_factory: pytest.TempPathFactory) -> Train:
    """Trains a small run on the planet; arguments are sections."""
    folder = tmp_path_factory.mktemp("networks")

    def made(name: str, **sections: Any) -> Run:
        document: dict[str, Any] = {
            "family": "occurrence",
            "data": {"table": str(planet.table), "taxonomy": str(planet.taxonomy)},
            "network": {"scale": 0.125},
            "optimiser": {"epochs": 1, "learning_rate": 5e-3, "precision": "fp32"},
            "score": {"primary": "map", "bootstrap": 20},
            "run": {"device": "cpu"},
        }
        for section, keys in sections.items():
            old = document.get(section, {})
            document[section] = {**old, **keys} if isinstance(keys, dict) else keys
        experiment = parse(document)
        run = Run(Path(folder) / name)
        run.folder.mkdir()
        run.write_experiment(experiment)
        with run.running(experiment):
            family.train(experiment, run, history=run.history())
        return run

    return made


@pytest.fixture(scope="session")
def networks(train: Train) -> list[Run]:
    """Two members: one that reads the environment, one with a loss that makes it too sure."""
    return [
        train("places", seed=1),
        train("altitude", network={"environment_input": True}, loss={"kind": "asl"}),
    ]
