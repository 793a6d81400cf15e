"""Two processes that train together."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from quadrat.experiment import Experiment
from quadrat.runs import Run

ROOT = Path(__file__).parents[1]


def run_by_two(*program: str | Path) -> subprocess.CompletedProcess[str]:
    """What two processes print that run a program of Python's together, and end well."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]
    command += ["--master_addr=127.0.0.1", f"--master_port={_free_port()}", *map(str, program)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def trained_by_two(experiment: Experiment, folder: Path) -> Run:
    """The run that two processes train together in a new folder, through the real command."""
    plan, out = Run.create(folder / "plan", experiment), folder / "runs"
    done = run_by_two("-m", "quadrat", "train", plan.path("experiment.toml"), "--out", out)
    (made,) = out.iterdir()
    assert done.stdout.count(str(made.resolve())) == 2, "one process tells report and folder"
    assert done.stderr.count(f"run folder: {made.resolve()}") == 1, "one process tells the rest"
    return Run(made)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
