"""kill -9 at random moments, resume, and compare metrics.json byte for byte.

QUADRAT_TEST_KILLS sets how many moments are tried for each family (2 by default).
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quadrat.worlds.pasture import PastureWorld
from quadrat.worlds.planet import PlanetWorld

KILLS = int(os.environ.get("QUADRAT_TEST_KILLS", "2"))


def command(out: Path, recipe: str, overrides: list[str]) -> list[str]:
    options = [option for value in overrides for option in ("--set", value)]
    words = ["train", recipe, "--out", str(out), "--resume", "auto", *options]
    return [sys.executable, "-m", "quadrat", *words]


def finish(arguments: list[str]) -> Path:
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return Path(done.stdout.strip().splitlines()[-1])


def kill_at(arguments: list[str], out: Path, epochs: int, more_seconds: float) -> bool:
    """Kills the command after so many recorded epochs and a moment; whether that cut it short."""
    with subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 300
        while recorded_epochs(out) < epochs and process.poll() is None:
            assert time.monotonic() < deadline, f"the run never came to epoch {epochs}"
            time.sleep(0.02)
        time.sleep(more_seconds)
        process.kill()
    return any(json.loads(p.read_text())["state"] == "running" for p in out.glob("*/status.json"))


def recorded_epochs(out: Path) -> int:
    """Lines in the history; −1 before the run has a folder that a resume can find."""
    if not list(out.glob("*/status.json")):
        return -1
    return sum(len(path.read_text().splitlines()) for path in out.glob("*/history.jsonl"))


def check_kills(tmp_path: Path, recipe: str, overrides: list[str]) -> None:
    whole = finish(command(tmp_path / "whole", recipe, overrides))
    expected = (whole / "metrics.json").read_bytes()
    epochs = recorded_epochs(whole.parent)
    moments = random.Random(recipe)
    interrupted = 0
    for number in range(KILLS):
        out = tmp_path / f"killed-{number}"
        arguments = command(out, recipe, overrides)
        moment = moments.randrange(int(0.9 * epochs))
        cut_short = kill_at(arguments, out, moment, moments.uniform(0, 0.3))
        resumed = finish(arguments)
        assert (resumed / "metrics.json").read_bytes() == expected
        if cut_short:
            interrupted += 1
            assert len(list(out.iterdir())) == 1, "the killed run was taken up, not begun anew"
    assert interrupted > 0, "no kill came in time to interrupt anything"


@pytest.mark.timeout(1200)
def test_photos_survive_a_kill(pasture: PastureWorld, tmp_path: Path):
    overrides = [f"data.table={pasture.train}", "views.size=64", "optimiser.epochs=60"]
    overrides += ["optimiser.patience=0", "run.save_every=1", "score.bootstrap=50"]
    check_kills(tmp_path, "pasture-frozen", overrides)


@pytest.mark.timeout(1200)
def test_occurrence_survives_a_kill(planet: PlanetWorld, tmp_path: Path):
    overrides = [f"data.table={planet.table}", f"data.taxonomy={planet.taxonomy}"]
    overrides += ["network.scale=0.25", "optimiser.epochs=6", "run.save_every=1"]
    overrides += ["score.bootstrap=50"]
    check_kills(tmp_path, "species", overrides)
