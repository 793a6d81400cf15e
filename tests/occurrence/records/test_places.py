import numpy as np
import polars as pl
import pytest

from quadrat.errors import DataError
from quadrat.occurrence.records.places import check_places, read_places


def table(**columns):
    return pl.DataFrame({"lat": [48.2, -33.9], "lon": [16.4, 151.2], **columns})


def test_weeks_and_dates():
    assert read_places(table(week=[0, 48])).week.tolist() == [0, 48]
    assert read_places(table(date=["2026-05-17", "2026-12-31"])).week.tolist() == [19, 48]
    dates = pl.Series(["2026-05-17", "2026-01-01"]).str.to_date()
    assert read_places(table(date=dates)).week.tolist() == [19, 1]


def test_other_names_of_the_columns(tmp_path):
    path = tmp_path / "places.csv"
    path.write_text("Latitude;Longitude;Week;who\n48,5;16;3;me\n".replace(",", "."))
    places = read_places(path)
    assert (places.lat[0], places.lon[0], places.week[0]) == (48.5, 16.0, 3)
    assert places.frame.columns == ["Latitude", "Longitude", "Week", "who"]


@pytest.mark.parametrize(
    ("columns", "message", "problem"),
    [
        ({"week": [1, 49]}, "'week' must lie between 0 and 48", "row 3: 49"),
        ({"week": [1.5, 2]}, "'week' must be whole weeks between 0 and 48", "row 2: 1.5"),
        ({"week": [None, 2]}, "'week' must lie", "row 2: blank"),
        ({"week": [1, 2], "lat": [91.0, 0]}, "'lat' must lie", "row 2: 91"),
        ({"week": [1, 2], "lon": [0.0, 400.0]}, "'lon' must lie", "row 3: 400"),
    ],
)
def test_values_that_cannot_be(columns, message, problem):
    with pytest.raises(DataError, match=message) as caught:
        read_places(table(**columns))
    assert caught.value.problems[0] == problem


def test_a_part_of_a_week_was_not_exchanged():
    with pytest.raises(DataError, match="whole weeks") as caught:
        read_places(table(week=[3.5, 2]))
    assert "exchanged" not in caught.value.fix


def test_a_week_and_a_date_must_agree(tmp_path):
    path = tmp_path / "places.csv"
    rows = ["lat,lon,week,date", "48,16,3,2026-05-17", "48,16,19,2026-05-17", "48,16,0,20.5.2026"]
    path.write_text("\n".join(rows) + "\n")
    with pytest.raises(DataError, match=r"places\.csv: column 'date'") as caught:
        read_places(path)
    assert caught.value.problems == (
        "row 2: 2026-05-17 is in week 19, not 3",
        "row 4: 20.5.2026 is in week 19, not 0",
    )
    assert read_places(table(week=[19, 1], date=["2026-05-17", "2026-01-01"])).week.tolist() == [
        19,
        1,
    ]
    assert read_places(table(week=[19, 3], date=["2026-05-17", None])).week.tolist() == [19, 3]
    assert read_places(table(week=[19, 3], date=["2026-05-17", " "])).week.tolist() == [19, 3]
    with pytest.raises(DataError, match="row 3: 'soon'"):
        read_places(table(week=[19, 3], date=["2026-05-17", "soon"]))


def test_dates_without_dashes_are_read_from_a_file(tmp_path):
    path = tmp_path / "places.csv"
    path.write_text("lat,lon,date\n48,16,20260517\n48,16,20261231\n")
    assert read_places(path).week.tolist() == [19, 48]


def test_bad_dates_name_their_rows():
    with pytest.raises(DataError, match=r"column 'date'[\s\S]*row 3: 'soon'"):
        read_places(table(date=["2026-05-17", "soon"]))


def test_missing_columns():
    with pytest.raises(DataError, match="no column 'week' or 'date'"):
        read_places(table())
    with pytest.raises(DataError, match="no column 'lat'"):
        read_places(pl.DataFrame({"lon": [1.0], "week": [1]}))


def test_one_place_outside_the_globe_has_no_row():
    with pytest.raises(DataError, match="latitude must lie") as caught:
        check_places(np.array([97.6]), np.array([8.2]), np.array([4]))
    assert caught.value.problems == ("97.6",)


def test_a_place_that_is_no_number_is_not_called_blank():
    with pytest.raises(DataError, match="latitude must lie") as caught:
        check_places(np.array([np.nan]), np.array([8.2]), np.array([4]))
    assert caught.value.problems == ("nan",)


def test_a_blank_place_was_not_exchanged():
    with pytest.raises(DataError, match="row 3: blank") as caught:
        read_places(pl.DataFrame({"lat": [1.0, None], "lon": [1.0, 2.0], "week": [1, 2]}))
    assert "exchanged" not in caught.value.fix
