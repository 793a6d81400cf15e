"""Speed and memory of the occurrence family, beside the BirdNET geomodel and a bare bound.

    python -m benchmarks.occurrence combined.parquet
    python -m benchmarks.occurrence combined.parquet --peer CHECKOUT --peer-python VENV/bin/python

Every measurement runs in a process of its own. Without a checkout of the peer
(github.com/birdnet-team/geomodel) its columns stay empty. Leaves with 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Row:
    """One line of the table: a value of ours, and what it is measured against."""

    name: str
    ours: float
    unit: str
    other: float | None
    other_name: str
    goal: float
    lower_is_better: bool = False

    @property
    def ratio(self) -> float | None:
        """How many times better ours is."""
        if self.other is None:
            return None
        return self.other / self.ours if self.lower_is_better else self.ours / self.other

    def line(self) -> str:
        """The row as text."""
        beside = "" if self.other is None else f"{self.other:14,.1f} {self.other_name}"
        ratio = "" if self.ratio is None else f"{self.ratio:7.2f} × (goal {self.goal:g} ×)"
        return f"{self.name:26} {self.ours:14,.2f} {self.unit:10} {beside:34} {ratio}"


def main() -> int:
    """Prints the table; 1 where a goal is missed."""
    options = _options()
    ours = {what: _ours(options, what) for what in ("prepare", "train", "validate", "list")}
    theirs = {what: _peer(options, what) for what in ("prepare", "train", "validate")}
    bound = _run([sys.executable, "-m", "benchmarks.measures.gemm", "--scale", str(options.scale),
                  "--species", str(ours["train"]["species"])], HERE.parent)  # fmt: skip
    print(f"{ours['train']['species']} species, scale {options.scale:g}, batch 1,024, "
          f"{ours['train']['precision']}, {len(os.sched_getaffinity(0))} cores")  # fmt: skip
    rows = _rows(ours, theirs, bound)
    for row in rows:
        print(row.line(), flush=True)
    missed = [row.name for row in rows if row.ratio is not None and row.ratio < row.goal]
    if missed:
        print(f"goals missed: {', '.join(missed)}")
    return int(bool(missed))


def _rows(ours: dict[str, Any], theirs: dict[str, Any], bound: dict[str, Any]) -> list[Row]:
    def peer(what: str, key: str) -> float | None:
        return theirs[what][key] if theirs[what] else None

    prepare, train = ours["prepare"], ours["train"]
    rate, checked = train["samples_per_second"], ours["validate"]["samples_per_second"]
    theirs_rate = peer("train", "samples_per_second")
    theirs_checked = peer("validate", "samples_per_second")
    return [
        Row("preparation", prepare["seconds"], "s", peer("prepare", "seconds"), "s", 15, True),
        Row("  peak memory", prepare["peak_mb"], "MB", peer("prepare", "peak_mb"), "MB", 4, True),
        Row("training", rate, "samples/s", theirs_rate, "samples/s", 3.5),
        Row("  of bare products", rate, "samples/s", bound["samples_per_second"], "bound", 0.7),
        Row("  peak memory", train["peak_mb"], "MB", train["allowed_mb"], "MB allowed", 1, True),
        Row("validation", checked, "samples/s", theirs_checked, "samples/s", 20),
        Row("a species list", ours["list"]["milliseconds"], "ms", 0.3, "ms allowed", 1, True),
    ]


def _ours(options: argparse.Namespace, what: str) -> dict[str, Any]:
    words = ["-m", "benchmarks.measures.quadrat_occurrence", what, str(options.table)]
    return _run([sys.executable, *words, "--scale", str(options.scale)], HERE.parent)


def _peer(options: argparse.Namespace, what: str) -> dict[str, Any] | None:
    if options.peer is None:
        return None
    script = HERE / "measures" / "geomodel.py"
    words = [str(script), what, str(options.table), "--scale", str(options.scale)]
    environment = {"PYTHONPATH": str(options.peer), "TQDM_DISABLE": "1"}
    return _run([str(options.peer_python), *words], options.peer, environment)


def _run(
    command: list[str], folder: Path, environment: dict[str, str] | None = None
) -> dict[str, Any]:
    """Runs a measurement and reads its last line."""
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **(environment or {})},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Speed and memory of the occurrence family.")
    parser.add_argument("table", type=Path, help="combined parquet")
    parser.add_argument("--scale", type=float, default=0.75, help="of the network")
    parser.add_argument("--peer", type=Path, help="a checkout of the BirdNET geomodel")
    parser.add_argument(
        "--peer-python", type=Path, default=Path(sys.executable), help="the peer's own Python"
    )
    options = parser.parse_args()
    options.table = options.table.resolve()
    return options


if __name__ == "__main__":
    sys.exit(main())
