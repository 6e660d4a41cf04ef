"""Metrics of a column: its moments, extremes, quantiles, distinct values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from great_expectations.expectations.metrics.column_aggregate_metrics.column_outlier_statistics import (  # noqa: E501
    OutlierStatistics,
    _spread_between,
    _to_float,
)
from great_expectations.expectations.metrics.column_aggregate_metrics.column_partition import (
    _get_column_partition_using_metrics,
)
from great_expectations.validator.metric_configuration import MetricConfiguration

from pipeline.validation import partials
from pipeline.validation.cardinality import ERROR, Distinct
from pipeline.validation.conditions import Where, fits
from pipeline.validation.distributions import count_categories, of_categories, of_numbers
from pipeline.validation.planning import NUMBERS, MetricPlan
from pipeline.validation.questions import EXACT_ROWS, MOST_KEPT, Block
from pipeline.validation.scan import Scan
from pipeline.validation.selection import Quantiles
from pipeline.validation.stock import StockError, compute
from pipeline.validation.table import Column, to_pandas

Args = Mapping[str, Any]
Planner = Callable[[Column, Where | None, Args, Scan], MetricPlan | None]
COUNTED = (*NUMBERS, "bool", "text")  # whose distinct values Polars finds as pandas does
KNOWN = (*COUNTED, "time")
DISTRIBUTION = "column.distribution"


def _of(block: Block, scan: Scan, value: Callable[[Any], Any]) -> MetricPlan:
    return MetricPlan(lambda: value(scan.found[block.key]), [block])


def _plan_block(
    make: Callable[[Column, Where | None], Block],
    value: Callable[[Any], Any],
    kinds: tuple[str, ...] = NUMBERS,
) -> Planner:
    """Make the planner of a metric that is told by one block, for columns of some kinds."""

    def plan_block(
        column: Column, where: Where | None, kwargs: Args, scan: Scan
    ) -> MetricPlan | None:
        return _of(make(column, where), scan, value) if column.kind in kinds else None

    return plan_block


def _or_nan(value: Any) -> Any:
    return math.nan if value is None else value


def _plan_median(
    column: Column, where: Where | None, kwargs: Args, scan: Scan
) -> MetricPlan | None:
    if column.kind not in NUMBERS:
        return None
    middle = Quantiles(column, where, scan, [0.5], "midpoint")
    lower = Quantiles(column, where, scan, [0.5], "lower")
    upper = Quantiles(column, where, scan, [0.5], "higher")

    def value() -> float:
        low, high = float(lower.values()[0]), float(upper.values()[0])
        return low if low == high else (low + high) / 2

    return MetricPlan(value, [middle.first], middle.ask)


def _plan_quantiles(
    column: Column, where: Where | None, kwargs: Args, scan: Scan
) -> MetricPlan | None:
    interpolation = kwargs.get("allow_relative_error") or "nearest"
    if column.kind not in NUMBERS or interpolation not in (
        "linear", "lower", "higher", "midpoint", "nearest",
    ):  # fmt: skip
        return None
    wanted = Quantiles(column, where, scan, list(kwargs["quantiles"]), interpolation)
    if not all(0 <= share <= 1 for share in wanted.shares):
        return None
    return MetricPlan(wanted.values, [wanted.first], wanted.ask)


def plan_outlier_statistics(
    column: Column, where: Where | None, kwargs: Args, scan: Scan
) -> MetricPlan | None:
    """MetricPlan the references and the spread that outliers are judged by.

    Parameters
    ----------
    column
        A column of numbers, or the metric is left to pandas.
    where
        Which rows count; None: all.
    kwargs
        ``method``: iqr or std.
    scan
        What is asked of the table.
    """
    if column.kind not in NUMBERS or kwargs.get("method") not in ("iqr", "std"):
        return None
    if kwargs["method"] == "std":

        def symmetric(found: partials.Moments) -> OutlierStatistics:
            return OutlierStatistics.symmetric(_to_float(found.mean), _to_float(found.deviation))

        return _of(partials.moments(column, where), scan, symmetric)

    if scan.estimates:
        wanted = Quantiles(column, where, scan, [0.25, 0.75], "linear", estimated=True)

        def estimate() -> OutlierStatistics:
            low, high = (_to_float(value) for value in wanted.values())
            return OutlierStatistics(low, high, _spread_between(low, high))

        return MetricPlan(estimate, [wanted.first], wanted.ask)

    def quartiles(found: pl.Series) -> OutlierStatistics:
        series = to_pandas(found, column)
        low, high = _to_float(series.quantile(0.25)), _to_float(series.quantile(0.75))
        return OutlierStatistics(low, high, _spread_between(low, high))

    return _of(partials.gather(column, where), scan, quartiles)


def _plan_proportion(
    column: Column, where: Where | None, kwargs: Args, scan: Scan
) -> MetricPlan | None:
    if column.kind == "other":
        return None
    rows, there = partials.count_rows(where), partials.count_values(column, where)
    found = scan.found
    return MetricPlan(
        lambda: found[there.key] / found[rows.key] if found[rows.key] else 0, [rows, there]
    )


def _plan_unique_proportion(
    column: Column, where: Where | None, kwargs: Args, scan: Scan
) -> MetricPlan | None:
    if column.kind in ("other", "time"):
        return None
    there, distinct = (
        partials.count_values(column, where),
        _plan_distinct_count(column, where, scan),
    )
    found = scan.found

    def value() -> float:
        count = found[there.key]
        return min(1.0, distinct.value() / count) if count else 0

    return MetricPlan(value, [there, *distinct.first])


def _plan_distinct_count(column: Column, where: Where | None, scan: Scan) -> MetricPlan:
    most = None
    if scan.estimates:
        most = MOST_KEPT if scan.states is not None else EXACT_ROWS // len(scan.table.bounds)
    block = partials.count_distinct(column, where, most)

    def value() -> int:
        found: Distinct = scan.found[block.key]
        if not found.exact:
            scan.notes[f"distinct values of {column.name}"] = (
                f"estimated, with a standard error of {100 * ERROR:.2g} %"
            )
        return found.count

    return MetricPlan(value, [block])


def _plan_of_distinct(name: str) -> Planner:
    """Let pandas compute a metric that depends on the distinct values alone."""

    def plan_of_distinct(
        column: Column, where: Where | None, kwargs: Args, scan: Scan
    ) -> MetricPlan | None:
        if column.kind in ("other", "time"):
            return None
        block = partials.distinct(column, where)

        def value(found: pl.Series) -> Any:
            frame = to_pandas(found, column).to_frame()
            asked = MetricConfiguration(name, {"column": column.name}, dict(kwargs))
            answer = compute(frame, [asked])[0]
            if isinstance(answer, StockError):
                raise answer
            return answer

        return _of(block, scan, value)

    return plan_of_distinct


def _plan_distinct_values(
    column: Column, where: Where | None, kwargs: Args, scan: Scan
) -> MetricPlan | None:
    if column.kind in ("other", "time"):
        return None
    rows, there = partials.count_rows(where), partials.count_values(column, where)
    different = partials.distinct(column, where)
    found = scan.found

    def value() -> set[Any]:
        values = set(to_pandas(found[different.key], column).unique())
        return values | {np.nan} if found[there.key] < found[rows.key] else values

    return MetricPlan(value, [rows, there, different])


def _plan_value_counts(
    column: Column, where: Where | None, kwargs: Args, scan: Scan
) -> MetricPlan | None:
    if column.kind in ("other", "time", "bool") or kwargs.get("collate") is not None:
        return None
    if (kwargs.get("sort") or "value") != "value":
        return None

    def value(found: pl.DataFrame) -> pd.Series[Any]:
        index = pd.Index(to_pandas(found["value"], column), name="value")
        counts = pd.Series(found["n"].to_numpy().astype(np.int64), index=index, name="count")
        return counts.sort_index()

    return _of(partials.value_counts(column, where), scan, value)


def _plan_mode(column: Column, where: Where | None, kwargs: Args, scan: Scan) -> MetricPlan | None:
    if column.kind in ("other", "time", "bool"):
        return None

    def value(found: pl.DataFrame) -> list[Any]:
        top = found.filter(pl.col("n") == pl.col("n").max())["value"].sort()
        return list(to_pandas(top, column).values)

    return _of(partials.value_counts(column, where), scan, value)


def _plan_histogram(
    column: Column, where: Where | None, kwargs: Args, scan: Scan
) -> MetricPlan | None:
    bins = kwargs.get("bins")
    if column.kind not in NUMBERS or not isinstance(bins, list | tuple) or len(bins) < 2:
        return None
    if not all(fits(column, edge) for edge in bins) or any(
        a > b for a, b in itertools.pairwise(bins)
    ):
        return None
    return _of(partials.histogram(column, where, bins), scan, lambda found: found)


def _plan_between_count(
    column: Column, where: Where | None, kwargs: Args, scan: Scan
) -> MetricPlan | None:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if (low is None) == (high is None) or column.kind not in NUMBERS:
        return None  # with both, stock compares a series as one truth value, and fails
    if not fits(column, high if low is None else low):
        return None
    strict = bool(kwargs.get("strict_max") if low is None else kwargs.get("strict_min"))
    block = partials.count_beyond(column, where, low, high, strict=strict)
    return _of(block, scan, np.int64)  # it is divided by a count that may be 0


def _plan_partition(
    column: Column, where: Where | None, kwargs: Args, scan: Scan
) -> MetricPlan | None:
    bins: Any = kwargs.get("bins") or "uniform"
    n_bins = kwargs.get("n_bins") or 10
    if column.kind not in NUMBERS or bins not in ("uniform", "auto"):
        return None
    ends, there = partials.extremes(column, where), partials.count_values(column, where)
    shares = [0.0, 0.25, 0.75, 1.0]
    wanted = Quantiles(column, where, scan, shares, "nearest", estimated=scan.estimates)

    def value() -> Any:
        low, high = (_or_nan(end) for end in scan.found[ends.key])
        found: dict[str, Any] = {"column.min": low, "column.max": high}
        if bins == "auto":
            found["column.quantile_values"] = wanted.values()
            found["column_values.nonnull.count"] = scan.found[there.key]
        return _get_column_partition_using_metrics(bins=bins, n_bins=n_bins, _metrics=found)

    if bins == "auto":
        return MetricPlan(value, [ends, there, wanted.first], wanted.ask)
    return MetricPlan(value, [ends, there])


def plan_distribution(
    column: Column, where: Where | None, kwargs: Args, scan: Scan
) -> MetricPlan | None:
    """MetricPlan what is kept of a column to be compared with later.

    Parameters
    ----------
    column
        Numbers, text or booleans; of others nothing is kept.
    where
        Which rows count; None: all.
    kwargs
        None are looked at.
    scan
        What is asked of the table.
    """
    rows, found = partials.count_rows(where), scan.found
    if column.kind in NUMBERS:
        values = partials.sketch(column, where, finite=True)
        moments = partials.moments(column, where, finite=True)
        return MetricPlan(
            lambda: of_numbers(found[values.key], found[moments.key], found[rows.key]),
            [rows, values, moments],
        )
    if column.kind in ("text", "bool"):
        counts = partials.value_counts(column, where)
        return MetricPlan(
            lambda: of_categories(count_categories(found[counts.key]), found[rows.key]),
            [rows, counts],
        )
    return None


COLUMN: dict[str, Planner] = {
    DISTRIBUTION: plan_distribution,
    "column.mean": _plan_block(partials.moments, lambda found: found.mean),
    "column.standard_deviation": _plan_block(partials.moments, lambda found: found.deviation),
    "column.sum": _plan_block(partials.total, lambda found: found),
    "column.min": _plan_block(partials.extremes, lambda found: _or_nan(found[0])),
    "column.max": _plan_block(partials.extremes, lambda found: _or_nan(found[1])),
    "column.median": _plan_median,
    "column.quantile_values": _plan_quantiles,
    "column.outlier_statistics": plan_outlier_statistics,
    "column.non_null_count": _plan_block(partials.count_values, lambda found: found, KNOWN),
    "column_values.nonnull.count": _plan_block(partials.count_values, lambda found: found, KNOWN),
    "column.non_null_proportion": _plan_proportion,
    "column.distinct_values": _plan_distinct_values,
    "column.distinct_values.count": lambda column, where, kwargs, scan: (
        _plan_distinct_count(column, where, scan) if column.kind in COUNTED else None
    ),
    "column.distinct_values.not_in_set": _plan_of_distinct("column.distinct_values.not_in_set"),
    "column.distinct_values.not_in_set.count": _plan_of_distinct(
        "column.distinct_values.not_in_set.count"
    ),
    "column.distinct_values.missing_from_column": _plan_of_distinct(
        "column.distinct_values.missing_from_column"
    ),
    "column.distinct_values.missing_from_column.count": _plan_of_distinct(
        "column.distinct_values.missing_from_column.count"
    ),
    "column_values.length.max": _plan_of_distinct("column_values.length.max"),
    "column_values.length.min": _plan_of_distinct("column_values.length.min"),
    "column.unique_proportion": _plan_unique_proportion,
    "column.value_counts": _plan_value_counts,
    "column.most_common_value": _plan_mode,
    "column.histogram": _plan_histogram,
    "column_values.between.count": _plan_between_count,
    "column.partition": _plan_partition,
}
