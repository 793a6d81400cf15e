"""The calendar of 48 weeks, four a month, in which occurrence is recorded and predicted.

The weeks of a month begin on the 1st, 8th, 15th and 22nd, so the fourth one has seven to ten days.
Week 0 stands for the whole year.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadrat.errors import DataError, UsageError

WEEKS = 48
WHOLE_YEAR = 0

_FIRST_DAYS = (1, 8, 15, 22)
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_ORDERS = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d.%m.%Y")
"""Only orders that cannot be misread: 03/04/2020 is March to some and April to others."""


def week_of(month: ArrayLike, day: ArrayLike) -> NDArray[np.int64]:
    """The week of days of the year.

    ``week = (month - 1) * 4 + (1 if day <= 7, 2 if day <= 14, 3 if day <= 21, else 4)``

    Args:
        month: Months 1-12, any shape.
        day: Days of the month 1-31, of a shape that broadcasts with ``month``.

    Returns:
        Weeks 1-48.

    Raises:
        DataError: A month or day outside its range.
    """
    months, days = np.broadcast_arrays(np.asarray(month, np.int64), np.asarray(day, np.int64))
    bad = (months < 1) | (months > 12) | (days < 1) | (days > 31)
    if bad.any():
        pairs = zip(months[bad].tolist(), days[bad].tolist(), strict=True)
        raise DataError(
            "a day of the year needs a month of 1-12 and a day of 1-31.",
            [f"month {m}, day {d}" for m, d in pairs],
        )
    return np.asarray((months - 1) * 4 + np.minimum((days - 1) // 7, 3) + 1)


def week_of_date(date: str | dt.date) -> int:
    """The week of a date.

    Args:
        date: A date, or text as ``2026-05-17``, ``2026/05/17``, ``20260517`` or ``17.05.2026``;
            a time of day behind the first form is allowed.

    Raises:
        DataError: The text is not such a date.
    """
    day = date if isinstance(date, dt.date) else _parse(date)
    if day is None:
        raise DataError(f"'{date}' is not a date.", fix=_DATE_FIX)
    return int(week_of(day.month, day.day))


def weeks_of_dates(dates: Sequence[str | dt.date], *, first_row: int = 0) -> NDArray[np.int64]:
    """The weeks of a column of dates.

    Args:
        dates: Dates or texts, as for `week_of_date`.
        first_row: The row number of the first date, for the message.

    Returns:
        Weeks ``(N,)``.

    Raises:
        DataError: Lists the rows that hold no date.
    """
    parsed = [date if isinstance(date, dt.date) else _parse(date) for date in dates]
    problems = [
        f"row {row + first_row}: {dates[row]!r}" for row, day in enumerate(parsed) if day is None
    ]
    if problems:
        raise DataError("a column of dates holds something else.", problems, fix=_DATE_FIX)
    known = [day for day in parsed if day is not None]
    return week_of([day.month for day in known], [day.day for day in known])


def week_label(week: int) -> str:
    """A week in words, such as ``"8-14 May"``; week 0 is ``"whole year"``.

    Raises:
        DataError: The week is not 0-48.
    """
    if not 0 <= week <= WEEKS:
        raise DataError(f"week {week} does not exist.", fix="give 1-48, or 0 for the whole year.")
    if week == WHOLE_YEAR:
        return "whole year"
    month, quarter = divmod(week - 1, 4)
    last = _FIRST_DAYS[quarter] + 6 if quarter < 3 else _MONTH_DAYS[month]
    return f"{_FIRST_DAYS[quarter]}-{last} {_MONTHS[month]}"


def parse_weeks(text: str) -> tuple[int, ...]:
    """Weeks as people write them.

    Args:
        text: Numbers and ranges with commas between, such as ``"1,13,26-28"``; ``"year"`` is the
            whole year as one (week 0), ``"all"`` its 48 weeks.

    Returns:
        The weeks in the order given, each once.

    Raises:
        UsageError: The text is something else, or names a week that does not exist.
    """
    words = {"year": (WHOLE_YEAR,), "all": tuple(range(1, WEEKS + 1))}
    if text.strip().lower() in words:
        return words[text.strip().lower()]
    weeks: list[int] = []
    try:
        for part in text.split(","):
            first, _, last = part.partition("-")
            weeks += range(int(first), int(last or first) + 1)
    except ValueError:
        weeks = []
    if not weeks or min(weeks) < 0 or max(weeks) > WEEKS:
        raise UsageError(
            f"weeks '{text}': give weeks of 1-48 (four a month) as in 1,13,26-28, or year, or all."
        )
    return tuple(dict.fromkeys(weeks))


_DATE_FIX = "write dates as 2026-05-17 (2026/05/17, 20260517 and 17.05.2026 are read too)."


def _parse(text: object) -> dt.date | None:
    if isinstance(text, int):  # a column of 20260517 is read as numbers
        text = str(text)
    if not isinstance(text, str):
        return None
    text = text.strip()
    if text.isdecimal() and len(text) != 8:  # 2026111 is January to some and November to others
        return None
    for order in _ORDERS:
        try:
            return dt.datetime.strptime(text, order).date()
        except ValueError:
            continue
    try:
        return dt.datetime.fromisoformat(text).date()
    except ValueError:
        return None
