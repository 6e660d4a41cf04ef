"""Kind 4, times: all usual forms, both orders of day and month, zones, parts of a day."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from tests.reading.cases import Case, make_case
from tests.reading.quantities import scale
from tests.reading.tables import Column, Table, make_pair, make_rng, write_text

Spell = Callable[[pd.Timestamp], str]
NAMES_WHEN = r"'when'"
GERMAN = ("Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September",
          "Oktober", "November", "Dezember")  # fmt: skip
FRENCH = ("janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre",
          "octobre", "novembre", "décembre")  # fmt: skip
SPANISH = ("ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic")
DAYS: tuple[tuple[str, str], ...] = (
    ("iso", "%Y-%m-%d"),
    ("iso_basic", "%Y%m%d"),
    ("year_first_slashes", "%Y/%m/%d"),
    ("year_first_points", "%Y.%m.%d"),
    ("day_first_points", "%d.%m.%Y"),
    ("day_first_slashes", "%d/%m/%Y"),
    ("day_first_dashes", "%d-%m-%Y"),
    ("month_first_slashes", "%m/%d/%Y"),
    ("month_first_dashes", "%m-%d-%Y"),
    ("two_digits_points", "%d.%m.%y"),
    ("two_digits_day_first", "%d/%m/%y"),
    ("two_digits_month_first", "%m/%d/%y"),
    ("month_name_dashes", "%d-%b-%Y"),
    ("month_name_two_digits", "%d-%b-%y"),
    ("month_name_blanks", "%d %B %Y"),
    ("month_name_first", "%B %d, %Y"),
    ("month_name_first_short", "%b %d %Y"),
    ("weekday_before", "%a %d %b %Y"),
    ("weekday_behind", "%d.%m.%Y (%a)"),
    ("japanese", "%Y年%m月%d日"),
    ("year_and_month_name", "%Y-%b-%d"),
)
MOMENTS: tuple[tuple[str, str], ...] = (
    ("iso_t", "%Y-%m-%dT%H:%M:%S"),
    ("iso_z", "%Y-%m-%dT%H:%M:%SZ"),
    ("iso_minutes", "%Y-%m-%d %H:%M"),
    ("iso_micro", "%Y-%m-%d %H:%M:%S.000000"),
    ("iso_utc_behind", "%Y-%m-%d %H:%M:%S UTC"),
    ("iso_basic", "%Y%m%d%H%M%S"),
    ("iso_basic_t", "%Y%m%dT%H%M%S"),
    ("iso_am_pm", "%Y-%m-%d %I:%M:%S %p"),
    ("day_first_points", "%d.%m.%Y %H:%M"),
    ("day_first_points_seconds", "%d.%m.%Y %H:%M:%S"),
    ("day_first_points_comma", "%d.%m.%Y, %H:%M"),
    ("day_first_slashes", "%d/%m/%Y %H:%M"),
    ("day_first_dashes", "%d-%m-%Y %H:%M:%S"),
    ("day_first_two_digits", "%d/%m/%y %H:%M"),
    ("month_first_am_pm", "%m/%d/%Y %I:%M %p"),
    ("month_first_am_pm_seconds", "%m/%d/%Y %I:%M:%S %p"),
    ("month_first_am_pm_glued", "%m/%d/%Y %I:%M%p"),
    ("month_first_two_digits", "%m/%d/%y %H:%M"),
    ("month_name_am_pm", "%b %d %Y %I:%M%p"),
    ("mail", "%a, %d %b %Y %H:%M:%S GMT"),
    ("web_log", "%d/%b/%Y:%H:%M:%S +0000"),
    ("unix_date", "%a %b %d %H:%M:%S %Y"),
    ("time_first", "%H:%M %d.%m.%Y"),
)


def list_cases() -> list[Case]:
    """List the cases of times."""
    return [*_list_forms(), *_list_more_forms(), *_list_zones(), *_list_unsure(), *_list_gaps(),
            *_list_times_of_day(), *_list_counted()]  # fmt: skip


def draw_moments(name: str, rows: int = 120, unit: str = "min") -> list[pd.Timestamp]:
    """Draw moments of two years, in any order."""
    rng = make_rng(name)
    minutes = rng.integers(0, 2 * 365 * 24 * 60, rows)
    moments = pd.Timestamp("2021-01-03") + pd.to_timedelta(minutes, "min")
    return list(moments.floor(unit))


def make_times(name: str, moments: Sequence[pd.Timestamp | None], spell: Spell) -> Table:
    """Make a table around one column of times."""
    cells = ["" if v is None else spell(v) for v in moments]
    return make_pair(name, Column("time", moments), cells, "when")


def _list_forms() -> list[Case]:
    cases = []
    for kind, unit, forms in (("day", "D", DAYS), ("moment", "min", MOMENTS)):
        for name, form in forms:
            full = f"{kind}_{name}"
            table = make_times(
                full,
                draw_moments(full, unit=unit),
                lambda t, f=form: t.strftime(f),  # type: ignore[misc]
            )
            mark = ";" if "," in form else ","
            cases.append(make_case(full, 4, write_text(table, mark), table, refusal=NAMES_WHEN))
    return cases


def _list_more_forms() -> list[Case]:
    """Forms beyond strftime."""
    days = draw_moments("more", unit="D")
    moments = draw_moments("more moments")
    written: tuple[tuple[str, Sequence[pd.Timestamp], Spell], ...] = (
        ("no_zeros_day_first", days, lambda t: f"{t.day}/{t.month}/{t.year}"),
        ("no_zeros_month_first", days, lambda t: f"{t.month}/{t.day}/{t.year}"),
        ("no_zeros_points", days, lambda t: f"{t.day}.{t.month}.{t.year}"),
        ("upper_month", days, lambda t: t.strftime("%d-%b-%y").upper()),
        ("german_month", days, lambda t: f"{t.day}. {GERMAN[t.month - 1]} {t.year}"),
        ("french_month", days, lambda t: f"{t.day} {FRENCH[t.month - 1]} {t.year}"),
        ("spanish_month", days, lambda t: f"{t.day:02}-{SPANISH[t.month - 1]}-{t.year}"),
        ("ordinal", days, lambda t: f"{_count(t.day)} {t:%B %Y}"),
        ("spanish_am_pm", moments,
         lambda t: t.strftime("%d/%m/%Y %I:%M ") + ("a. m." if t.hour < 12 else "p. m.")),
        ("lower_am_pm", moments, lambda t: t.strftime("%m/%d/%Y %I:%M %p").lower()),
        ("german_clock", moments, lambda t: t.strftime("%d.%m.%Y %H:%M Uhr")),
        ("month_only", [t.replace(day=1) for t in days], lambda t: t.strftime("%Y-%m")),
        ("month_and_year", [t.replace(day=1) for t in days], lambda t: t.strftime("%b %Y")),
    )  # fmt: skip
    cases = []
    for name, values, spell in written:
        table = make_times(name, values, spell)
        texts = Column("category", list(table.cells["when"]))
        others = {"when": [texts]} if name.startswith("month_") else {}
        cases.append(
            make_case(f"time_{name}", 4, write_text(table, ";"), table, refusal=NAMES_WHEN,
                      alternatives=others)
        )  # fmt: skip
    quarters = [f"{t.year}-Q{t.quarter}" for t in days]
    table = make_pair("quarters", Column("category", quarters), quarters, "when")
    starts = Column("time", [t.to_period("Q").start_time for t in days])
    years = [float(t.year - i % 30) for i, t in enumerate(days)]
    whole = make_pair("years", Column("number", years), [f"{y:.0f}" for y in years], "when")
    return [
        *cases,
        make_case("time_quarters", 4, write_text(table), table, alternatives={"when": [starts]}),
        make_case("time_years_are_numbers", 4, write_text(whole), whole),
    ]


def _count(day: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(day % 10 if day not in (11, 12, 13) else 0, "th")
    return f"{day}{ending}"


def _list_zones() -> list[Case]:
    """Zones: the wall clock that the source names is kept, or the change is reported."""
    moments = draw_moments("zones")
    summer = [t for t in moments if 4 <= t.month <= 9]
    cases = []
    for name, values, spell, shift in (
        ("one_offset", moments, lambda t: f"{t:%Y-%m-%dT%H:%M:%S}+02:00", None),
        ("offset_without_colon", moments, lambda t: f"{t:%Y-%m-%d %H:%M:%S}+0530", None),
        ("summer_and_winter", moments, lambda t: f"{t:%Y-%m-%d %H:%M:%S}{_zone(t)}", None),
        ("zone_name", summer, lambda t: f"{t:%Y-%m-%d %H:%M} CEST", None),
        ("zulu_and_none", moments, lambda t: f"{t:%Y-%m-%dT%H:%M:%S}{'Z' if t.day % 2 else ''}",
         "when"),
    ):  # fmt: skip
        table = make_times(name, values, spell)
        cases.append(
            make_case(f"zone_{name}", 4, write_text(table), table, refusal=NAMES_WHEN,
                      report=(shift,) if shift else ())
        )  # fmt: skip
    return cases


def _zone(t: pd.Timestamp) -> str:
    return "+02:00" if 4 <= t.month <= 10 else "+01:00"


def _list_unsure() -> list[Case]:
    """Day and month both fit, or forms are mixed."""
    days = draw_moments("unsure", unit="D")
    low = [t.replace(day=(t.day - 1) % 12 + 1) for t in days]
    swapped = [t.replace(day=t.month, month=t.day) for t in low]
    cases = []
    for name, form in (
        ("slashes", "%d/%m/%Y"),
        ("slashes_two_digits", "%d/%m/%y"),
        ("slashes_with_time", "%d/%m/%Y %H:%M"),
        ("dashes", "%d-%m-%Y"),
    ):
        table = make_times(name, low, lambda t, f=form: t.strftime(f))  # type: ignore[misc]
        cases.append(
            make_case(f"both_orders_fit_{name}", 4, write_text(table), table, report=("when",),
                      open=True, refusal=NAMES_WHEN,
                      alternatives={"when": [Column("time", swapped)]})
        )  # fmt: skip
    mixed_forms = ("%Y-%m-%d", "%d.%m.%Y", "%b %d, %Y")
    cells = [t.strftime(mixed_forms[i % 3]) for i, t in enumerate(days)]
    mixed = make_pair("mixed", Column("time", days), cells, "when")
    both = make_pair("both", Column("time", days),
                     [t.strftime(("%Y-%m-%d", "%d/%m/%Y")[i % 2]) for i, t in enumerate(days)],
                     "when")  # fmt: skip
    orders = make_pair("two orders", Column("time", days),
                       [t.strftime(("%d/%m/%Y", "%m/%d/%Y")[i % 2]) for i, t in enumerate(days)],
                       "when")  # fmt: skip
    some_time = make_pair(
        "some time", Column("time", [t + pd.Timedelta("8h") if i % 4 else t
                                     for i, t in enumerate(days)]),
        [t.strftime("%d.%m.%Y 08:00" if i % 4 else "%d.%m.%Y") for i, t in enumerate(days)],
        "when")  # fmt: skip
    return [
        *cases,
        make_case("mixed_three_forms", 4, write_text(mixed, ";"), mixed, report=("when",),
                  refusal=NAMES_WHEN),
        make_case("mixed_iso_and_day_first", 4, write_text(both), both, report=("when",),
                  refusal=NAMES_WHEN),
        make_case("mixed_day_first_and_month_first", 4, write_text(orders), orders,
                  report=("when",), open=True, refusal=NAMES_WHEN),
        make_case("mixed_with_and_without_time", 4, write_text(some_time), some_time,
                  refusal=NAMES_WHEN),
    ]  # fmt: skip


def _list_gaps() -> list[Case]:
    cases = []
    days = draw_moments("gaps", unit="D")
    for name, form, odd, report in (
        ("zero_dates_of_mysql", "%Y-%m-%d", "0000-00-00", True),
        ("impossible_days", "%d.%m.%Y", "31.02.2021", True),
        ("words", "%d/%m/%Y", "unknown", True),
        ("blanks", "%d/%m/%Y", "", False),
        ("far_future", "%Y-%m-%d", "9999-12-31", True),
    ):
        rare = [i % 40 == 3 for i in range(len(days))]
        far = pd.Timestamp("9999-12-31") if name == "far_future" else None
        values = [far if r else t for r, t in zip(rare, days, strict=True)]
        cells = [odd if r else t.strftime(form) for r, t in zip(rare, days, strict=True)]
        table = make_pair(name, Column("time", values), cells, "when")
        gaps = Column("time", [None if r else t for r, t in zip(rare, days, strict=True)])
        cases.append(
            make_case(f"gaps_{name}", 4, write_text(table), table, refusal=NAMES_WHEN,
                      report=("when",) if report else (), alternatives={"when": [gaps]})
        )  # fmt: skip
    return cases


def _list_times_of_day() -> list[Case]:
    minutes = make_rng("times of day").integers(0, 24 * 60, 120)
    seconds = [float(m * 60) for m in minutes]
    cases = []
    for name, form in (("24_hours", "%H:%M"), ("seconds", "%H:%M:%S"), ("am_pm", "%I:%M %p")):
        start = pd.Timestamp("1900-01-01")
        moments = [start + pd.Timedelta(seconds=s) for s in seconds]
        table = make_pair(name, Column("number", seconds), [t.strftime(form) for t in moments],
                          "when")  # fmt: skip
        today = pd.Timestamp("1970-01-01")
        others = [*scale(seconds), Column("time", moments),
                  Column("time", [today + pd.Timedelta(seconds=s) for s in seconds])]  # fmt: skip
        cases.append(
            make_case(f"time_of_day_{name}", 4, write_text(table), table, refusal=NAMES_WHEN,
                      alternatives={"when": others})
        )  # fmt: skip
    return cases


def _list_counted() -> list[Case]:
    """List counts of days or seconds: as numbers they are in order, but must be named."""
    days = draw_moments("counted", unit="D")
    moments = draw_moments("counted moments")
    epoch = pd.Timestamp("1970-01-01")
    cases = []
    for name, values, count in (
        ("serials_of_excel", days, lambda t: (t - pd.Timestamp("1899-12-30")).days),
        ("seconds", moments, lambda t: int((t - epoch).total_seconds())),
        ("milliseconds", moments, lambda t: int((t - epoch).total_seconds() * 1000)),
    ):
        numbers = [float(count(t)) for t in values]
        table = make_pair(name, Column("time", values), [f"{n:.0f}" for n in numbers], "when")
        table = table.rename({"when": "date"})
        cases.append(
            make_case(f"counted_{name}", 4, write_text(table), table, report=("date",),
                      alternatives={"date": [Column("number", numbers)]})
        )  # fmt: skip
    # One row a month, in their order: read month first, all would lie in Januaries.
    months = [pd.Timestamp(2019 + i // 12, i % 12 + 1, 1) for i in range(60)]
    monthly = make_times("monthly", months, lambda t: t.strftime("%d/%m/%Y"))
    daily = [pd.Timestamp("2021-01-01") + pd.Timedelta(days=int(d)) for d in np.arange(120)]
    ordered = make_times("daily", daily, lambda t: t.strftime("%m/%d/%Y"))
    return [
        *cases,
        make_case("monthly_in_order", 4, write_text(monthly), monthly, refusal=NAMES_WHEN),
        make_case("daily_in_order", 4, write_text(ordered), ordered, refusal=NAMES_WHEN),
    ]
