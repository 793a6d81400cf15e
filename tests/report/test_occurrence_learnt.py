from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from quadrat.geo import land_polygons
from quadrat.report import write_report
from quadrat.report.occurrence_figures import importance_bars, phenology
from quadrat.report.occurrence_learnt import column_label
from quadrat.report.paired_maps import paired_maps
from quadrat.report.style import to_svg


@pytest.fixture(autouse=True)
def _coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quadrat.report.paired_maps.PIXELS", 10_000)


def learnt_tables(run: Path) -> None:
    rng = np.random.default_rng(0)
    lat, lon = rng.uniform(40, 55, 40), rng.uniform(-5, 20, 40)
    warmth = 30 - lat / 2
    known = np.where(np.arange(40) % 5 == 0, np.nan, warmth)
    place = {"cell": [f"c{n}" for n in range(40)], "lat": lat, "lon": lon}
    columns = [
        pl.DataFrame({**place, "known": known, "expected": warmth, "column": "temperature_c"}),
        pl.DataFrame({**place, "known": known, "expected": known * 0, "column": "slope_fraction"}),
        pl.DataFrame({**place, "known": known * 0, "expected": known, "column": "steady_m"}),
    ]
    pl.concat(columns).write_parquet(run / "expected_environment.parquet")
    importance = {"column": ["temperature_c", "slope"], "drop": [0.1, -0.01], "sd": [0.02, 0.01]}
    pl.DataFrame(importance).write_parquet(run / "importance.parquet")
    counts = {"recorded": rng.uniform(0, 3, 40), "learnt": rng.uniform(3, 5, 40)}
    pl.DataFrame({**place, **counts}).write_parquet(run / "learnt_labels.parquet")


def test_the_report_shows_what_else_was_learnt(occurrence_run: Path) -> None:
    learnt_tables(occurrence_run)
    page = write_report(occurrence_run).read_text(encoding="utf-8")
    assert "What it learnt besides" in page
    assert "explains 100% of the variance" in page
    assert "the value is known at 32 of 40 cells" in page
    for name in ("environment-temperature_c", "importance", "learnt-labels"):
        assert (occurrence_run / "figures" / f"{name}.svg").is_file()
    figures = {path.stem for path in (occurrence_run / "figures").iterdir()}
    assert "environment-steady_m" not in figures, "what does not vary cannot be explained"
    assert "temperature (°C)" in page


def test_cells_without_a_value_are_seen_to_be_unknown() -> None:
    lat, lon = np.array([45.0, 45.0, 50.0]), np.array([5.0, 10.0, 7.0])
    known = np.array([1.0, np.nan, 3.0])
    sides = (("known", known), ("expected", np.array([1.0, 2.0, 3.0])))
    figure = paired_maps(lat, lon, sides, land_polygons(), title="Warmth", label="°C")
    first, second = figure.axes[:2]
    assert first.get_title(loc="left") == "known at 2 of 3 cells"
    assert second.get_title(loc="left") == "expected"
    assert len(first.images) == 2 and len(second.images) == 1
    coloured, striped = (image.get_array() for image in first.images)
    np.testing.assert_array_equal(~striped.mask & ~coloured.mask, False)
    np.testing.assert_array_equal(
        ~striped.mask | ~coloured.mask, ~second.images[0].get_array().mask
    )


def test_a_run_without_these_tables_has_no_such_section(occurrence_run: Path) -> None:
    assert "What it learnt besides" not in write_report(occurrence_run).read_text("utf-8")


def test_columns_are_named_with_their_units() -> None:
    assert column_label("precipitation_mm") == "precipitation (mm)"
    assert column_label("urban_fraction") == "urban (share, 0–1)"
    assert column_label("m") == "m"
    assert column_label("soil_ph") == "soil ph"


def test_paired_maps_share_their_colours() -> None:
    lat, lon = np.array([45.0, 46.0, 47.0]), np.array([4.0, 5.0, 6.0])
    sides = (("known", np.array([0.0, 1.0, np.nan])), ("expected", np.array([5.0, 2.0, 3.0])))
    figure = paired_maps(lat, lon, sides, land_polygons(), title="T", label="elevation (m)")
    images = [axes.get_images()[0] for axes in figure.axes[:2]]
    assert images[0].norm is images[1].norm
    assert images[0].norm.vmax == pytest.approx(5, abs=0.1)
    assert "elevation (m)" in to_svg(figure)
    nothing = np.full(3, np.nan)
    blank = (("known", nothing), ("expected", nothing))
    to_svg(paired_maps(lat, lon, blank, land_polygons(), title="T", label="m"))


def test_importance_and_a_marked_week_are_drawn() -> None:
    drawn = to_svg(importance_bars(["<i>rain</i>", "heat"], np.array([0.1, -0.02]), np.ones(2)))
    assert "&lt;i&gt;rain&lt;/i&gt;" in drawn and "fall of the mean average precision" in drawn
    plain = to_svg(phenology(["Robin"], np.full((1, 48), 0.5), place="here"))
    assert to_svg(phenology(["Robin"], np.full((1, 48), 0.5), place="here", mark=20)) != plain
