from __future__ import annotations

import pytest

from quadrat.runs import Run
from tests.ensemble.runs import train_run


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Three members that differ: two tell a spread, on two scales, and one does not."""
    folder = tmp_path_factory.mktemp("members")
    roots = {"head": {"distribution": "gaussian"}, "loss": {"transform": "sqrt"}}
    return [
        train_run(folder, "normal", head={"distribution": "gaussian"}),
        train_run(folder, "roots", **roots),
        train_run(folder, "point", optimiser={"epochs": 1}),
    ]
