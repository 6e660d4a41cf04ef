"""What makes a value unexpected, as expressions of Polars, for the conditions that it can judge.

Each function gives None where the column, or an argument, is of a kind that Polars would treat in
another way than pandas; then Great Expectations' own provider for pandas judges chunk by chunk.
Missing values are no concern of these expressions: the domain leaves them out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from pipeline.validation.conditions import fits, make_literals
from pipeline.validation.table import Column

Judge = Callable[[Column, Mapping[str, Any]], pl.Expr | None]


def _null(column: Column, kwargs: Mapping[str, Any]) -> pl.Expr | None:
    return pl.col(column.name).is_null() if column.kind != "other" else None


def _not_null(column: Column, kwargs: Mapping[str, Any]) -> pl.Expr | None:
    return pl.col(column.name).is_not_null() if column.kind != "other" else None


def _not_between(column: Column, kwargs: Mapping[str, Any]) -> pl.Expr | None:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    bounds = [bound for bound in (low, high) if bound is not None]
    if column.kind not in ("float", "int") or not all(fits(column, bound) for bound in bounds):
        return None
    if not bounds or (len(bounds) == 2 and low > high):  # type: ignore[operator]  # two numbers
        return None
    return _outside(pl.col(column.name), kwargs)


def _outside(value: pl.Expr, kwargs: Mapping[str, Any]) -> pl.Expr:
    """Write that a value is beyond the bounds that are given."""
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    inside = []
    if low is not None:
        inside.append(value > low if kwargs.get("strict_min") else value >= low)
    if high is not None:
        inside.append(value < high if kwargs.get("strict_max") else value <= high)
    return ~pl.all_horizontal(inside)


def _not_in_set(column: Column, kwargs: Mapping[str, Any]) -> pl.Expr | None:
    found = _is_in_set(column, kwargs)
    return None if found is None else ~found


def _is_in_set(column: Column, kwargs: Mapping[str, Any]) -> pl.Expr | None:
    values = kwargs.get("value_set")
    if not isinstance(values, list | tuple | set) or not values:
        return None
    if not all(fits(column, value) for value in values):
        return None
    return pl.col(column.name).is_in(make_literals(column, list(values)))


def _length_differs(column: Column, kwargs: Mapping[str, Any]) -> pl.Expr | None:
    value = kwargs.get("value")
    if column.kind != "text" or not _is_number(value):
        return None
    return pl.col(column.name).str.len_chars().cast(pl.Float64).ne(float(value))  # type: ignore[arg-type]


def _length_outside(column: Column, kwargs: Mapping[str, Any]) -> pl.Expr | None:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    bounds = [bound for bound in (low, high) if bound is not None]
    if column.kind != "text" or not bounds or not all(_is_number(bound) for bound in bounds):
        return None
    return _outside(pl.col(column.name).str.len_chars().cast(pl.Float64), kwargs)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


# By Great Expectations' name of the condition: what it calls unexpected.
ONE_COLUMN: dict[str, Judge] = {
    "column_values.nonnull": _null,
    "column_values.null": _not_null,
    "column_values.between": _not_between,
    "column_values.in_set": _not_in_set,
    "column_values.not_in_set": _is_in_set,
    "column_values.value_length.equals": _length_differs,
    "column_values.value_length.between": _length_outside,
}


def judge_pair(
    name: str, first: Column, second: Column, kwargs: Mapping[str, Any]
) -> pl.Expr | None:
    """Judge pairs of values; a pair with a missing value is unexpected, as for pandas.

    Parameters
    ----------
    name
        The condition, such as ``column_pair_values.equal``.
    first, second
        The two columns.
    kwargs
        Arguments of the expectation, such as ``or_equal``.

    Returns
    -------
    Expr or None
        True where a pair is unexpected; None if the metric must be left to pandas.
    """
    numbers = {first.kind, second.kind} <= {"float", "int"}
    if not numbers and {first.kind, second.kind} != {"text"}:
        return None
    if {first.kind, second.kind} == {"float", "int"}:  # beyond 2**53 the two compare otherwise
        return None
    a, b = pl.col(first.name), pl.col(second.name)
    if name == "column_pair_values.equal":
        return (a != b).fill_null(True)
    if name == "column_pair_values.a_greater_than_b":
        expected = a >= b if kwargs.get("or_equal") else a > b
        return (~expected).fill_null(True)
    return None


def judge_z_score(
    column: Column, kwargs: Mapping[str, Any], mean: float, deviation: float
) -> pl.Expr | None:
    """Judge by the distance from the mean in standard deviations; what has none is expected.

    Parameters
    ----------
    column
        A column of numbers.
    kwargs
        ``threshold``, and ``double_sided``: whether values below the mean count too.
    mean, deviation
        Of the whole column.

    Returns
    -------
    Expr or None
        True where a value is unexpected; None if the metric must be left to pandas.
    """
    threshold = kwargs.get("threshold")
    if column.kind not in ("float", "int") or not _is_number(threshold):
        return None
    if not deviation or math.isnan(deviation):
        return pl.lit(False)
    score = (pl.col(column.name) - mean) / deviation
    if kwargs.get("double_sided"):
        score, threshold = score.abs(), abs(threshold)  # type: ignore[arg-type]  # a number
    return (score >= threshold) & score.is_not_nan()


def judge_outlier(
    column: Column, kwargs: Mapping[str, Any], window: tuple[float, float, float] | None
) -> pl.Expr | None:
    """Judge by the window around the quartiles or the mean.

    Parameters
    ----------
    window
        Lower reference, upper reference, reach beyond them; None if the column offers none.
    """
    if column.kind not in ("float", "int"):
        return None
    if window is None:
        return pl.lit(False)
    low, high, reach = window
    value = pl.col(column.name)
    if kwargs.get("method", "iqr") == "iqr":
        return ~((value >= low - reach) & (value <= high + reach))
    if reach <= 0:
        return value != low
    return ~((value - low).abs() < reach)
