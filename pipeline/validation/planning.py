"""What a metric of Great Expectations covers, and how it is computed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from great_expectations.expectations.metrics.util import get_dbms_compatible_metric_domain_kwargs
from great_expectations.validator.metric_configuration import MetricConfiguration

from pipeline.validation.conditions import Where, find_where
from pipeline.validation.questions import Block
from pipeline.validation.table import Column, Table

NUMBERS = ("float", "int")


@dataclass(slots=True)
class MetricPlan:
    """How a metric is computed.

    Attributes
    ----------
    first
        What it needs of the first pass.
    then
        Asks for what it needs of a second pass, once the first is found.
    value
        Its value, once all is found.
    """

    value: Callable[[], Any]
    first: list[Block] = field(default_factory=list)
    then: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Domain:
    """What a metric covers."""

    kwargs: dict[str, Any]
    columns: tuple[Column, ...]
    where: Where | None

    @property
    def key(self) -> str:
        """Tell domains apart."""
        names = [column.name for column in self.columns]
        where = "" if self.where is None else self.where.key
        return json.dumps([names, where, self.kwargs.get("ignore_row_if")])


def read_domain(configuration: MetricConfiguration, table: Table) -> Domain:
    """Find the columns that a metric covers, under the names that they have in the table.

    Raises
    ------
    InvalidMetricAccessorDomainKwargsKeyError
        If there is no such column.
    """
    kwargs = get_dbms_compatible_metric_domain_kwargs(
        dict(configuration.metric_domain_kwargs), list(table.columns)
    )
    if "column" in kwargs:
        names = [kwargs["column"]]
    elif "column_A" in kwargs and "column_B" in kwargs:
        names = [kwargs["column_A"], kwargs["column_B"]]
    else:
        names = list(kwargs.get("column_list") or [])
    columns = tuple(table.columns[name] for name in names)
    return Domain(kwargs, columns, find_where(kwargs, table))


def find_index_columns(form: Mapping[str, Any], table: Table) -> set[str]:
    """Find the columns that a result format names rows by, in whatever case it writes them."""
    folded = {str(name).casefold() for name in form.get("unexpected_index_column_names") or []}
    return {name for name in table.columns if name.casefold() in folded}
