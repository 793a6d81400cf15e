"""Species lists through the real command line: tables, BirdNET's lists, pictures."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from quadrat.occurrence.network.model import NetworkSpec
from quadrat.occurrence.predictor import OccurrencePredictor
from quadrat.occurrence.records.taxonomy import Species, Vocabulary
from quadrat.occurrence.samples.observed import ObservedCells
from tests.conftest import Outcome

SPECIES = Vocabulary(
    tuple(Species(f"s{n}", f"Genus {'zyxwv'[n % 5]}{n}", f"Bird {n}") for n in range(12))
)

PLACE = ("--lat", 47.5, "--lon", 8.25)


def saved(folder: Path, observed: ObservedCells | None = None) -> Path:
    """A run with an untrained network whose answers spread over all probabilities."""
    torch.manual_seed(0)
    spec = NetworkSpec("spherical", 8, 8, 0.125, species=len(SPECIES), environment=0)
    network = spec.build(seed=5)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    OccurrencePredictor(network, spec, SPECIES, observed=observed, device="cpu").save(folder)
    (folder / "experiment.toml").write_text(
        'family = "occurrence"\nname = "small"\n[data]\ntable = "none.parquet"\n'
    )
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def northern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with records at one place of the north, which was judged up to 300 km away."""
    cells = ObservedCells(np.array([60.0]), np.array([10.0]), np.array([3]), 300.0)
    return saved(tmp_path_factory.mktemp("northern"), cells)


@pytest.fixture(scope="module")
def predictor(run: Path) -> OccurrencePredictor:
    return OccurrencePredictor.load(run, device="cpu")


def names(chances: np.ndarray, threshold: float) -> list[str]:
    species = [s for s, p in zip(SPECIES.species, chances, strict=True) if p >= threshold]
    return sorted(f"{s.scientific}_{s.common}" for s in species)


def test_birdnet_list_of_a_place(
    quadrat: Callable[..., Outcome], run: Path, predictor: OccurrencePredictor, tmp_path: Path
):
    expected = names(predictor.probabilities(47.5, 8.25, 20)[0], 0.4)
    assert 1 < len(expected) < len(SPECIES)
    asked = [*PLACE, "--week", 20, "--threshold", 0.4]
    out = tmp_path / "species_list.txt"
    done = quadrat("species", run, *asked, "--out", out)
    assert done.code == 0, done.err
    assert out.read_text(encoding="utf-8") == "".join(f"{line}\n" for line in expected)
    printed = quadrat("species", run, *asked, "--format", "birdnet")
    assert printed.out.splitlines() == expected


def test_birdnet_lists_are_not_cut_after_the_first_species(
    quadrat: Callable[..., Outcome], run: Path, predictor: OccurrencePredictor
):
    done = quadrat("species", run, *PLACE, "--year", "--format", "birdnet")
    assert done.out.splitlines() == names(predictor.probabilities(47.5, 8.25, 0)[0], 0.03)


@pytest.mark.parametrize("ending", ["csv", "parquet", "json"])
def test_tables_as_files(quadrat: Callable[..., Outcome], run: Path, tmp_path: Path, ending: str):
    out = tmp_path / f"list.{ending}"
    done = quadrat("species", run, *PLACE, "--date", "2026-05-25", "--top", 4, "--out", out)
    assert done.code == 0, done.err
    readers = {"csv": pl.read_csv, "parquet": pl.read_parquet, "json": pl.read_json}
    found = readers[ending](out)
    names = ["code", "scientific_name", "common_name", "probability", "distance_km", "far"]
    assert found.columns == names
    assert found.height == 4 and found["probability"].is_sorted(descending=True)


