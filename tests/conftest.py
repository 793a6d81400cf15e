from __future__ import annotations

import os
import sys

# Two processes with two threads each on two cores wait for one another twenty times longer than
# they work; the tests, and the commands that they start, compute in one thread.
os.environ["OMP_NUM_THREADS"] = "1"

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

from quadrat.worlds.pasture import PastureWorld, make_pasture
from quadrat.worlds.planet import PlanetWorld, make_planet

settings.register_profile("steady", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("steady")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets; tests that need it are skipped where it is not set."""
    folder = os.environ.get("QUADRAT_TEST_DATA")
    if not folder:
        pytest.skip("QUADRAT_TEST_DATA is not set: no real data sets on this machine")
    return Path(folder)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the user's caches."""
    monkeypatch.setenv("QUADRAT_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def pasture(tmp_path_factory: pytest.TempPathFactory) -> PastureWorld:
    """A small rendered pasture; tests copy what they change."""
    folder = tmp_path_factory.mktemp("pasture")
    return make_pasture(
        folder, photos=36, test_photos=4, states=3, dates_per_state=4, size=(96, 48), seed=1
    )


@pytest.fixture(scope="session")
def planet(tmp_path_factory: pytest.TempPathFactory) -> PlanetWorld:
    """A small invented planet; tests copy what they change."""
    return make_planet(tmp_path_factory.mktemp("planet"), resolution=1, species=40, seed=1)


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        """The last line on stdout."""
        return self.out.strip().splitlines()[-1]


@pytest.fixture
def quadrat(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Outcome]:
    """Runs the real command line in this process."""
    from quadrat.cli import main

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["quadrat", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), captured.out, captured.err)

    return run
