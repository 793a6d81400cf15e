from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from quadrat.report.response_figures import MOST_SPECIES, response_curves, write_responses

SPECIES = ("a", "b", "c", "d")
SOILS = ["clay", "peat", "a soil with a very long name"]


def table(species: tuple[str, ...] = SPECIES) -> pl.DataFrame:
    frames = []
    for number, code in enumerate(species, 1):
        for name in ("rain", "height"):
            values = np.linspace(0, 9, 4)
            frames.append(_rows(code, name, {"value": values}, values * number / 100))
        frames.append(_rows(code, "soil", {"category": SOILS}, np.full(3, number / 10)))
    return pl.concat(frames)


def _rows(code: str, name: str, told: dict[str, object], mean: np.ndarray) -> pl.DataFrame:
    count = len(mean)
    columns = {"value": pl.Series([None] * count, dtype=pl.Float64)}
    columns["category"] = pl.Series([None] * count, dtype=pl.String)
    own = {"mean": mean, "low": mean / 2, "high": mean * 2}
    return pl.DataFrame(
        {"species": [code] * count, "covariate": [name] * count, **columns, **told, **own}
    )


def test_a_panel_a_covariate_and_a_line_a_species():
    figure = response_curves(table(), names={"a": "Kea"}, answer="suitability")
    rain, height, soil = figure.axes
    assert [axes.get_title(loc="left") for axes in (rain, height, soil)] == [
        "rain",
        "height",
        "soil",
    ]
    means = [line for line in rain.lines if line.get_alpha() is None]
    lines = dict(zip(["Kea", "b", "c"], means, strict=True))
    np.testing.assert_allclose(lines["b"].get_ydata(), np.linspace(0, 0.18, 4))
    assert lines["Kea"].get_linestyle() == "-"
    assert lines["b"].get_linestyle() == "--", "colours alone do not tell species apart"
    assert len({line.get_color() for line in lines.values()}) == 3
    assert figure.get_supylabel() == "suitability"
    assert all(axes.get_ylim() == (0, pytest.approx(1.04 * 0.6)) for axes in figure.axes)
    assert f"{MOST_SPECIES} of 4 species of the table" in figure.get_supxlabel()
    assert [t.get_text() for t in soil.get_xticklabels()][2] == "a soil with a…"
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["Kea", "b", "c"]


def test_a_mean_above_its_band_is_explained():
    def note(frame: pl.DataFrame) -> str:
        return response_curves(frame, names={}, answer="suitability").get_supxlabel()

    rare = table().with_columns(high=pl.col("mean") / 10)
    assert "the mean is above it where few places have nearly all" in note(rare)
    assert "above" not in note(table())


def test_few_species_are_all_drawn_and_spare_panels_are_hidden():
    figure = response_curves(table(("a",)), names={}, answer="probability")
    assert figure.get_supylabel() == "probability (%)"
    assert "of the table" not in figure.get_supxlabel()
    more = pl.concat([table(("a",)), _rows("a", "slope", {"value": np.ones(1)}, np.ones(1))])
    panels = response_curves(more, names={}, answer="probability").axes
    assert [axes.get_visible() for axes in panels] == [True] * 4 + [False] * 2


def test_the_same_table_gives_the_same_files(tmp_path: Path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        paths = write_responses(table(), tmp_path / folder, names={}, answer="suitability")
        assert [path.name for path in paths] == ["response.png", "response.svg"]
    for name in ("response.png", "response.svg"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
