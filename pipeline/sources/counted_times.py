"""Dates that are written as counts: serial numbers of Excel, seconds since 1970."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

# Counts of days or seconds: how many make a day, and when they begin.
COUNTED = {
    "days since 1899-12-30": (1.0, "1899-12-30"),
    "seconds since 1970": (86_400.0, "1970-01-01"),
    "milliseconds since 1970": (86_400_000.0, "1970-01-01"),
}
COUNTED_YEARS = ("1990-01-01", "2060-01-01")
NAMES_OF_DAYS = frozenset(["date", "dates", "day", "datum", "fecha", "dob"])
NAMES_OF_TIMES = NAMES_OF_DAYS | frozenset(
    ["time", "timestamp", "datetime", "ts", "epoch", "created", "updated", "modified", "when", "at"]
)


def parse_counts(texts: pd.Series, form: str) -> pd.Series:
    """Parse counts as timestamps; what is none becomes NaT."""
    per_day, start = COUNTED[form]
    days = pd.to_numeric(texts, errors="coerce").astype(float) / per_day
    days = days.where(days.abs() < 1e6)
    seconds = (days * 86_400).round(3)
    return (pd.Timestamp(start) + pd.to_timedelta(seconds, "s")).astype("datetime64[us]")


def write_count_to(moment: pd.Timestamp, form: str) -> str:
    """Write a moment as the count up to it."""
    per_day, start = COUNTED[form]
    past = moment.tz_localize(None) - pd.Timestamp(start)
    return repr(past.total_seconds() / 86_400 * per_day)


def list_words(name: str) -> set[str]:
    """List the words of a column's name."""
    return {*re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).casefold())}


def names_a_time(name: str) -> bool:
    """Tell whether a column's name speaks of a day or a time."""
    return bool(list_words(name) & NAMES_OF_TIMES)


def guess_counted(name: str, numbers: np.ndarray, counts: np.ndarray) -> str | None:
    """Guess whether numbers count days or seconds up to dates, by their range and their name.

    Parameters
    ----------
    name
        Of the column.
    numbers, counts
        Shape ``(distinct,)``: finite numbers, and the rows of each.

    Returns
    -------
    str or None
        A form of ``COUNTED``.

    Examples
    --------
    >>> guess_counted("created_at", np.array([1.6e9, 1.7e9]), np.array([1, 1]))
    'seconds since 1970'
    >>> guess_counted("price", np.array([1.6e9, 1.7e9]), np.array([1, 1]))
    """
    words = list_words(name)
    if len(numbers) < 2 or not words & NAMES_OF_TIMES:
        return None
    for form, (per_day, start) in COUNTED.items():
        low, high = ((pd.Timestamp(y) - pd.Timestamp(start)).days * per_day for y in COUNTED_YEARS)
        inside = (numbers >= low) & (numbers <= high)
        if counts[inside].sum() >= 0.99 * counts.sum():
            return form if per_day > 1 or words & NAMES_OF_DAYS else None
    return None
