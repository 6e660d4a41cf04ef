"""Great Expectations' own providers for pandas, for all that Polars would answer differently."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from great_expectations.exceptions.exceptions import GreatExpectationsError
from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
from great_expectations.validator.exception_info import ExceptionInfo
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.validation_graph import ValidationGraph

BATCH = "rows"
MIN_REPEATS = 4  # a text is judged once for all its rows where there are this many of each

# Conditions on a row alone; all others need the whole column.
ROWWISE = {
    "column_values.nonnull", "column_values.null", "column_values.between", "column_values.in_set",
    "column_values.not_in_set", "column_values.match_regex", "column_values.not_match_regex",
    "column_values.match_regex_list", "column_values.not_match_regex_list",
    "column_values.value_length.equals", "column_values.value_length.between",
    "column_values.dateutil_parseable", "column_values.json_parseable",
    "column_values.match_json_schema", "column_values.match_strftime_format",
    "column_values.of_type", "column_values.in_type_list",
    "column_pair_values.equal", "column_pair_values.a_greater_than_b", "column_pair_values.in_set",
    "multicolumn_sum.equal", "multicolumn_values.equal",
    "select_column_values.unique.within_record",
}  # fmt: skip
SLOW = {
    "column_values.between", "column_values.dateutil_parseable", "column_values.json_parseable",
    "column_values.match_json_schema", "column_values.match_strftime_format",
    "column_values.of_type", "column_values.in_type_list",
    "column_values.match_regex", "column_values.not_match_regex",
    "column_values.match_regex_list", "column_values.not_match_regex_list",
}  # fmt: skip


class StockError(Exception):
    """A metric that Great Expectations can't compute.

    Attributes
    ----------
    info
        Its exception info.
    """

    def __init__(self, info: Any) -> None:
        super().__init__(info.exception_message)
        self.info = info


def compute(
    frame: pd.DataFrame, configurations: Sequence[MetricConfiguration]
) -> list[Any | StockError]:
    """Compute metrics of a frame, each with its value or its error."""
    engine = PandasExecutionEngine(batch_data_dict={BATCH: frame})
    rebound = [_rebind(configuration) for configuration in configurations]
    graph = ValidationGraph(execution_engine=engine)
    unknown: dict[Any, Any] = {}
    for configuration in rebound:
        try:
            graph.build_metric_dependency_graph(configuration, runtime_configuration=None)
        except GreatExpectationsError as error:  # there is no provider for pandas
            unknown[configuration.id] = {
                "exception_info": ExceptionInfo(
                    exception_traceback=f"{type(error).__name__}: {error}",
                    exception_message=str(error),
                )
            }
    values, failed = graph.resolve(show_progress_bars=False)
    return [
        values[configuration.id]
        if configuration.id in values
        else StockError(_find_error(configuration, {**failed, **unknown}))
        for configuration in rebound
    ]


def _rebind(configuration: MetricConfiguration) -> MetricConfiguration:
    domain = dict(configuration.metric_domain_kwargs) | {"batch_id": BATCH}
    return MetricConfiguration(
        configuration.metric_name, domain, dict(configuration.metric_value_kwargs)
    )


def _find_error(configuration: MetricConfiguration, failed: Mapping[Any, Any]) -> Any:
    """Find the error that a metric fails for: its own, or that of one that it needs."""
    if configuration.id in failed:
        return failed[configuration.id]["exception_info"]
    for needed in configuration.metric_dependencies.values():
        found = _find_error(needed, failed)
        if found is not None:
            return found
    return None


def judge_chunk(
    name: str, domain: Mapping[str, Any], kwargs: Mapping[str, Any], *, text: bool
) -> Callable[[pd.DataFrame], tuple[int, int, np.ndarray[Any, Any]]]:
    """Make the function that judges a chunk by Great Expectations' provider for pandas.

    Parameters
    ----------
    name
        The condition, such as ``column_values.match_regex``.
    domain, kwargs
        The metric's arguments.
    text
        Whether it covers a column of texts, which are judged once each where they repeat.
    """
    configuration = MetricConfiguration(f"{name}.condition", dict(domain), dict(kwargs))
    column = domain.get("column")

    def judge(frame: pd.DataFrame) -> tuple[int, int, np.ndarray[Any, Any]]:
        numbered = frame.reset_index(drop=True)
        if text and name in SLOW and not domain.get("row_condition"):
            codes, values = pd.factorize(numbered[column])
            if 0 < len(values) * MIN_REPEATS <= len(numbered):
                _, places, _ = _judge(pd.DataFrame({column: values}), configuration)
                unexpected = np.zeros(len(values), dtype=bool)
                unexpected[places] = True
                there = codes >= 0
                hits = np.flatnonzero(there & unexpected[codes])
                return int(there.sum()), len(hits), hits
        count, places, considered = _judge(numbered, configuration)
        return considered, count, places

    return judge


def _judge(
    frame: pd.DataFrame, configuration: MetricConfiguration
) -> tuple[int, np.ndarray[Any, Any], int]:
    found = compute(frame, [configuration])[0]
    if isinstance(found, StockError):
        raise found
    unexpected, compute_kwargs, accessor_kwargs = found
    engine = PandasExecutionEngine(batch_data_dict={BATCH: frame})
    rows = engine.get_domain_records({**compute_kwargs, **accessor_kwargs, "batch_id": BATCH})
    count = int(np.count_nonzero(unexpected))
    if isinstance(unexpected, pd.Series):
        hits = unexpected.index[np.asarray(unexpected == True, dtype=bool)]  # noqa: E712  # objects too
        column = accessor_kwargs.get("column")
        name = configuration.metric_name
        if column is not None and not name.startswith(
            ("column_values.nonnull", "column_values.null")
        ):
            rows = rows[rows[column].notnull()]
        places = hits[hits.isin(rows.index)].to_numpy()
    else:
        places = rows.index.to_numpy()[np.flatnonzero(unexpected)]
    return count, places.astype(np.int64), len(rows)
