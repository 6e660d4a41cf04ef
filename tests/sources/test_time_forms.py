"""The forms of dates: each is read as the day that it says, or told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.counted_times import COUNTED, guess_counted
from pipeline.sources.time_forms import (
    describe_zones,
    guess_times,
    parse_times,
    write_time,
)

DAYS = pd.date_range("2021-01-03 08:05", periods=60, freq="9D")
MOMENT = pd.Timestamp("2021-05-04 15:30")


def _guess(texts: list[str]):
    return guess_times(np.array(texts, dtype=object), np.ones(len(texts), int), 0.9)


@pytest.mark.parametrize(
    "form",
    ["%d.%m.%Y, %H:%M", "%H:%M %d.%m.%Y", "%Y年%m月%d日 %H時%M分", "%a %b %d %H:%M:%S %Y",
     "%d/%b/%Y:%H:%M:%S -0700", "%d.%m.%Y %H.%M Uhr", "%A, %B %dth %Y at %I:%M %p",
     "%Y%m%d%H%M%S", "%Y%m%dT%H%M%S", "%d %B %Y %Hh%M", "%a %b %d %Y %H:%M:%S GMT+0100 (CET)"],
)  # fmt: skip
def test_forms_that_people_write_are_read_whole(form: str) -> None:
    """Any order of date and time, with words and zones, gives the moment and no doubt."""
    texts = [day.strftime(form) for day in DAYS]
    guess = _guess(texts)
    assert guess is not None
    assert guess.certainty == "certain"
    assert parse_times(np.array(texts, dtype=object), guess.form).tolist() == DAYS.tolist()


@pytest.mark.parametrize(
    "text",
    ["4. Mai 2021", "4 mai 2021", "4 de mayo de 2021", "4 maggio 2021", "04-mag-2021",
     "4 de maio de 2021", "4 mei 2021", "Dienstag, 4. Mai 2021", "mar. 4 mai 2021", "4th May 2021",
     "mardi 4 mai 2021", "martes, 4 de mayo de 2021"],
)  # fmt: skip
def test_months_of_many_languages_are_one_month(text: str) -> None:
    """A month's name in any of the languages, long or short, is that month."""
    assert parse_times(np.array([text], dtype=object), "%d?%b?%Y")[0] == MOMENT.normalize()


def test_two_orders_in_one_column_are_asked_about() -> None:
    """Where some dates can only be day first and others only month first, both are read, openly."""
    texts = [day.strftime(("%d/%m/%Y", "%m/%d/%Y")[i % 2]) for i, day in enumerate(DAYS)]
    guess = _guess(texts)
    assert guess is not None
    assert guess.certainty == "open"
    assert parse_times(np.array(texts, dtype=object), guess.form).notna().all()


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y"])
def test_first_days_of_months_are_no_days_of_january(form: str) -> None:
    """Monthly data are read as firsts of months, whichever order they are written in."""
    months = pd.date_range("2019-01-01", periods=36, freq="MS")
    guess = _guess([month.strftime(form) for month in months])
    assert guess is not None
    assert (guess.form, guess.certainty) == (form, "certain")


def test_order_of_rows_decides_but_not_where_rows_are_sorted_as_texts() -> None:
    """Rows in order under one reading alone show it; texts in the order of texts show nothing."""
    days = [day for day in pd.date_range("2021-03-02", periods=300) if day.day <= 12]
    guess = _guess([day.strftime("%d/%m/%Y") for day in days])
    assert guess is not None
    assert (guess.form, guess.certainty) == ("%d/%m/%Y", "certain")
    sorted_texts = _guess([day.strftime("%m/%d/%Y") for day in days])
    assert sorted_texts is not None
    assert (sorted_texts.form, sorted_texts.certainty) == ("%m/%d/%Y", "likely")


def test_columns_that_are_no_dates_stay_none() -> None:
    """Numbers, codes, addresses and words are no dates."""
    for texts in (["1.5", "2.25", "3.75"], ["today", "now", "may"], ["AB-12-345", "AB-13-346"],
                  ["12 Main Street", "7 March Road"], ["10.0.0.1", "10.0.0.2"], []):  # fmt: skip
        assert _guess(texts) is None


def test_far_days_are_counted() -> None:
    """An open end is read, and told with its rows."""
    guess = _guess(["2021-01-03", "2021-01-04", "9999-12-31", "2021-01-05", "9999-12-31"])
    assert guess is not None
    assert (guess.share, guess.odd, guess.odd_rows) == (1.0, "9999-12-31", 2)


def test_zones_of_some_rows_are_described() -> None:
    """Zones differ, or stand behind some times alone; one zone throughout is nothing to tell."""
    one = np.array(["2021-01-03T08:00Z", "2021-01-04T08:00Z"], dtype=object)
    some = np.array(["2021-01-03T08:00Z", "2021-01-04T08:00"], dtype=object)
    assert describe_zones(one, np.array([1, 1])) == ""
    assert "2 of 5 times have no zone" in describe_zones(some, np.array([3, 2]))


@given(
    st.datetimes(pd.Timestamp("1991-01-01"), pd.Timestamp("2059-01-01")),
    st.sampled_from([*COUNTED]),
)
def test_counts_are_written_as_they_are_read(moment: object, form: str) -> None:
    """A moment that is written in a form is read back, to the millisecond."""
    stamp = pd.Timestamp(moment)  # type: ignore[arg-type]
    read = parse_times(np.array([write_time(stamp, form)], dtype=object), form)[0]
    assert abs(read - stamp) <= pd.Timedelta("2ms")


def test_counts_are_guessed_by_name_and_range() -> None:
    """A range without a name, or a name without a range, is a number like any other."""
    ones = np.array([1, 1])
    days, _, milliseconds = COUNTED
    assert guess_counted("startDate", np.array([44197.0, 44926.0]), ones) == days
    assert guess_counted("created_at", np.array([1.6e12, 1.7e12]), ones) == milliseconds
    assert guess_counted("income", np.array([44197.0, 44926.0]), ones) is None
    assert guess_counted("time", np.array([44197.0, 44926.0]), ones) is None
    assert guess_counted("date", np.array([1.0, 30.0]), ones) is None
