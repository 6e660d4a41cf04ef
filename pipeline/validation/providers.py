"""Great Expectations' metrics: how each is computed here, if it can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from great_expectations.validator.metric_configuration import MetricConfiguration

from pipeline.validation import partials
from pipeline.validation.column_metrics import COLUMN
from pipeline.validation.planning import Domain, MetricPlan, read_domain
from pipeline.validation.row_metrics import ROW_METRICS, plan_rows
from pipeline.validation.scan import Scan
from pipeline.validation.table import Table


def plan(configuration: MetricConfiguration, scan: Scan) -> MetricPlan | None:
    """MetricPlan a metric; None if it must be left to pandas with its columns whole."""
    table = scan.table
    name = configuration.metric_name
    if not table.plain:
        return None
    kwargs = dict(configuration.metric_value_kwargs)
    domain = read_domain(configuration, table)
    where = domain.where
    if name in FIXED:
        return MetricPlan(lambda: FIXED[name](table))
    if where is not None and not where.rowwise:
        return None
    base, _, suffix = name.rpartition(".")
    if suffix in ROW_METRICS:
        made = plan_rows(base, suffix, domain, kwargs, scan)
    elif name == "table.head":
        made = _plan_head(domain, kwargs, table)
    elif name == "table.row_count":
        made = _plan_row_count(domain, scan)
    elif name in COLUMN and len(domain.columns) == 1:
        made = COLUMN[name](domain.columns[0], where, kwargs, scan)
    else:
        made = None
    if made is not None and where is not None:
        scan.wheres[where.key] = where
    return made


def _plan_head(domain: Domain, kwargs: dict[str, Any], table: Table) -> MetricPlan | None:
    rows = kwargs.get("n_rows")
    rows = 5 if rows is None else rows
    start, stop = table.bounds[0]
    if domain.where is not None or kwargs.get("fetch_all") or not 0 <= rows <= stop - start:
        return None
    return MetricPlan(lambda: table.load_pandas(0, list(table.columns)).head(rows))


def _plan_row_count(domain: Domain, scan: Scan) -> MetricPlan:
    if domain.where is None:
        return MetricPlan(lambda: scan.table.rows)
    block = partials.count_rows(domain.where)
    return MetricPlan(lambda: scan.found[block.key], [block])


# What does not depend on the rows.
FIXED: dict[str, Callable[[Table], Any]] = {
    "table.columns": lambda table: list(table.columns),
    "table.column_count": lambda table: len(table.columns),
    "table.column_types": lambda table: [
        {"name": column.name, "type": column.dtype} for column in table.columns.values()
    ],
}
