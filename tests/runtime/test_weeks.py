import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadrat.errors import DataError, UsageError
from quadrat.runtime.weeks import (
    WEEKS,
    parse_weeks,
    week_label,
    week_of,
    week_of_date,
    weeks_of_dates,
)


def reference(month, day):
    return (month - 1) * 4 + (1 if day <= 7 else 2 if day <= 14 else 3 if day <= 21 else 4)


@given(st.dates(dt.date(1900, 1, 1), dt.date(2100, 12, 31)))
def test_week_of_every_day(day):
    assert week_of(day.month, day.day) == reference(day.month, day.day)
    assert week_of_date(day) == week_of_date(day.isoformat()) == reference(day.month, day.day)


def test_the_year_has_48_weeks_in_order():
    days = [dt.date(2024, 1, 1) + dt.timedelta(n) for n in range(366)]
    weeks = weeks_of_dates(days)
    assert np.unique(weeks).tolist() == list(range(1, WEEKS + 1))
    assert (np.diff(weeks) >= 0).all()


@pytest.mark.parametrize(
    "text",
    ["2026-05-17", "2026/05/17", "20260517", "17.05.2026", " 2026-05-17 ", "2026-05-17T06:30:00",
     "2026-05-17 06:30", "2026-05-17T06:30:00+02:00"],
)  # fmt: skip
def test_forms_of_a_date(text):
    assert week_of_date(text) == 19


@pytest.mark.parametrize(
    "text", ["", "2026-13-01", "2026-02-30", "03/04/2020", "May 17", "week 3", "2026111"]
)
def test_what_is_no_date(text):
    with pytest.raises(DataError, match="not a date"):
        week_of_date(text)


def test_a_column_names_its_bad_rows():
    with pytest.raises(DataError) as caught:
        weeks_of_dates(["2026-05-17", "soon", "2026-02-30"], first_row=2)
    assert caught.value.problems == ("row 3: 'soon'", "row 4: '2026-02-30'")


@pytest.mark.parametrize(("month", "day"), [(0, 1), (13, 1), (1, 0), (1, 32)])
def test_days_outside_the_year(month, day):
    with pytest.raises(DataError, match="month"):
        week_of([1, month], [1, day])


def test_labels():
    assert week_label(0) == "whole year"
    assert week_label(1) == "1-7 January"
    assert week_label(8) == "22-29 February"
    assert week_label(48) == "22-31 December"
    with pytest.raises(DataError, match="week 49"):
        week_label(49)


@pytest.mark.parametrize(
    ("text", "weeks"),
    [
        ("20", (20,)),
        ("1, 13,26-28", (1, 13, 26, 27, 28)),
        ("year", (0,)),
        ("0", (0,)),
        ("All", tuple(range(1, 49))),
        ("3,3,2-4", (3, 2, 4)),
    ],
)
def test_weeks_as_people_write_them(text, weeks):
    assert parse_weeks(text) == weeks


@pytest.mark.parametrize("text", ["", "49", "-1", "5-3", "May", "1,,2"])
def test_weeks_that_do_not_exist(text):
    with pytest.raises(UsageError, match="give weeks of 1-48"):
        parse_weeks(text)
