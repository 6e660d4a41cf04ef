"""Hold a column that was read against what is true, cell by cell."""

from __future__ import annotations

import datetime
import math
import warnings
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pandas as pd

from tests.reading.tables import Kind, Value

TOLERANCE = 1e-9


def count_differences(found: pd.Series, kind: Kind, values: Sequence[Value]) -> int:
    """Count the cells that are not what is true.

    Parameters
    ----------
    found
        A column as some reader gave it.
    kind
        What the column truly is.
    values
        What is true; an ellipsis is equal to anything.
    """
    if len(found) != len(values):
        return max(len(found), len(values))
    if kind == "number" and not _holds_numbers(found):
        return len(values)
    if kind == "time":
        found = _as_times(found)
    if pd.api.types.is_bool_dtype(found):
        return _count_in_opposites(found, values)
    pairs = zip(found.tolist(), values, strict=True)
    return sum(not _is_equal(got, value, kind) for got, value in pairs)


def _holds_numbers(found: pd.Series) -> bool:
    """Tell whether a column holds numbers or durations, and not texts of them."""
    if pd.api.types.is_bool_dtype(found):
        return False
    if pd.api.types.is_numeric_dtype(found) or pd.api.types.is_timedelta64_dtype(found):
        return True
    kinds = (int, float, Decimal, datetime.time, datetime.timedelta)
    return all(isinstance(v, kinds) or pd.isna(v) for v in found.tolist())


def _as_times(found: pd.Series) -> pd.Series:
    """Give the wall clock of times; texts as pandas reads them without being told how."""
    if not pd.api.types.is_datetime64_any_dtype(found):
        if pd.api.types.is_numeric_dtype(found):
            return pd.Series([None] * len(found), dtype=object)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that it guesses each cell's form by itself
                found = pd.to_datetime(found)
        except (ValueError, TypeError, OverflowError):
            return pd.Series([None] * len(found), dtype=object)
    if getattr(found.dt, "tz", None) is not None:
        found = found.dt.tz_localize(None)
    return found


def _count_in_opposites(found: pd.Series, values: Sequence[Value]) -> int:
    """Count in a column of True and False: each is to stand for one text, and for that alone."""
    yes = {v for got, v in zip(found, values, strict=True) if bool(got)}
    no = {v for got, v in zip(found, values, strict=True) if not bool(got)}
    # Labels are names, but a reader without labels may well know True.
    return 0 if len(yes) <= 1 and len(no) <= 1 and not yes & no else len(values)


def _is_equal(got: Any, value: Value, kind: Kind) -> bool:
    if value is ...:
        return True
    absent = got is None or got is pd.NaT or got is pd.NA or (got != got)
    if absent or value is None:
        return absent and value is None
    if kind == "number" or (kind == "any" and isinstance(value, float)):
        return _is_close(got, value)
    if kind == "time":
        return bool(pd.Timestamp(got) == value)
    return _write(got) == str(value)


def _is_close(got: Any, value: Any) -> bool:
    if isinstance(got, datetime.time):
        got = got.hour * 3600 + got.minute * 60 + got.second + got.microsecond / 1e6
    elif isinstance(got, datetime.timedelta):
        got = got.total_seconds()
    try:
        return math.isclose(float(got), float(value), rel_tol=TOLERANCE, abs_tol=1e-12)
    except (TypeError, ValueError):
        return False


def _write(got: Any) -> str:
    """Write a value as a text: a whole float is a whole number that lost its type to a gap."""
    if isinstance(got, float) and got.is_integer():
        return str(int(got))
    return str(got).strip()
