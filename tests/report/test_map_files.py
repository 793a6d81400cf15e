from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from quadrat.errors import UsageError
from quadrat.geo import CellGrid, RasterGrid
from quadrat.occurrence.maps import MapLayers, Subject
from quadrat.occurrence.records.taxonomy import Species
from quadrat.report import MAP_FORMATS, write_map
from quadrat.report.layer_maps import layer_animation, layer_figure
from quadrat.report.map_files import map_format
from quadrat.report.style import to_svg

ROBIN = Species("eurrob1", "Erithacus rubecula", "<b>Robin</b>")


@pytest.fixture(autouse=True)
def _coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quadrat.report.layer_maps.PIXELS", 20_000)


def layers(weeks: tuple[int, ...], grid: RasterGrid | CellGrid | None = None) -> MapLayers:
    grid = grid or RasterGrid.of((-10, 35, 30, 60), 2)
    lat, _ = grid.places()
    values = np.stack([np.exp(-(((lat - 40 - week / 3) / 8) ** 2)) for week in weeks])
    subject = Subject(
        "range", "probability", ROBIN.common, ROBIN.scientific, "probability (0–1)", "1", 1.0, ROBIN
    )
    return MapLayers(subject, weeks, grid, values.astype(np.float32))


@pytest.mark.parametrize(
    ("kind", "start"),
    [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF"), ("gif", b"GIF89a")],
)
def test_pictures(tmp_path: Path, kind: str, start: bytes) -> None:
    path = write_map(layers((20,)), tmp_path / "maps" / f"robin.{kind}")
    assert path.read_bytes().startswith(start)
    again = write_map(layers((20,)), tmp_path / f"again.{kind}")
    assert again.read_bytes() == path.read_bytes()


def test_a_figure_of_several_weeks_names_them_all() -> None:
    drawn = to_svg(layer_figure(layers((1, 13, 26, 39))))
    for label in ("1-7 January", "1-7 April", "8-14 July", "15-21 October"):
        assert label in drawn
    assert "&lt;b&gt;Robin&lt;/b&gt;" in drawn and "Erithacus rubecula" in drawn
    assert drawn.count("probability (0–1)") == 1, "one colour bar for all"
    one = to_svg(layer_figure(layers((0,))))
    assert "whole year" in one


def test_what_is_far_from_records_is_striped() -> None:
    plain = layers((13, 26))
    plain = replace(plain, values=np.zeros_like(plain.values))  # certain absence is no colour
    far = plain.grid.places()[1] > 10
    drawn = {}
    for name, given in {"plain": plain, "far": replace(plain, far=far)}.items():
        figure = layer_figure(given)
        drawn[name] = [image.get_array() for image in figure.axes[0].get_images()]
        assert ("striped" in to_svg(figure)) == (name == "far")
    (before,), (after, stripes) = drawn["plain"], drawn["far"]
    np.testing.assert_array_equal(before, after)
    striped = ~np.ma.getmaskarray(stripes)
    left, right = np.array_split(striped, [round(striped.shape[1] * 0.45)], axis=1)
    assert not left.any() and 0.2 < right[:, right.shape[1] // 4 :].mean() < 0.4
    nowhere = np.zeros(len(far), dtype=bool)
    assert "striped" not in to_svg(layer_figure(replace(plain, far=nowhere)))


def test_a_narrow_region_has_a_narrow_figure_whose_lines_are_named() -> None:
    narrow = layer_figure(layers((13,), RasterGrid.of((170.0, -20.0, 190.0, 20.0), 4.0)))
    assert narrow.get_figwidth() < 0.8 * layer_figure(layers((13,))).get_figwidth()
    names = {text.get_text() for text in narrow.axes[0].texts}
    assert {"180°", "170°W", "10°S", "0°", "20°N"} <= names


@pytest.mark.parametrize("count", [2, 3, 5, 12, 48])
def test_any_number_of_weeks_can_be_drawn(count: int) -> None:
    figure = layer_figure(layers(tuple(range(1, count + 1))))
    shown = [axes for axes in figure.axes if axes.get_images()]
    assert len(shown) == count


def test_an_animation_has_a_frame_a_week_and_steady_colours() -> None:
    weeks = (1, 12, 24, 36)
    with Image.open(io.BytesIO(layer_animation(layers(weeks)))) as film:
        assert film.n_frames == len(weeks)
        assert film.info["loop"] == 0
        frames = []
        for frame in range(film.n_frames):
            film.seek(frame)
            frames.append(np.asarray(film.convert("RGB")).astype(int))
    assert len({frame.tobytes() for frame in frames}) == len(weeks)
    bar = (slice(None), slice(-60, None))
    for frame in frames[1:]:
        assert np.abs(frame[bar] - frames[0][bar]).max() == 0, "the colour bar stays as it is"


def test_a_map_across_the_dateline_is_one_region() -> None:
    figure = layer_figure(layers((20,), RasterGrid.of((170, -50, 190, -30), 1)))
    left, right = figure.axes[0].get_xlim()
    assert right - left < 30


def test_layers_for_other_programs(tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio", reason="the extra geo is not installed")
    pyogrio = pytest.importorskip("pyogrio", reason="the extra geo is not installed")
    found = layers((20, 0))
    write_map(found, tmp_path / "m.tif")
    with rasterio.open(tmp_path / "m.tif") as file:
        np.testing.assert_array_equal(file.read().reshape(2, -1), found.values)
        assert file.descriptions == ("probability week_20", "probability year")
        assert file.tags()["scientific_name"] == "Erithacus rubecula"
        assert file.tags()["weeks"] == "20, year"
    cells = layers((20,), CellGrid.of((-10, 35, 30, 60), 2))
    write_map(cells, tmp_path / "m.gpkg")
    assert pyogrio.list_layers(tmp_path / "m.gpkg")[0][0] == "eurrob1_probability"
    _, _, _, (_, values) = pyogrio.raw.read(tmp_path / "m.gpkg")
    np.testing.assert_array_equal(values, cells.values[0])
    write_map(cells, tmp_path / "cells.txt", format="geojson")
    told = json.loads((tmp_path / "cells.txt").read_text(encoding="utf-8"))
    assert told["common_name"] == "<b>Robin</b>" and told["quantity"] == "probability"
    with pytest.raises(UsageError, match="give a step"):
        write_map(cells, tmp_path / "m.tif")


def test_formats() -> None:
    assert [map_format(Path(f"m.{kind}")) for kind in MAP_FORMATS] == list(MAP_FORMATS)
    assert map_format(Path("m.TIFF")) == "tif"
    assert map_format(Path("m"), "GeoJSON") == "geojson"
    with pytest.raises(UsageError, match=r"\.png, \.svg"):
        map_format(Path("m.jpeg"))
