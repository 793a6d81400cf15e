"""GeoTIFF, GeoPackage and GeoJSON read back with other programs' eyes."""

from __future__ import annotations

import json
import sqlite3

import numpy as np
import pytest

from quadrat.errors import MissingExtraError
from quadrat.geo import CellGrid, RasterGrid
from quadrat.geo.features import write_geojson, write_geopackage
from quadrat.geo.geotiff import write_geotiff

rasterio = pytest.importorskip("rasterio", reason="the extra geo is not installed")
pyogrio = pytest.importorskip("pyogrio", reason="the extra geo is not installed")

# rasterio 1.4 multiplies transforms in a way that affine 3 means to give up.
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

GRID = RasterGrid.of((170, -40, 190, -20), 5)


def values(grid, layers: int = 2) -> np.ndarray:
    rng = np.random.default_rng(3)
    made = rng.random((layers, len(grid.places()[0])), dtype=np.float32)
    made[0, 0] = np.nan
    return made


def test_a_geotiff_has_its_values_where_they_belong(tmp_path):
    bands = values(GRID).reshape(2, *GRID.shape)
    path = tmp_path / "new" / "m.tif"
    write_geotiff(path, GRID, bands, names=["a", "b"], unit="1", tags={"title": "Kea"})
    with rasterio.open(path) as file:
        assert file.crs.to_epsg() == 4326
        assert file.bounds == (170, -40, 190, -20)
        assert file.dtypes == ("float32", "float32") and np.isnan(file.nodata)
        assert file.descriptions == ("a", "b") and file.units == ("1", "1")
        assert file.tags()["title"] == "Kea"
        lat, lon = GRID.places()
        found = np.array(list(file.sample(zip(lon, lat, strict=True))))
        assert file.read_masks(1)[0, 0] == 0, "nothing is known there"
    np.testing.assert_array_equal(found.T, bands.reshape(2, -1))
    assert [p.name for p in path.parent.iterdir()] == ["m.tif"]


def test_a_geopackage_of_cells(tmp_path):
    grid = CellGrid.of((175, -20, 185, -10), 3)
    columns = dict(zip(("week_1", "year"), values(grid), strict=True))
    columns["year"][3] = columns["week_1"][3] = np.nan
    path = tmp_path / "m.gpkg"
    write_geopackage(path, grid, columns, layer="kea", about={"unit": "1"})
    info = pyogrio.read_info(path, layer="kea")
    assert info["crs"] == "EPSG:4326" and info["geometry_type"] == "MultiPolygon"
    assert info["features"] == len(grid.cells) - 1, "a cell without values is left out"
    np.testing.assert_allclose(info["total_bounds"], [-180, -20.5, 180, -9.5], atol=0.6)
    _, _, _, (cells, week, year) = pyogrio.raw.read(path, layer="kea")
    kept = np.arange(len(grid.cells)) != 3
    assert cells.tolist() == [f"{cell:x}" for cell in grid.cells[kept].tolist()]
    np.testing.assert_array_equal(week, columns["week_1"][kept])
    np.testing.assert_array_equal(year, columns["year"][kept])
    _, _, shapes, _ = pyogrio.raw.read(path, bbox=(-180, -20, -178, -10))
    assert 0 < len(shapes) < len(grid.cells), "the eastern side of the dateline is found"
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA application_id").fetchone()[0] == 0x47504B47
    database.close()


def test_a_geopackage_of_points_has_longitude_first(tmp_path):
    grid = RasterGrid.of((10, 50, 20, 55), 5)
    write_geopackage(tmp_path / "m.gpkg", grid, {"p": values(grid, 1)[0] + 1}, layer="p", about={})
    info = pyogrio.read_info(tmp_path / "m.gpkg")
    assert info["geometry_type"] == "Point"
    np.testing.assert_allclose(info["total_bounds"], [17.5, 52.5, 17.5, 52.5])


def test_a_geojson_is_valid_and_complete(tmp_path):
    grid = CellGrid.of((175, -20, 185, -10), 3)
    columns = dict(zip(("week_1", "year"), values(grid), strict=True))
    write_geojson(tmp_path / "m.geojson", grid, columns, about={"title": "Île"})
    text = (tmp_path / "m.geojson").read_text(encoding="utf-8")
    found = json.loads(text)
    assert found["type"] == "FeatureCollection" and found["title"] == "Île"
    assert len(found["features"]) == len(grid.cells)
    first = found["features"][0]["properties"]
    assert first["week_1"] is None and first["cell"] == f"{grid.cells[0]:x}"
    weeks = [feature["properties"]["year"] for feature in found["features"]]
    np.testing.assert_allclose(weeks, columns["year"], rtol=1e-6)
    kinds = {feature["geometry"]["type"] for feature in found["features"]}
    assert kinds == {"Polygon", "MultiPolygon"}
    for feature in found["features"]:
        shape = feature["geometry"]
        one = shape["type"] == "Polygon"
        for (ring,) in [shape["coordinates"]] if one else shape["coordinates"]:
            assert ring[0] == ring[-1]
            assert np.ptp([x for x, _ in ring]) < 10, "nothing goes once around the globe"
    info = pyogrio.read_info(tmp_path / "m.geojson")
    assert info["crs"] == "EPSG:4326"


def test_points_beyond_the_dateline_come_back(tmp_path):
    write_geojson(tmp_path / "m.geojson", GRID, {"p": values(GRID, 2)[1]}, about={})
    found = json.loads((tmp_path / "m.geojson").read_text())
    first, *_, last = (f["geometry"]["coordinates"] for f in found["features"])
    assert first == [172.5, -22.5]
    assert last == [-172.5, -37.5]


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(MissingExtraError, match=r"quadrat\[geo\]"):
        write_geotiff(tmp_path / "m.tif", GRID, values(GRID), names=[], unit="", tags={})
