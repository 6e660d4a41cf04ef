"""Metrics of the rows that a condition calls unexpected: how many, which, what they hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import polars as pl
from great_expectations.expectations.metrics.util import compute_unexpected_pandas_indices

from pipeline.validation import partials, unexpected
from pipeline.validation.column_metrics import plan_outlier_statistics
from pipeline.validation.planning import NUMBERS, Domain, MetricPlan, find_index_columns
from pipeline.validation.questions import Block, Rows
from pipeline.validation.scan import Scan
from pipeline.validation.stock import ROWWISE, judge_chunk
from pipeline.validation.table import Column, Table
from pipeline.validation.tails import settle, tails

INSIDE = " inside"  # a field beside those of the columns
MAX_RECORDS = 200  # Great Expectations shows no more values than this
ROW_METRICS = (
    "unexpected_count", "unexpected_values", "unexpected_index_list", "unexpected_index_query",
    "unexpected_rows", "filtered_row_count",
)  # fmt: skip


def plan_rows(
    name: str, suffix: str, domain: Domain, kwargs: dict[str, Any], scan: Scan
) -> MetricPlan | None:
    """MetricPlan a metric of unexpected rows; None if it must be left to pandas.

    Parameters
    ----------
    name
        The condition, such as ``column_values.between``.
    suffix
        What is wanted of the rows, one of ``ROW_METRICS``.
    domain
        Columns and row condition.
    kwargs
        Arguments of the expectation; ``result_format`` is taken out.
    scan
        What is asked of the table.
    """
    if len(set(domain.columns)) < len(domain.columns):
        return None  # the same column twice
    form = kwargs.pop("result_format", None) or {}
    kind = form.get("result_format") if isinstance(form, Mapping) else None
    if suffix == "unexpected_index_query" and (
        kind != "COMPLETE" and not form.get("return_unexpected_index_query")
    ):
        return MetricPlan(lambda: None)  # of no use to the result; stock writes all labels out
    wish = Rows(
        f"{name}|{domain.key}|{json.dumps(kwargs, default=_tell_apart, sort_keys=True)}",
        (*(c.name for c in domain.columns), *(domain.where.columns if domain.where else ())),
    )
    _wish(wish, suffix, form, domain, scan.table)
    if name in ORDERS and _judge_order(wish, name, domain, kwargs):
        rows = scan.ask_rows(wish)
        return MetricPlan(lambda: _answer(rows, suffix, form, domain, scan.table))
    later = LATER.get(name)
    if later is not None:
        return later(name, suffix, wish, domain, kwargs, form, scan)
    if not _judge_by(wish, name, domain, kwargs):
        return None
    rows = scan.ask_rows(wish)
    return MetricPlan(lambda: _answer(rows, suffix, form, domain, scan.table))


def _wish(rows: Rows, suffix: str, form: Mapping[str, Any], domain: Domain, table: Table) -> None:
    """Say how many rows and which columns of them a metric is to show."""
    complete = form.get("result_format") == "COMPLETE"
    partial = form.get("partial_unexpected_count", 20)
    names = {column.name for column in domain.columns}
    if suffix == "unexpected_values":
        rows.wanted, rows.shown = MAX_RECORDS if complete else min(partial, MAX_RECORDS), names
    elif suffix == "unexpected_rows":
        rows.wanted = MAX_RECORDS if complete else min(partial, MAX_RECORDS)
        rows.shown = set(table.columns)
    elif suffix == "unexpected_index_list":
        named = form.get("unexpected_index_column_names")
        rows.shown = names | find_index_columns(form, table)
        rows.wanted = None if complete and (named or not _is_plain(table)) else partial
        rows.labels_wanted = complete
    elif suffix == "unexpected_index_query":
        rows.labels_wanted = True


def _is_plain(table: Table) -> bool:
    """Tell whether rows are labelled by one index without a name."""
    return table.index is None or table.index.names == [None]


def _tell_apart(value: Any) -> str:
    return f"{type(value).__name__} {value!r}"


def _judge_by(rows: Rows, name: str, domain: Domain, kwargs: Mapping[str, Any]) -> bool:
    """Find how rows are judged: by an expression, or chunk by chunk by pandas; or else not here."""
    expression = None
    if len(domain.columns) == 1 and name in unexpected.ONE_COLUMN:
        expression = unexpected.ONE_COLUMN[name](domain.columns[0], kwargs)
    elif name.startswith("column_pair_values") and len(domain.columns) == 2:
        expression = unexpected.judge_pair(name, *domain.columns, kwargs)
    ready = all(column.kind != "other" for column in domain.columns)
    if expression is not None and ready:
        rows.unexpected = expression
        rows.domain = _select_domain(name, domain)
        return True
    if name not in ROWWISE:
        return False
    text = len(domain.columns) == 1 and domain.columns[0].kind == "text"
    rows.by_pandas = judge_chunk(name, domain.kwargs, kwargs, text=text)
    return True


def _select_domain(name: str, domain: Domain) -> pl.Expr | None:
    """Write which rows a condition selects."""
    conditions = []
    condition = partials.select(domain.where)
    if condition is not None:
        conditions.append(condition)
    there = [pl.col(column.name).is_not_null() for column in domain.columns]
    if "column" in domain.kwargs:
        if name not in ("column_values.nonnull", "column_values.null"):
            conditions += there
    else:
        ignore = domain.kwargs.get("ignore_row_if")
        if ignore in ("both_values_are_missing", "all_values_are_missing"):
            conditions.append(pl.any_horizontal(there))
        elif ignore in ("either_value_is_missing", "any_value_is_missing"):
            conditions += there
    return pl.all_horizontal(conditions) if conditions else None


def _answer(rows: Rows, suffix: str, form: Mapping[str, Any], domain: Domain, table: Table) -> Any:
    """Give a metric of unexpected rows as the provider for pandas would."""
    if rows.error is not None:
        raise rows.error
    if suffix == "unexpected_count":
        return rows.count
    if suffix == "filtered_row_count":
        return rows.considered
    if suffix == "unexpected_index_query":
        return f"df.filter(items={rows.labels}, axis=0)"
    complete = form.get("result_format") == "COMPLETE"
    partial = form.get("partial_unexpected_count", 20)
    limit = MAX_RECORDS if complete else min(partial, MAX_RECORDS)
    names = [column.name for column in domain.columns]
    if suffix == "unexpected_index_list":
        if complete and _is_plain(table) and not form.get("unexpected_index_column_names"):
            return rows.labels
        frame = rows.frame(table)
        known = {"table.columns": list(table.columns)}
        engine: Any = None  # it is not asked
        found = compute_unexpected_pandas_indices(frame, names, dict(form), engine, known)
        return found if complete else found[:partial]
    frame = rows.frame(table)
    if suffix == "unexpected_rows":
        return frame.iloc[:limit]
    if "column" in domain.kwargs:
        return list(frame[names[0]][:limit])
    if "column_A" in domain.kwargs:
        pairs = zip(frame[names[0]].values, frame[names[1]].values, strict=True)
        return list(pairs)[:limit]
    return frame[names][:limit].to_dict("records")


ORDERS = {"column_values.increasing": 1, "column_values.decreasing": -1}


def _judge_order(rows: Rows, name: str, domain: Domain, kwargs: Mapping[str, Any]) -> bool:
    """Judge each value by the one before it, across the chunks."""
    column = domain.columns[0]
    if column.kind not in NUMBERS or column.dtype.kind == "u":  # numpy's differences wrap around
        return False
    selected = _select_domain(name, domain)
    assert selected is not None
    value, direction, strictly = pl.col(column.name), ORDERS[name], bool(kwargs.get("strictly"))
    last: list[Any] = [None]

    def judge(data: pl.DataFrame) -> tuple[int, pl.Series]:
        known = pl.when(selected).then(value)
        before = known.forward_fill().shift(1)
        if last[0] is not None:
            before = before.fill_null(last[0])
        step = (value - before) * direction
        wrong = step <= 0 if strictly else step < 0
        if column.kind == "float":  # infinity less infinity is in order, as a gap is
            wrong = wrong & step.is_not_nan()
        found = data.select(
            wrong=(selected & wrong).fill_null(False), selected=selected, known=known
        )
        ends = found["known"].drop_nulls()
        last[0] = ends[-1] if len(ends) else last[0]
        return int(found["selected"].sum()), found["wrong"]

    rows.by_chunk, rows.given = judge, None
    return True


def _plan_unique(
    name: str, suffix: str, wish: Rows, domain: Domain, kwargs: dict[str, Any],
    form: Mapping[str, Any], scan: Scan,
) -> MetricPlan | None:  # fmt: skip
    """Find what occurs more than once: at once in a single chunk, by hashes in many.

    Two values of one 64-bit hash would be taken for one: among 50 million, once in ten thousand
    tables.
    """
    if any(column.kind in ("other", "time") for column in domain.columns):
        return None
    selected = _select_domain(name, domain)
    inside = pl.lit(True) if selected is None else selected
    # What is not in question is set apart, so that it repeats nothing that is.
    value = pl.struct(*(pl.col(column.name) for column in domain.columns), inside.alias(INSIDE))
    wish.domain, wish.given = selected, None
    answer = MetricPlan(lambda: _answer(scan.rows[wish.key], suffix, form, domain, scan.table))
    if len(scan.table.bounds) == 1:
        wish.unexpected = value.is_duplicated()
        scan.ask_rows(wish)
        return answer
    hashes = value.hash()
    block = Block(
        f"hashes|{wish.key}", wish.columns, (hashes.filter(inside).implode(),), _find_repeated,
        small=False,
    )  # fmt: skip

    def then() -> None:
        wish.unexpected = hashes.is_in(scan.found[block.key].implode())
        scan.ask_rows(wish)

    answer.first, answer.then = [block], then
    return answer


def _find_repeated(parts: list[tuple[pl.Series]]) -> pl.Series:
    hashes = pl.concat([part[0] for part in parts])
    return hashes.filter(hashes.is_duplicated()).unique()


def _plan_z_score(
    name: str, suffix: str, wish: Rows, domain: Domain, kwargs: dict[str, Any],
    form: Mapping[str, Any], scan: Scan,
) -> MetricPlan | None:  # fmt: skip
    column = domain.columns[0]
    if unexpected.judge_z_score(column, kwargs, 0.0, 1.0) is None:
        return None
    block = partials.moments(column, domain.where)
    first = [block, *_settle_by_tails(wish, column, domain, scan)]

    def then() -> None:
        found: partials.Moments = scan.found[block.key]
        wish.unexpected = unexpected.judge_z_score(column, kwargs, found.mean, found.deviation)
        wish.given = repr((found.mean, found.deviation))
        wish.domain = _select_domain(name, domain)
        scan.ask_rows(wish)

    return MetricPlan(
        lambda: _answer(scan.rows[wish.key], suffix, form, domain, scan.table), first, then
    )


def _settle_by_tails(rows: Rows, column: Column, domain: Domain, scan: Scan) -> list[Block]:
    """Find outlying rows in the ends of partitions, where those are kept; say what that needs."""
    if scan.states is None:
        return []
    block = tails(column, domain.where)
    rows.settle = lambda wanted: settle(column, block, scan, wanted)
    return [block]


def _plan_outliers(
    name: str, suffix: str, wish: Rows, domain: Domain, kwargs: dict[str, Any],
    form: Mapping[str, Any], scan: Scan,
) -> MetricPlan | None:  # fmt: skip
    column, method = domain.columns[0], kwargs.get("method") or "iqr"
    multiplier = kwargs.get("multiplier")
    multiplier = 1.5 if multiplier is None else multiplier
    if column.kind not in NUMBERS or method not in ("iqr", "std"):
        return None
    made = plan_outlier_statistics(column, domain.where, {"method": method}, scan)
    assert made is not None
    first = [*made.first, *_settle_by_tails(wish, column, domain, scan)]

    def then() -> None:
        if made.then is not None:
            made.then()
        low, high, spread = made.value()
        window = None if None in (low, high, spread) else (low, high, multiplier * spread)
        wish.unexpected = unexpected.judge_outlier(column, {"method": method}, window)
        wish.given = repr(window)
        wish.domain = _select_domain(name, domain)
        scan.ask_rows(wish)

    return MetricPlan(
        lambda: _answer(scan.rows[wish.key], suffix, form, domain, scan.table), first, then
    )


LATER = {
    "column_values.z_score.under_threshold": _plan_z_score,
    "column_values.not_outliers": _plan_outliers,
    "column_values.unique": _plan_unique,
    "compound_columns.unique": _plan_unique,
}
