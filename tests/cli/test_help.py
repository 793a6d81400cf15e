from __future__ import annotations

import subprocess
import sys

import pytest

VERBS = [
    "demo", "recipes", "import", "check", "train", "evaluate", "report", "runs", "predict",
    "submit", "species", "map", "tune", "ensemble", "explain",
]  # fmt: skip
HEAVY = {"torch", "polars", "pydantic", "numpy", "rich", "timm", "sklearn", "matplotlib", "optuna"}


def quadrat(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "quadrat", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_imports_nothing_heavy(verb):
    done = quadrat(*filter(None, [verb]), "--help")
    assert done.returncode == 0
    assert "--help" in done.stdout
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    loaded = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in lines}
    assert "quadrat" in loaded
    assert not loaded & HEAVY


def test_all_verbs_are_tested_here():
    from quadrat.cli import app

    names = {c.name or c.callback.__name__ for c in app.registered_commands}
    assert names == set(VERBS)


def test_wrong_use_leaves_with_2_and_no_traceback():
    done = quadrat("train")
    assert done.returncode == 2
    assert "Missing argument" in done.stderr
    assert "Traceback" not in done.stderr
