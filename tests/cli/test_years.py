"""Years held out, through the real command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from quadrat.worlds.planet import PlanetWorld
from tests.conftest import Outcome

YEARS = (2021, 2022, 2023, 2024)
WEEKS = [f"week_{week}" for week in range(1, 49)]


@pytest.fixture(scope="module")
def by_year(planet: PlanetWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four years of a third of the planet; in each, another half of the lists was sent in."""
    frame = pl.read_parquet(planet.table).gather_every(3)
    rng = np.random.default_rng(0)
    parts = []
    for year in YEARS:
        sent = [
            pl.when(pl.Series(rng.random(frame.height) < 0.5)).then(pl.col(week)).alias(week)
            for week in WEEKS
        ]
        parts.append(frame.with_columns(*sent, year=pl.lit(year)))
    path = tmp_path_factory.mktemp("years") / "years.parquet"
    pl.concat(parts).write_parquet(path)
    return path


def test_the_newest_year_judges_what_the_others_taught(
    quadrat: Callable[..., Outcome],
    by_year: Path,
    planet: PlanetWorld,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("quadrat.report.maps.PIXELS", 20_000)
    keys = {
        "data.table": by_year,
        "data.taxonomy": planet.taxonomy,
        "split.kind": "year",
        "split.test": 0.25,
        "split.validation": 0.25,
        "optimiser.epochs": 3,
        "optimiser.batch_size": 256,
        "network.scale": 0.125,
        "score.bootstrap": 20,
    }
    given = [part for key, value in keys.items() for part in ("--set", f"{key}={value}")]
    done = quadrat("train", "species", "--out", tmp_path, *given)
    assert done.code == 0, done.err
    run, frame = Path(done.last_line), pl.read_parquet(by_year)
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["protocol"]["judged"] == "test"
    assert metrics["protocol"]["validation_years"] == [2023]
    assert metrics["protocol"]["test_years"] == [2024]
    assert metrics["scores"]["map"] > metrics["baselines"]["seasonal"]["map"]
    cells, newest = pl.read_parquet(run / "cells.parquet"), frame.filter(pl.col("year") == 2024)
    assert cells.height == newest.height
    taught = frame.filter(pl.col("year") < 2023)
    species = pl.read_parquet(run / "species.parquet")
    for judged, column in ((newest, "n"), (taught, "n_train")):
        counts = _samples_with(judged)
        for code, told in species.select("code", column).iter_rows():
            assert told == counts.get(code, 0), (code, column)
    again = quadrat("evaluate", run, "--json")
    assert json.loads(again.out)["scores"] == pytest.approx(metrics["scores"], nan_ok=True)
    assert "years" in (run / "report.html").read_text()


def _samples_with(frame: pl.DataFrame) -> dict[str, int]:
    """In how many cells and weeks each species was seen."""
    lists = pl.concat([frame.select(pl.col(week).alias("codes")) for week in WEEKS])
    each = lists.with_row_index().explode("codes").drop_nulls().unique()
    return dict(each["codes"].value_counts().iter_rows())