def test_lists_of_many_places_and_their_union(
    quadrat: Callable[..., Outcome], run: Path, predictor: OccurrencePredictor, tmp_path: Path
):
    rows = [("a/b", 10.0, 20.0, 20), ("Wald", -40.5, 170.0, 1), ("wald", 47.0, 8.0, 0)]
    places = tmp_path / "places.csv"
    pl.DataFrame(rows, schema=["site", "lat", "lon", "week"], orient="row").write_csv(places)
    lists = [names(predictor.probabilities(*row[1:])[0], 0.5) for row in rows]
    out = tmp_path / "lists"
    asked = ["--places", places, "--threshold", 0.5]
    done = quadrat("species", run, *asked, "--out", out)
    assert done.code == 0, done.err
    files = ["a-b.txt", "Wald-row-3.txt", "wald-row-4.txt"]
    assert done.out.split() == [str(out / name) for name in files]
    assert [(out / name).read_text().splitlines() for name in files] == lists
    one = tmp_path / "all.txt"
    done = quadrat("species", run, *asked, "--out", one, "--union")
    assert done.code == 0, done.err
    assert one.read_text().splitlines() == sorted(set().union(*lists))
    done = quadrat("species", run, *asked, "--out", one, "--union", "--week", 7)
    weekly = [names(predictor.probabilities(*row[1:3], 7)[0], 0.5) for row in rows]
    assert one.read_text().splitlines() == sorted(set().union(*weekly))


@pytest.mark.parametrize("asked", [[], ["--json"], ["--top", 2], ["--format", "birdnet"]])
@pytest.mark.parametrize("threshold", [0.1, 1.0])
def test_a_far_place_is_noted_whatever_is_listed(
    quadrat: Callable[..., Outcome], northern: Path, asked: list[object], threshold: float
):
    asked = ["--week", 20, "--threshold", threshold, *asked]
    done = quadrat("species", northern, "--lat", 20, "--lon", 10, *asked)
    assert done.code == 0, done.err
    assert "note: the nearest training cell with records is 4448 km away" in done.err
    if "--json" in asked:
        assert isinstance(json.loads(done.out), list)
    near = quadrat("species", northern, "--lat", 61, "--lon", 10, *asked)
    assert "note:" not in near.err


def test_a_refused_list_of_a_far_place_is_noted_too(
    quadrat: Callable[..., Outcome], northern: Path, tmp_path: Path
):
    asked = ["--lat", 20, "--lon", 10, "--week", 20, "--threshold", 1, "--out", tmp_path / "l.txt"]
    done = quadrat("species", northern, *asked)
    assert done.code == 1
    assert "4448 km away" in done.err and "no filter at all" in done.err


def test_far_places_of_a_table_are_named(
    quadrat: Callable[..., Outcome], northern: Path, tmp_path: Path
):
    places = tmp_path / "places.csv"
    places.write_text("site,lat,lon,week\nOslo,60,10,20\nTchad,20,10,20\n,19,10,1\n")
    asked = ["species", northern, "--places", places, "--threshold"]
    for options in (["--out", tmp_path / "l"], ["--union", "--out", tmp_path / "all.txt"]):
        done = quadrat(*asked, 0.2, *options)
        assert done.code == 0, done.err
        assert "note: 2 of 3 places are farther" in done.err
        assert "row 3, Tchad (4448 km); row 4 (4559 km)." in done.err
        assert "Oslo" not in done.err
    done = quadrat(*asked, 1, "--union", "--out", tmp_path / "empty.txt")
    assert done.code == 1 and "row 3, Tchad" in done.err


