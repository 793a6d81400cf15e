import polars as pl
import pytest

from quadrat.errors import DataError
from quadrat.occurrence.records.surveys import read_survey
from quadrat.occurrence.records.taxonomy import Species, Vocabulary

CODES = ("barswa", "comcuc")
VOCABULARY = Vocabulary(tuple(Species(code, f"Genus {code}", code.upper()) for code in CODES))
COLUMNS = ["lat", "lon", "week", "species", "present"]


def read(tmp_path, rows, columns=COLUMNS):
    path = tmp_path / "ponds.csv"
    pl.DataFrame(rows, schema=columns, orient="row").write_csv(path)
    return read_survey(path, VOCABULARY)


JUDGED = [(5.0, 7.0, 4, "comcuc", 1), (1.0, 2.0, 5, "barswa", 0), (1.0, 2.0, 5, "comcuc", 1)]


def test_visits_without_a_judged_pair_are_no_visits(tmp_path):
    nothing = [(3.0, 4.0, 5, "barswa", None), (1.0, 2.0, 9, "dodo", 1), (0.0, 0.0, 1, "moa", 0)]
    plain, more = read(tmp_path, JUDGED), read(tmp_path, [*JUDGED, *nothing])
    assert plain.left_out == 0 and more.left_out == 3
    for name in ("lat", "lon", "week", "visit", "column", "present"):
        assert getattr(more, name).tolist() == getattr(plain, name).tolist(), name
    assert more.unknown == ("dodo", "moa")
    assert more.lat.tolist() == [1, 5] and more.visit.tolist() == [0, 0, 1]


@pytest.mark.parametrize("pair", [(-180.0, 180.0), (-0.1, 359.9), (-123.456, 236.544)])
def test_a_place_has_one_longitude(tmp_path, pair):
    west, east = pair
    found = read(tmp_path, [(5.0, west, 4, "barswa", 1), (5.0, east, 4, "barswa", 0)])
    assert found.lon.tolist() == [west] and found.present.tolist() == [True]


@pytest.mark.parametrize(
    ("columns", "rows", "told"),
    [
        (COLUMNS, [(91.0, 2.0, 5, "barswa", 1)], "column 'lat' must lie between"),
        (COLUMNS, [(1.0, 500.0, 5, "barswa", 1)], "column 'lon' must lie between"),
        (COLUMNS, [(1.0, 2.0, 60, "barswa", 1)], "column 'week' must lie between"),
        (["lat", "lon", "barswa"], [(1.0, 2.0, 1)], "no column 'week' or 'date'"),
        (["lat", "lon", "date", "barswa"], [(1.0, 2.0, "soon", 1)], "column 'date'"),
    ],
)
def test_errors_name_the_file(tmp_path, columns, rows, told):
    with pytest.raises(DataError, match=told) as caught:
        read(tmp_path, rows, columns)
    assert str(tmp_path / "ponds.csv") in str(caught.value)


@pytest.mark.parametrize("values", [(0, 1), (0, 7)])
@pytest.mark.parametrize("name", ["count", "ABUNDANCE"])
def test_a_presence_of_another_name_is_missed(tmp_path, name, values):
    rows = [(1.0, 2.0, 5, "barswa", values[0]), (1.0, 2.0, 6, "barswa", values[1])]
    with pytest.raises(DataError, match=r"column 'species' but no 'present' \(0 or 1\)") as caught:
        read(tmp_path, rows, ["lat", "lon", "week", "species", name])
    assert name in str(caught.value) and "counts above 0 become 1" in str(caught.value)


def test_a_species_of_another_name_is_missed(tmp_path):
    columns = ["lat", "lon", "week", "taxon", "present"]
    with pytest.raises(DataError, match="column 'present' but no 'species'"):
        read(tmp_path, [(1.0, 2.0, 5, "barswa", 1)], columns)


def test_columns_of_species_beside_one_called_species_are_wide(tmp_path):
    columns = ["lat", "lon", "week", "species", "comcuc"]
    assert read(tmp_path, [(1.0, 2.0, 5, "all", 1)], columns).column.tolist() == [1]


def test_counts_are_no_presence(tmp_path):
    for columns, rows in (
        (COLUMNS, [(1.0, 2.0, 5, "barswa", 7)]),
        (["lat", "lon", "week", "barswa"], [(1.0, 2.0, 5, 7)]),
    ):
        with pytest.raises(DataError, match="must be 0") as caught:
            read(tmp_path, rows, columns)
        assert "row 2: 7" in str(caught.value) and "presence is no count" in str(caught.value)


def test_a_survey_of_blanks_says_nothing(tmp_path):
    with pytest.raises(DataError, match="all of it is blank"):
        read(tmp_path, [(1.0, 2.0, 5, "barswa", None)])
