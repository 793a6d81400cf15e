import time

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from quadrat.errors import DataError
from quadrat.geo import all_cells, cell_centres, cells_at
from quadrat.occurrence.records.cells import read_cells

from ..tables import columns, random_lists, write

CODES = ["zebfin", "barswa", "amerob", "häher"]


def naive(path):
    """The same file by way of Python lists: one set of codes a cell and week."""
    frame = pl.read_parquet(path)
    rows = [frame[f"week_{week}"].to_list() for week in range(1, 49)]
    return [[set(rows[w][c] or ()) for w in range(48)] for c in range(frame.height)]


def as_sets(table):
    labels = table.labels
    rows = [
        {table.codes[i] for i in labels.indices[labels.indptr[r] : labels.indptr[r + 1]]}
        for r in range(len(labels))
    ]
    return [rows[cell * 48 : cell * 48 + 48] for cell in range(len(table))]


WEEK_TYPES = {
    "list of string": pa.list_(pa.string()),
    "large list of large string": pa.large_list(pa.large_string()),
    "list of dictionary": pa.list_(pa.dictionary(pa.int16(), pa.string())),
}


@pytest.mark.parametrize("kind", WEEK_TYPES)
@pytest.mark.parametrize("row_group_size", [None, 7])
def test_labels_are_those_of_a_naive_reader(tmp_path, kind, row_group_size):
    lists = random_lists(40, CODES)
    path = write(
        tmp_path / "cells.parquet",
        columns(lists),
        week_type=WEEK_TYPES[kind],
        row_group_size=row_group_size,
    )
    table = read_cells(path)
    assert as_sets(table) == naive(path)
    assert table.codes == tuple(sorted(CODES))


def test_tables_written_by_polars_are_read(tmp_path):
    path = tmp_path / "cells.parquet"
    weeks = {f"week_{w}": pl.List(pl.String) for w in range(1, 49)}
    pl.DataFrame(columns(random_lists(5, CODES)), schema_overrides=weeks).write_parquet(path)
    assert as_sets(read_cells(path)) == naive(path)


def test_places_are_the_centres_of_the_cells(tmp_path):
    table = read_cells(write(tmp_path / "c.parquet", columns(random_lists(30, CODES))))
    assert (table.cells == all_cells(1)[:30]).all()
    assert (cells_at(table.lat, table.lon, 1) == table.cells).all()
    assert table.resolution() == 1


def test_integer_cells_and_coordinates_are_other_ways_to_say_where(tmp_path):
    lists = random_lists(6, CODES)
    lat, lon = cell_centres(all_cells(1)[:6])
    by_text = read_cells(write(tmp_path / "a.parquet", columns(lists)))
    by_number = read_cells(
        write(tmp_path / "b.parquet", columns(lists, h3_index=all_cells(1)[:6].tolist()))
    )
    by_place = read_cells(
        write(tmp_path / "c.parquet", columns(lists, h3_index=None, lat=lat, lon=lon))
    )
    for other in (by_number, by_place):
        np.testing.assert_allclose(other.lat, by_text.lat)
        np.testing.assert_allclose(other.lon, by_text.lon)
        assert (other.labels.indices == by_text.labels.indices).all()
    assert by_place.cells is None and by_place.resolution() is None
    assert by_place.names([0]) == [f"{lat[0]:.5f},{by_text.lon[0]:.5f}"]


def test_environment_is_every_other_numeric_column(tmp_path):
    cells = columns(random_lists(4, CODES), snow_days=[1, None, 3, 4], note=["a", "b", "c", "d"])
    path = write(tmp_path / "c.parquet", cells)
    table = read_cells(path)
    names = ("elevation_m", "water_fraction", "landcover_class", "snow_days")
    assert table.environment_names == names
    np.testing.assert_array_equal(table.environment[:, 3], [1, np.nan, 3, 4])
    assert read_cells(path, environment=["snow_days"]).environment.shape == (4, 1)
    assert read_cells(path, environment=[]).environment.shape == (4, 0)


@pytest.mark.real_data
def test_the_synthetic_world_is_read_within_a_second(real_data):
    path = real_data / "synthetic_world" / "world_res2_2000.parquet"
    read_cells(path)
    began = time.process_time()
    table = read_cells(path)
    assert time.process_time() - began < 1.0
    assert len(table) == 5882
    assert table.labels.positives == sum(len(week) for cell in naive(path) for week in cell)


def broken(tmp_path, **changes):
    kinds = changes.pop("week_type", None)
    lists = changes.pop("lists", random_lists(5, CODES))
    return write(tmp_path / "broken.parquet", columns(lists, **changes), week_type=kinds)


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.parquet does not exist"):
        read_cells(tmp_path / "nowhere.parquet")


def test_another_kind_of_file(tmp_path):
    path = tmp_path / "cells.parquet"
    path.write_text("h3_index,week_1\n")
    with pytest.raises(DataError, match=r"cells\.parquet is not a parquet file"):
        read_cells(path)


