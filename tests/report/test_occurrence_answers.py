from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from quadrat.report import occurrence_answers, write_report
from quadrat.report.occurrence_answers import coordinates, example_species, telling_species


@dataclass(frozen=True)
class Name:
    code: str
    scientific: str
    common: str


class Vocabulary:
    species = tuple(Name(f"sp{n}", f"Genus species{n}", f"Bird <{n}>") for n in range(30))

    def find(self, code: str) -> int:
        return [name.code for name in self.species].index(code)


class Predictor:
    """Species come and go with the week; each has its own share of the year."""

    vocabulary = Vocabulary()

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def probabilities(self, lat: np.ndarray, lon: np.ndarray, week: object) -> np.ndarray:
        weeks = np.broadcast_to(np.asarray(week), lat.shape)
        self.asked.append((len(lat), int(weeks.max())))
        season = 0.5 + 0.5 * np.cos(2 * np.pi * (weeks[:, None] - np.arange(30)) / 48)
        near = np.exp(-(((lat[:, None] - 48) / 20) ** 2))
        return (season * near * np.linspace(0.9, 0.1, 30)).astype(np.float32)


@pytest.fixture
def predictor(monkeypatch: pytest.MonkeyPatch) -> Predictor:
    made = Predictor()
    monkeypatch.setattr(occurrence_answers, "_predictor", lambda contents: made)
    return made


def test_the_model_is_asked_for_seasons_a_year_and_a_range(
    occurrence_run: Path, predictor: Predictor
) -> None:
    page = write_report(occurrence_run).read_text(encoding="utf-8")
    figures = {path.stem for path in (occurrence_run / "figures").iterdir()}
    assert {"richness-week-2", "richness-week-26", "year", "list-length", "range"} <= figures
    assert "Bird &lt;0&gt;" in page
    assert "Expected number of species in mid-July" in page
    assert (48, 48) in predictor.asked
    assert max(count for count, _ in predictor.asked) <= 512
    assert sum(count for count, _ in predictor.asked) < 20_000


def test_the_world_is_asked_in_cells(predictor: Predictor) -> None:
    cells = pl.DataFrame({"lat": [-60.0, 0.0, 70.0], "lon": [-170.0, 0.0, 170.0]})
    places = occurrence_answers._places(cells)
    assert len(places.lat) == 5882
    land = pl.DataFrame({"lat": [52.0, 0.0, 60.0, 40.0], "lon": [10.0, 20.0, 100.0, -100.0]})
    kept = occurrence_answers._places(land)
    assert 1500 < len(kept.lat) < 2500


def test_telling_species_are_residents_and_visitors() -> None:
    probabilities = np.full((40, 48), 0.01)
    probabilities[:10] = 0.5
    probabilities[30:, :4] = 0.9
    shown = telling_species(probabilities)
    assert len(shown) == len(set(shown)) == 14
    assert shown[:7] == list(range(7))
    assert set(shown[7:]) <= set(range(30, 40))
    assert telling_species(np.full((2, 48), 0.3)) == [0, 1]


def test_example_species_is_common_and_well_predicted() -> None:
    species = pl.DataFrame(
        {"code": ["rare", "poor", "good"], "n": [1, 99, 100], "ap": [0.99, 0.1, None]}
    )
    assert example_species(species.with_columns(ap=pl.Series([0.99, 0.1, 0.6]))) == "good"
    assert example_species(species) == "good"
    assert example_species(None) is None
    assert example_species(species.clear()) is None


def test_coordinates() -> None:
    assert coordinates(46.24, 6.1) == "46.2° N, 6.1° E"
    assert coordinates(-33.9, -70.65) == "33.9° S, 70.7° W"
