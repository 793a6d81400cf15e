"""Worlds that several tests read: a mid-sized pasture and a planet with rich lists."""

from __future__ import annotations

import pytest

from quadrat.worlds import PastureWorld, PlanetWorld, make_pasture, make_planet


@pytest.fixture(scope="session")
def field(tmp_path_factory: pytest.TempPathFactory) -> PastureWorld:
    return make_pasture(
        tmp_path_factory.mktemp("field"),
        photos=72,
        test_photos=6,
        states=3,
        dates_per_state=4,
        size=(160, 80),
        stamps=0.25,
        seed=3,
    )


@pytest.fixture(scope="session")
def earth(tmp_path_factory: pytest.TempPathFactory) -> PlanetWorld:
    return make_planet(tmp_path_factory.mktemp("earth"), resolution=1, species=120, seed=3)
