"""Every verb on occurrence through the real command line, with the files it must leave."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from quadrat.geo import cell_centres
from quadrat.worlds.planet import PlanetWorld
from tests.conftest import Outcome

RUN_FILES = [
    "experiment.toml", "provenance.json", "status.json", "history.jsonl", "metrics.json",
    "preprocessing.json", "model.json", "labels.txt", "species.parquet", "cells.parquet",
    "report.html", "card.md", "folds/0/model.safetensors",
]  # fmt: skip


def settings(world: PlanetWorld) -> list[str]:
    return [
        "--set", f"data.table={world.table}",
        "--set", f"data.taxonomy={world.taxonomy}",
        "--set", "optimiser.epochs=2",
        "--set", "network.scale=0.25",
        "--set", "score.bootstrap=50",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def trained(planet: PlanetWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run for the verbs that ask one."""
    from quadrat import workflow

    overrides = [value for value in settings(planet) if value != "--set"]
    out = tmp_path_factory.mktemp("runs")
    return workflow.train("species", out=out, overrides=overrides).folder


def test_train_leaves_the_files_of_a_run(
    quadrat: Callable[..., Outcome], planet: PlanetWorld, tmp_path: Path
):
    done = quadrat("train", "species", "--out", tmp_path, *settings(planet))
    assert done.code == 0, done.err
    run = Path(done.last_line)
    for name in RUN_FILES:
        assert (run / name).is_file(), name
    assert any((run / "figures").iterdir())


def test_scores_are_those_that_are_promised(trained: Path):
    metrics = json.loads((trained / "metrics.json").read_text())
    at = [f"{name}_{p}" for name in ("f1", "precision", "recall") for p in (5, 10, 25)]
    lists = [f"{name}_{p}" for name in ("list_ratio", "mean_list_length") for p in (5, 10, 25)]
    names = {"map", "top10_recall", "top30_recall", "geoscore", *at, *lists}
    assert set(metrics["scores"]) >= names
    assert metrics["scores"]["map"] > max(b["map"] for b in metrics["baselines"].values()) * 0.5
    assert metrics["protocol"]


def test_species_of_a_place(quadrat: Callable[..., Outcome], trained: Path):
    done = quadrat("species", trained, "--lat", 10, "--lon", 20, "--week", 20, "--top", 5, "--json")
    assert done.code == 0, done.err
    rows = json.loads(done.out)
    assert len(rows) == 5
    chances = [row["probability"] for row in rows]
    assert chances == sorted(chances, reverse=True)
    table = quadrat("species", trained, "--lat", 10, "--lon", 20, "--date", "2026-05-25")
    assert table.code == 0
    assert rows[0]["common_name"] in table.out, "25 May is in week 20"
    rare = quadrat("species", trained, "--lat", 80, "--lon", 20, "--week", 1, "--top", 500)
    assert "<0.001" in rare.out
    assert " 0.000" not in rare.out


def test_the_year_is_the_maximum_over_weeks(quadrat: Callable[..., Outcome], trained: Path):
    from quadrat.predictors import load_run

    predictor = load_run(trained).predictor
    year = predictor.probabilities([10.0], [20.0], [0])[0]
    weeks = predictor.probabilities([10.0] * 48, [20.0] * 48, list(range(1, 49)))
    assert (abs(year - weeks.max(axis=0)) < 1e-6).all()


def test_predict_places(quadrat: Callable[..., Outcome], trained: Path, tmp_path: Path):
    places = tmp_path / "places.csv"
    places.write_text("site,lat,lon,week\na,10,20,20\nb,-40.5,170,1\n")
    out = tmp_path / "answers.parquet"
    done = quadrat("predict", trained, "--data", places, "--out", out)
    assert done.code == 0, done.err
    answers = pl.read_parquet(out)
    codes = [line.split("\t")[0] for line in (trained / "labels.txt").read_text().splitlines()]
    assert answers.columns[:4] == ["site", "lat", "lon", "week"]
    assert answers.columns[4:] == codes
    assert set(answers.dtypes[4:]) == {pl.Float32}


def test_map(quadrat: Callable[..., Outcome], trained: Path, tmp_path: Path):
    code = (trained / "labels.txt").read_text().split("\t")[0]
    done = quadrat("map", trained, "--species", code, "--week", 20, "--out", tmp_path / "m.png")
    assert done.code == 0, done.err
    assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")
    unknown = quadrat("map", trained, "--species", code + "x")
    assert unknown.code == 2
    assert f"Did you mean '{code}'" in unknown.err


