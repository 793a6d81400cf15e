"""Memory of an ensemble whose members are loaded one at a time, against all together (Linux).

    python benchmarks/ensembles.py --members 4 --encoder timm:resnet26 --ceiling 1.5

Trains one run with an encoder of its own in every fold, from random weights and for one epoch,
copies it to as many members as are asked for, and predicts the test photos of a generated pasture
in a process for each way: one member alone, all members one at a time, all members together. Memory
is the peak of the resident set above that of a process which has imported everything. Leaves with 1
where one at a time takes more than ``--ceiling`` times what one member alone takes.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from quadrat.experiment import Experiment, parse
from quadrat.predictors import family_of
from quadrat.recipes import recipe_text
from quadrat.runs import Run
from quadrat.worlds.pasture import PastureWorld, make_pasture

_ASK = """
import re, sys
from pathlib import Path
import quadrat, quadrat.ensemble.family, quadrat.photos.family, timm

def peak():
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) / 1024

before = peak()
quadrat.load_run(sys.argv[1]).predict(sys.argv[2])
print(peak() - before)
"""


def main() -> int:
    """Prints the peaks and their ratios, and compares with the ceiling."""
    options = _options()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = make_pasture(
            folder / "data", photos=12, test_photos=4, states=2, dates_per_state=3, size=(96, 48)
        )
        members = _members(world, folder, options.encoder, options.members)
        ways = {"one member alone": members[0]}
        for label, jit in (("one at a time", True), ("all together", False)):
            document = {
                "family": "ensemble",
                "member": [{"run": str(member)} for member in members],
                "combine": {"jit": jit},
            }
            ways[label] = _train(parse(document, _QUICK), folder / "runs")
        found = {label: _peak(run, world.test) for label, run in ways.items()}
    alone, jit_peak, together = found.values()
    for label, value in found.items():
        print(f"{label:<18}{value:>8.0f} MB")
    print(f"one at a time / all together  {jit_peak / together:.2f}")
    print(f"one at a time / one alone     {jit_peak / alone:.2f}  (at most {options.ceiling})")
    return int(jit_peak > options.ceiling * alone)


_QUICK = ["score.bootstrap=0"]


def _members(world: PastureWorld, folder: Path, encoder: str, count: int) -> list[Path]:
    experiment = parse(
        tomllib.loads(recipe_text("pasture-frozen")),
        [
            f"data.table={world.train}",
            f"encoder.name={encoder}",
            "encoder.weights=none",
            "encoder.train=all",
            "views.size=64",
            "split.folds=2",
            "optimiser.epochs=1",
            "run.device=cpu",
            *_QUICK,
        ],
    )
    members = [_train(experiment, folder / "runs")]
    for place in range(1, count):
        members.append(folder / "runs" / f"member-{place}")
        shutil.copytree(members[0], members[-1])
    return members


def _train(experiment: Experiment, out: Path) -> Path:
    run = Run.create(out, experiment)
    family_of(experiment).train(run.experiment(), run, history=run.history())
    return run.folder


def _peak(run: Path, table: Path) -> float:
    """Peak memory of a prediction in a process of its own, in MB."""
    done = subprocess.run(
        [sys.executable, "-c", _ASK, str(run), str(table)],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--encoder", default="timm:resnet26")
    parser.add_argument("--ceiling", type=float, default=1.5)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