@pytest.mark.parametrize("kind", ["json", "csv", "table"])
def test_a_list_is_whole_unless_asked_for_less(
    quadrat: Callable[..., Outcome], run: Path, tmp_path: Path, kind: str,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    monkeypatch.setattr("quadrat.cli.species.SCREEN_SPECIES", 5)
    if kind == "csv":
        quadrat("species", run, *PLACE, "--out", tmp_path / "l.csv")
        assert pl.read_csv(tmp_path / "l.csv").height == len(SPECIES)
    elif kind == "json":
        assert len(json.loads(quadrat("species", run, *PLACE, "--json").out)) == len(SPECIES)
    else:
        piped = quadrat("species", run, *PLACE)
        assert len(piped.out.splitlines()) == len(SPECIES) + 1 and not piped.err


def test_a_screen_shows_the_beginning_and_says_so(
    quadrat: Callable[..., Outcome], run: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("quadrat.cli.species.SCREEN_SPECIES", 5)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    shown = quadrat("species", run, *PLACE)
    assert len(shown.out.splitlines()) == 6
    assert f"{len(SPECIES) - 5} more species" in shown.err
    for asked in (["--top", 8], ["--threshold", 0]):
        whole = quadrat("species", run, *PLACE, *asked)
        assert len(whole.out.splitlines()) > 6 and not whole.err


def test_what_cannot_be_written_shows_before_the_list(
    quadrat: Callable[..., Outcome], run: Path, tmp_path: Path
):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.png").mkdir()
    cases = {
        "year.jpg": "ending must be", "file/year.png": "is a file", "folder.png": "it is a folder",
    }  # fmt: skip
    for name, said in cases.items():
        done = quadrat("species", run, *PLACE, "--plot", tmp_path / name)
        assert done.code == 2 and said in done.err
        assert not done.out
    done = quadrat("species", run, *PLACE, "--out", tmp_path / "file" / "l.csv")
    assert done.code == 2 and "is a file" in done.err


def test_an_empty_list_is_refused_before_anything_is_written(
    quadrat: Callable[..., Outcome], run: Path, tmp_path: Path
):
    places = tmp_path / "places.csv"
    places.write_text("lat,lon,week\n10,20,20\n47,8,0\n")
    asked = ["--places", places, "--threshold", 1.0, "--out", tmp_path / "lists"]
    done = quadrat("species", run, *asked)
    assert done.code == 1
    assert "no filter at all" in done.err and "species_list-row-2.txt" in done.err
    assert not (tmp_path / "lists").exists()
    done = quadrat("species", run, *PLACE, "--threshold", 1.0, "--out", tmp_path / "l.txt")
    assert done.code == 1 and not (tmp_path / "l.txt").exists()


def test_the_year_of_a_place_is_drawn(quadrat: Callable[..., Outcome], run: Path, tmp_path: Path):
    out = tmp_path / "year.svg"
    done = quadrat("species", run, *PLACE, "--week", 20, "--top", 5, "--json", "--plot", out)
    assert done.code == 0, done.err
    drawn = out.read_text(encoding="utf-8")
    for row in json.loads(done.out):
        assert row["common_name"] in drawn
    assert "The year at 47.5° N, 8.2° E" in drawn


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--lat", 1], "give --lat and --lon"),
        ([*PLACE, "--year", "--week", 3], "--year is the whole year"),
        ([*PLACE, "--places", "p.csv", "--out", "x"], "choose one"),
        (["--places", "p.csv"], "give --out"),
        ([*PLACE, "--format", "xml"], "no format 'xml'"),
        ([*PLACE, "--out", "list.xml"], "cannot tell the format"),
        ([*PLACE, "--union"], "which --union is for"),
        ([*PLACE, "--plot", "year.gif"], "ending must be"),
        ([*PLACE, "--top", 0], "at least one"),
        ([*PLACE, "--threshold", 2], "between 0 and 1"),
        ([*PLACE, "--week", 49], "week = 49"),
        ([*PLACE, "--week", -1], "0 is the whole year (-1 in the geomodel's predict.py)"),
        ([*PLACE, "--date", "soon"], "date = soon: this is no date; write dates as 2026-05-17"),
        (["--lat", 97.6, "--lon", 8], "lat = 97.6: latitudes are -90 to 90 degrees. Were lat"),
        (["--lat", "nan", "--lon", 8], "lat = nan: latitudes are"),
        (["--lat", 8, "--lon", "inf"], "lon = inf: longitudes are"),
    ],
)
def test_requests_that_make_no_sense(
    quadrat: Callable[..., Outcome], run: Path, options: list[object], said: str
):
    done = quadrat("species", run, *options)
    assert done.code == 2
    assert said in done.err


def test_dates_are_read_in_the_forms_that_help_and_errors_name(
    quadrat: Callable[..., Outcome], run: Path
):
    told = {
        quadrat("species", run, *PLACE, "--date", date).out
        for date in ("2026-05-17", "2026/05/17", "20260517", "17.05.2026", "17.5.2026")
    }
    assert len(told) == 1
    refused = quadrat("species", run, *PLACE, "--date", "05/17/2026")
    assert refused.code == 2 and "17.05.2026" in refused.err
    assert "17.05.2026" in quadrat("species", "--help").out
