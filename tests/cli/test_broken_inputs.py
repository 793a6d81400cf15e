"""What goes wrong with users' files: exit code 1 or 2, and a message that says what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from quadrat.worlds.pasture import PastureWorld
from quadrat.worlds.planet import PlanetWorld
from tests.conftest import Outcome


@pytest.fixture
def world(pasture: PastureWorld, tmp_path: Path) -> Path:
    """A copy of the pasture to break."""
    folder = tmp_path / "world"
    shutil.copytree(pasture.folder, folder)
    return folder


def check_says(outcome: Outcome, *said: str) -> None:
    assert outcome.code in (1, 2), outcome.out
    assert "Traceback" not in outcome.err
    assert outcome.err.count("error:") >= 1
    for text in said:
        assert text in outcome.err


def rewrite(world: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    change(pl.read_csv(world / "train.csv")).write_csv(world / "train.csv")


@pytest.fixture
def train(quadrat: Callable[..., Outcome], world: Path, tmp_path: Path) -> Callable[..., Outcome]:
    def run(*settings: str) -> Outcome:
        overrides = [f"data.table={world / 'train.csv'}", "views.size=64", *settings]
        options = [option for value in overrides for option in ("--set", value)]
        return quadrat("train", "pasture-frozen", "--out", tmp_path / "runs", *options)

    return run


def test_missing_column(train, world):
    rewrite(world, lambda frame: frame.rename({"image_path": "imagepath"}))
    check_says(train(), "train.csv", "'image_path'", "Did you mean 'imagepath'", "data.image")


def test_missing_photo(train, world):
    photo = sorted((world / "train").glob("*.jpg"))[3]
    photo.unlink()
    check_says(train(), photo.name, "not exist")


def test_truncated_photo(train, world):
    photo = sorted((world / "train").glob("*.jpg"))[3]
    photo.write_bytes(photo.read_bytes()[:900])
    check_says(train(), photo.name)


def test_text_in_a_target(train, world):
    text = (world / "train.csv").read_text().splitlines()
    text[7] = text[7].rpartition(",")[0] + ",heavy"
    (world / "train.csv").write_text("\n".join(text) + "\n")
    check_says(train(), "row 8", "heavy", "target")


def test_unknown_key(train):
    check_says(train("optimiser.epoch=3"), "optimiser.epoch", "Did you mean 'epochs'")


def test_wrong_type(train):
    check_says(train("optimiser.epochs=many"), "optimiser.epochs", "'many'")


def test_one_value_where_a_list_is_meant(train):
    check_says(train("split.by=3"), 'split.by: must be a list, such as ["3"]')


def test_a_value_where_a_section_is_meant(train):
    check_says(train("optimiser=3"), "optimiser: is a section of keys, not a value (given: 3)")


def test_empty_table(train, world):
    header = (world / "train.csv").read_text().splitlines()[0]
    (world / "train.csv").write_text(header + "\n")
    check_says(train(), "train.csv", "no rows")


def test_one_group_for_five_folds(train, world):
    rewrite(world, lambda f: f.with_columns(State=pl.lit("Tas"), Sampling_Date=pl.lit("2015/9/4")))
    check_says(train(), "group", "fold")


def test_parquet_without_weeks(quadrat, planet: PlanetWorld, tmp_path: Path):
    frame = pl.read_parquet(planet.table)
    frame.select(c for c in frame.columns if not c.startswith("week_")).write_parquet(
        tmp_path / "cells.parquet"
    )
    done = quadrat(
        "train", "species", "--set", f"data.table={tmp_path / 'cells.parquet'}",
        "--set", f"data.taxonomy={planet.taxonomy}", "--out", tmp_path / "runs",
    )  # fmt: skip
    check_says(done, "cells.parquet", "week_1")


def test_latitude_91(quadrat, planet: PlanetWorld, tmp_path: Path):
    frame = pl.read_parquet(planet.table).drop("h3_index")
    lat = [91.0] + [10.0] * (frame.height - 1)
    lon = [i * 0.3 for i in range(frame.height)]
    frame.with_columns(lat=pl.Series(lat), lon=pl.Series(lon)).write_parquet(
        tmp_path / "cells.parquet"
    )
    done = quadrat(
        "train", "species", "--set", f"data.table={tmp_path / 'cells.parquet'}",
        "--set", f"data.taxonomy={planet.taxonomy}", "--out", tmp_path / "runs",
    )  # fmt: skip
    check_says(done, "91", "cells.parquet")


def test_a_folder_that_is_no_run(quadrat, tmp_path: Path):
    check_says(quadrat("evaluate", tmp_path), "not a run folder", "quadrat train")


def test_a_recipe_that_does_not_exist(quadrat):
    check_says(quadrat("train", "pasture-frozn"), "Did you mean 'pasture-frozen'")


def test_an_experiment_file_with_a_misspelt_ending(quadrat, tmp_path: Path):
    (tmp_path / "clover.toml").write_text('family = "photos"')
    check_says(quadrat("check", tmp_path / "clover.tml"), f"Did you mean '{tmp_path}/clover.toml'")
