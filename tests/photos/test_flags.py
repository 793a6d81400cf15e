"""Flags of other programs lead to keys that exist, and the documentation says the same."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from quadrat.errors import ExperimentError
from quadrat.experiment import parse
from quadrat.experiment.foreign import Flag
from quadrat.photos.flags import BEETLES, DEPTH, DINOV3, FLAGS, STARTER
from quadrat.photos.schema import PhotosExperiment
from quadrat.recipes import recipe_names, recipe_text
from tests.keys import key_exists

ROOT = Path(__file__).parents[2]
PAGES: dict[str, Mapping[str, Flag]] = {
    "coming-from-beetles": BEETLES,
    "coming-from-csiro-starter": STARTER,
    "coming-from-image2biomass-depth": DEPTH,
    "coming-from-image2biomass-dinov3": DINOV3,
}


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def test_every_program_has_its_page():
    assert {id(flags) for flags in PAGES.values()} == {id(flags) for flags in FLAGS.programs}
    navigation = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    assert all(f"{name}.md" in navigation for name in PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_every_flag_leads_to_a_key_or_to_words(name: str):
    for flag in PAGES[name].values():
        assert flag.note if not flag.key else key_exists(PhotosExperiment, flag.key), flag


@pytest.mark.parametrize("name", PAGES)
def test_the_documentation_says_the_same(name: str):
    rows: dict[str, str] = {}
    for line in page(name).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) == 3 and cells[0].count("`") == 2:
            rows.setdefault(cells[0].strip("`").lstrip("-").replace("-", "_"), cells[2])
    for flag, became in PAGES[name].items():
        assert (f"`{became.key}`" if became.key else became.note) in rows[flag], flag


@pytest.mark.parametrize("name", PAGES)
def test_keys_and_recipes_that_a_page_names_exist(name: str):
    words = page(name).split("`")[1::2]
    sections = set(PhotosExperiment.model_fields)
    keys = [word.split(" =")[0] for word in words if word.partition(".")[0] in sections]
    keys = [key for key in keys if "." in key and " " not in key and ".json" not in key]
    assert len(keys) > 10
    assert [key for key in keys if not key_exists(PhotosExperiment, key)] == []
    named = set(re.findall(r"(?<![\w-])(?:biomass|beetles)-[a-z0-9-]+", page(name)))
    assert named <= set(recipe_names())
    assert named


@pytest.mark.parametrize("name", PAGES)
def test_the_commands_of_a_page_are_experiments(name: str):
    commands = re.findall(r"^quadrat train .*", page(name), flags=re.MULTILINE)
    assert commands
    for command in commands:
        _, _, recipe, *options = shlex.split(command, comments=True)
        assert options[::2] == ["--set"] * (len(options) // 2)
        parse(tomllib.loads(recipe_text(recipe)), options[1::2])


@pytest.mark.parametrize("place", ["{}", "optimiser.{}", "--{}"])
@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("image_size", "views.size"),
        ("IMG_SIZE", "views.size"),
        ("unfreeze_layers", "encoder.train_last_blocks"),
        ("use_external", "external.table"),
    ],
)
def test_an_old_name_anywhere_names_the_key(place: str, name: str, key: str):
    document = {
        "family": "photos",
        "data": {"table": "t.csv", "targets": ["a_g"]},
        "split": {"kind": "random"},
    }
    with pytest.raises(ExperimentError, match=key.replace(".", r"\.")):
        parse(document, [f"{place.format(name)}=1"])


def test_a_name_with_two_meanings_has_both():
    assert [flag.key for flag in FLAGS.find("fusion_type")] == ["fusion.kind", "depth.fusion"]
    assert "'fusion.kind' or 'depth.fusion'" in FLAGS.advice("--fusion-type")
    assert "no leaderboard tool yet" in FLAGS.advice("leaderboard-team")
    assert FLAGS.advice("imagesize") == "" and FLAGS.advice("tiles") == ""


def test_an_old_option_of_the_command_line():
    command = [sys.executable, "-m", "quadrat", "train", "pasture", "--image-size", "352"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "--set views.size=VALUE" in done.stderr