def test_map_layers_hold_what_the_model_answers(
    quadrat: Callable[..., Outcome], trained: Path, tmp_path: Path
):
    from quadrat.predictors import load_run

    rasterio = pytest.importorskip("rasterio", reason="the extra geo is not installed")
    predictor = load_run(trained).predictor
    code = predictor.vocabulary.codes[3]
    asked = ["--week", "20,0", "--bounds", "-10,35,30,60", "--step", 5]
    done = quadrat("map", trained, "--species", code, *asked, "--out", tmp_path / "m.tif")
    assert done.code == 0, done.err
    with rasterio.open(tmp_path / "m.tif") as file:
        assert file.bounds == (-10, 35, 30, 60)
        at = np.array(list(file.sample([(12.5, 47.5)])))[0]
    expected = [predictor.probabilities(47.5, 12.5, week)[0, 3] for week in (20, 0)]
    np.testing.assert_allclose(at, expected, rtol=1e-5)


def test_map_cut_at_the_own_threshold_and_blank_far_from_records(
    quadrat: Callable[..., Outcome], trained: Path, tmp_path: Path
):
    from quadrat.predictors import load_run

    rasterio = pytest.importorskip("rasterio", reason="the extra geo is not installed")
    predictor = load_run(trained).predictor
    code, out = predictor.vocabulary.codes[3], tmp_path / "present.tif"
    asked = ["--week", 20, "--step", 10, "--threshold", "species", "--near-only", "--out", out]
    done = quadrat("map", trained, "--species", code, *asked)
    assert done.code == 0, done.err
    with rasterio.open(out) as file:
        band = file.read(1).ravel()
    lat, lon = (axis.ravel() for axis in np.mgrid[85:-86:-10, -175:176:10])
    expected = predictor.probabilities(lat, lon, 20)[:, 3] >= predictor.thresholds[3]
    far = predictor.is_far(lat, lon)
    assert 0 < far.mean() < 1
    np.testing.assert_array_equal(np.isnan(band), far)
    np.testing.assert_array_equal(band[~far], expected[~far])


def test_map_of_all_species_of_a_class(
    quadrat: Callable[..., Outcome], trained: Path, tmp_path: Path
):
    from quadrat.predictors import load_run

    predictor = load_run(trained).predictor
    table = pl.read_parquet(trained / "species.parquet")
    name = table["class_name"][0]
    members = np.flatnonzero((table["class_name"] == name).to_numpy())
    out = tmp_path / "m.geojson"
    asked = ["--what", "richness", "--class", name.upper(), "--resolution", 0, "--week", 7]
    done = quadrat("map", trained, *asked, "--out", out)
    assert done.code == 0, done.err
    features = json.loads(out.read_text(encoding="utf-8"))["features"]
    assert len(features) == 122
    found = {f["properties"]["cell"]: f["properties"]["richness_week_7"] for f in features}
    cell = int(next(iter(found)), 16)
    lat, lon = cell_centres(np.array([cell], np.uint64))
    expected = predictor.probabilities(lat, lon, 7)[0, members].sum()
    assert found[f"{cell:x}"] == pytest.approx(expected, rel=1e-4)
    unknown = quadrat("map", trained, "--what", "richness", "--class", "plantae")
    assert unknown.code == 2 and "unknown class 'plantae'" in unknown.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--what", "range"], "give its name"),
        (["--what", "richness", "--week", "49"], "weeks '49'"),
        (["--what", "richness", "--step", "1", "--resolution", "2"], "not both"),
        (["--what", "richness", "--resolution", "2", "--out", "m.tif"], "give a step"),
        (["--what", "richness", "--out", "m.jpeg"], "the ending must be"),
        (["--what", "richness", "--bounds", "belgium"], "unknown region"),
    ],
)
def test_maps_that_cannot_be_made(
    quadrat: Callable[..., Outcome], trained: Path, options: list[str], said: str
):
    done = quadrat("map", trained, *options)
    assert done.code == 2
    assert said in done.err


def test_verbs_of_the_other_family_say_so(
    quadrat: Callable[..., Outcome], trained: Path, planet: PlanetWorld
):
    done = quadrat("submit", trained, "--test", planet.taxonomy)
    assert done.code == 1
    assert "family occurrence" in done.err


def test_evaluate_and_check(quadrat: Callable[..., Outcome], trained: Path, planet: PlanetWorld):
    done = quadrat("evaluate", trained, "--data", planet.table, "--name", "again", "--json")
    assert "have records, are cells whose records the model learnt" in done.err
    assert done.code == 0, done.err
    assert json.loads(done.out)["scores"]["map"] > 0
    written = {path.name for path in (trained / "evaluations" / "again").iterdir()}
    tables = {"cells.parquet", "species.parquet", "reliability.json"}
    assert written == {"metrics.json", "report.html", "figures"} | tables
    checked = quadrat("check", "species", *settings(planet))
    assert checked.code == 0, checked.err


def test_the_same_run_gives_the_same_bytes(
    quadrat: Callable[..., Outcome], trained: Path, tmp_path: Path
):
    done = quadrat("train", trained, "--out", tmp_path, "--quiet")
    assert done.code == 0, done.err
    repeated = Path(done.last_line)
    assert (repeated / "metrics.json").read_bytes() == (trained / "metrics.json").read_bytes()