def test_no_week_columns(tmp_path):
    path = broken(tmp_path, **{f"week_{w}": None for w in range(3, 49)})
    with pytest.raises(DataError, match=r"has no column 'week_3' and 45 more"):
        read_cells(path)


def test_week_columns_of_text(tmp_path):
    path = broken(tmp_path, lists=[["barswa"] * 48] * 5, week_type=pa.string())
    with pytest.raises(DataError, match="not lists of species codes") as caught:
        read_cells(path)
    assert caught.value.problems[0] == "column 'week_1' is string"


def test_no_rows(tmp_path):
    with pytest.raises(DataError, match="has no rows"):
        read_cells(broken(tmp_path, lists=[]))


def test_no_species(tmp_path):
    with pytest.raises(DataError, match="no species in any"):
        read_cells(broken(tmp_path, lists=[[[]] * 48] * 5))


def test_no_place(tmp_path):
    with pytest.raises(DataError, match="does not say where"):
        read_cells(broken(tmp_path, h3_index=None))


def test_cells_that_are_none(tmp_path):
    good = columns(random_lists(5, CODES))["h3_index"]
    path = broken(tmp_path, h3_index=[good[0], "zz", good[2], None, good[4]])
    with pytest.raises(DataError, match="no H3 cells") as caught:
        read_cells(path)
    assert caught.value.problems == ("row 3: 'zz'", "row 5: None")


def test_a_cell_twice(tmp_path):
    good = columns(random_lists(5, CODES))["h3_index"]
    path = broken(tmp_path, h3_index=[*good[:4], good[1]])
    with pytest.raises(DataError, match="one row") as caught:
        read_cells(path)
    assert caught.value.problems == (f"rows 3 and 6: {good[1]}",)


@pytest.mark.parametrize(
    ("name", "value"), [("lat", 90.5), ("lat", float("nan")), ("lon", -361.0), ("lon", None)]
)
def test_coordinates_out_of_range(tmp_path, name, value):
    places = {"lat": [0.0, 1, 2, 3, 4], "lon": [0.0, 1, 2, 3, 4]}
    places[name][2] = value
    with pytest.raises(DataError, match=f"column '{name}' must lie between") as caught:
        read_cells(broken(tmp_path, h3_index=None, **places))
    assert caught.value.problems[0].startswith("row 4: ")


def test_places_that_are_text(tmp_path):
    with pytest.raises(DataError, match="'lat' is string"):
        read_cells(broken(tmp_path, h3_index=None, lat=["a"] * 5, lon=[1.0] * 5))
    with pytest.raises(DataError, match="'h3_index' is double"):
        read_cells(broken(tmp_path, h3_index=[1.5] * 5))


def test_infinite_environment(tmp_path):
    with pytest.raises(DataError, match="finite") as caught:
        read_cells(broken(tmp_path, elevation_m=[1.0, 2.0, float("inf"), 4.0, 5.0]))
    assert caught.value.problems == ("column 'elevation_m', row 4: inf",)


def test_empty_codes(tmp_path):
    lists = random_lists(5, CODES)
    lists[3][6] = ["barswa", None]
    with pytest.raises(DataError, match="'week_7' holds empty species codes") as caught:
        read_cells(broken(tmp_path, lists=lists))
    assert caught.value.problems == ("row 5",)


def test_codes_that_cannot_stand_in_a_list_of_labels(tmp_path):
    lists = random_lists(5, CODES)
    lists[0][0] = ["bar\tswa"]
    with pytest.raises(DataError, match="without line breaks"):
        read_cells(broken(tmp_path, lists=lists))


def test_unknown_environment_column(tmp_path):
    with pytest.raises(DataError, match="Did you mean 'elevation_m'"):
        read_cells(broken(tmp_path), environment=["elevation"])


def test_a_cell_may_have_a_row_for_each_year(tmp_path):
    lists = random_lists(6, ["a", "b"])
    content = columns(lists, year=[2020, 2020, 2020, 2021, 2021, 2021])
    content["h3_index"] = content["h3_index"][:3] * 2
    table = read_cells(write(tmp_path / "cells.parquet", content))
    assert table.years.tolist() == content["year"]
    assert table.places()[:3].tolist() == table.places()[3:].tolist()
    assert "year" not in table.environment_names
    content["year"] = [2020] * 6
    with pytest.raises(DataError, match=r"one row a year|a year\."):
        read_cells(write(tmp_path / "cells.parquet", content))


def test_years_are_whole_numbers(tmp_path):
    content = columns(random_lists(3, ["a"]), year=[2020, 2021.5, None])
    with pytest.raises(DataError, match="year"):
        read_cells(write(tmp_path / "cells.parquet", content))


def test_water_is_read_even_where_the_environment_is_not(tmp_path):
    content = columns(random_lists(3, ["a"]), water_fraction=[0.5, None, 1.0])
    table = read_cells(write(tmp_path / "cells.parquet", content), environment=[])
    np.testing.assert_array_equal(table.water, [0.5, np.nan, 1.0])
    assert table.environment_names == ()
