"""The commands of the README are those that exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def verbs() -> set[str]:
    return set(re.findall(r"^quadrat ([a-z]+)", README, flags=re.MULTILINE))


def test_every_verb_in_the_readme_exists():
    from quadrat.cli import app

    names = {c.name or c.callback.__name__ for c in app.registered_commands}
    assert verbs()
    assert verbs() <= names


def test_scripts_in_the_readme_exist():
    scripts = set(re.findall(r"(?<![\w/])scripts/(\w+)", README))
    assert {"demo", "test"} <= scripts
    for script in scripts:
        assert (ROOT / "scripts" / script).stat().st_mode & 0o100


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", README, flags=re.DOTALL))
def test_experiments_in_the_readme_are_valid(block):
    from quadrat.experiment import parse

    parse(tomllib.loads(block))


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", README):
        assert (ROOT / target).exists(), target
