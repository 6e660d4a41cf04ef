"""Great Expectations on Polars: unchanged suites, the results of its pandas engine, two passes.

``PolarsExecutionEngine`` takes the place of Great Expectations' engine for pandas. All metrics of
a suite arrive in one call: each is registered here as one that needs no others, and what it is made
of is found in one pass over the data, or two where a condition needs the whole column's statistics
first. What Polars would answer differently is left to the providers for pandas, on the columns
that they need.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pandas as pd
import polars as pl
from great_expectations.core.batch import BatchMarkers
from great_expectations.core.batch_spec import PathBatchSpec, RuntimeDataBatchSpec
from great_expectations.exceptions.exceptions import GreatExpectationsError, MetricResolutionError
from great_expectations.execution_engine.pandas_batch_data import PandasBatchData
from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
from great_expectations.expectations.registry import _registered_metrics
from great_expectations.validator.exception_info import ExceptionInfo
from great_expectations.validator.metric_configuration import MetricConfiguration

from pipeline.validation import drift_expectations  # noqa: F401  (its metric is registered)
from pipeline.validation.opening import make_table
from pipeline.validation.planning import MetricPlan, find_index_columns, read_domain
from pipeline.validation.providers import plan
from pipeline.validation.scan import Scan
from pipeline.validation.states import States
from pipeline.validation.stock import StockError, compute
from pipeline.validation.table import Table


class PolarsBatchData(PandasBatchData):
    """A batch that is read by chunks; as a pandas frame only where somebody asks for that."""

    def __init__(
        self, engine: PandasExecutionEngine, table: Table, states: States | None = None
    ) -> None:
        super().__init__(engine, pd.DataFrame())
        self.table = table
        self.scan = Scan(table, states=states)
        self.answers: dict[Any, Any] = {}

    @property
    def dataframe(self) -> pd.DataFrame:
        """Read the whole batch as a pandas frame."""
        return self.table.load_whole(list(self.table.columns))


class PolarsExecutionEngine(PandasExecutionEngine):
    """Computes the metrics of suites with Polars, to the results of the engine for pandas.

    Takes Parquet files, folders of them, Polars' lazy frames and pandas frames. To put it in the
    place of the pandas engine of existing data sources, set
    ``PandasDatasource.execution_engine_override = PolarsExecutionEngine`` (and likewise for the
    data sources of files); Great Expectations does not store that, so import it in each process.
    """

    def load_batch_data(self, batch_id: str, batch_data: Any) -> None:
        """Take a batch: a table, a Polars or pandas frame, or a path."""
        if isinstance(batch_data, PandasBatchData) and not isinstance(batch_data, PolarsBatchData):
            batch_data = batch_data.dataframe
        if not isinstance(batch_data, PolarsBatchData):
            table = batch_data if isinstance(batch_data, Table) else make_table(batch_data)
            batch_data = PolarsBatchData(self, table)
        self._batch_manager.save_batch_data(batch_id=batch_id, batch_data=batch_data)

    def get_batch_data_and_markers(self, batch_spec: Any) -> tuple[Any, BatchMarkers]:
        """Open a batch; Parquet is not read yet."""
        if isinstance(batch_spec, PathBatchSpec) and batch_spec.reader_method == "read_parquet":
            options = {k: v for k, v in (batch_spec.reader_options or {}).items() if v is not None}
            if not options:
                return self._open(make_table(batch_spec.path))
        if isinstance(batch_spec, RuntimeDataBatchSpec) and isinstance(
            batch_spec.batch_data, pd.DataFrame | pl.DataFrame | pl.LazyFrame
        ):
            table = make_table(batch_spec.batch_data)
            batch_spec.batch_data = "PandasDataFrame"
            return self._open(table)
        data, markers = super().get_batch_data_and_markers(batch_spec)
        return PolarsBatchData(self, make_table(data.dataframe)), markers

    def _open(self, table: Table) -> tuple[PolarsBatchData, BatchMarkers]:
        now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        return PolarsBatchData(self, table), BatchMarkers({"ge_load_time": now})

    def resolve_metrics(
        self,
        metrics_to_resolve: Iterable[MetricConfiguration],
        metrics: dict[Any, Any] | None = None,
        runtime_configuration: dict[str, Any] | None = None,
    ) -> dict[Any, Any]:
        """Compute metrics, all in as few passes as they need."""
        wanted = list(metrics_to_resolve)
        mine = [m for m in wanted if m.metric_name in _FLAT]
        rest = [m for m in wanted if m.metric_name not in _FLAT]
        values = super().resolve_metrics(rest, metrics, runtime_configuration) if rest else {}
        failed: dict[str, list[MetricConfiguration]] = defaultdict(list)
        for metric, answer in zip(mine, self.answer(mine), strict=True):
            if isinstance(answer, Failure):
                failed[answer.info.exception_message].append(metric)
            else:
                values[metric.id] = answer
        for message, metrics_failed in failed.items():
            raise MetricResolutionError(message=message, failed_metrics=metrics_failed)
        return values

    def answer(self, metrics: Sequence[MetricConfiguration]) -> list[Any]:
        """Compute metrics; one that fails has a ``Failure`` for its value."""
        keys = [(self._find_batch(metric), _identify(metric)) for metric in metrics]
        open_: dict[str, dict[Any, MetricConfiguration]] = defaultdict(dict)
        for (name, key), metric in zip(keys, metrics, strict=True):
            if key not in self._open_batch(name).answers:
                open_[name][key] = metric
        for name, wanted in open_.items():
            batch = self._open_batch(name)
            batch.answers |= _compute(batch.scan, wanted)
        return [self._open_batch(name).answers[key] for name, key in keys]

    def _open_batch(self, name: str) -> PolarsBatchData:
        batch: PolarsBatchData = self._batch_manager.batch_data_cache[name]  # type: ignore[assignment]
        return batch

    def _find_batch(self, metric: MetricConfiguration) -> str:
        name = metric.metric_domain_kwargs.get("batch_id")
        name = name or self._batch_manager.active_batch_data_id
        if name not in self._batch_manager.batch_data_cache:
            raise GreatExpectationsError(f"Unable to find batch with batch_id {name}")
        return str(name)


def _identify(metric: MetricConfiguration) -> tuple[Any, Any]:
    """Tell metrics apart: their ids leave out arguments that were set afterwards (quantiles)."""
    return metric.id, metric.metric_value_kwargs.to_id()


class Failure:
    """Why a metric has no value."""

    def __init__(self, error: Exception) -> None:
        self.info = (
            error.info
            if isinstance(error, StockError)
            else ExceptionInfo(
                exception_traceback=f"{type(error).__name__}: {error}",
                exception_message=str(error),
            )
        )


def _compute(scan: Scan, metrics: Mapping[Any, MetricConfiguration]) -> dict[Any, Any]:
    """Compute metrics of one table: a pass, a second one, then what is left to pandas."""
    try:
        return _compute_together(scan, metrics)
    except Exception:  # one of them can't be computed: find out which
        scan.give_up()
        answers: dict[Any, Any] = {}
        for group in _part_by_condition(metrics):
            apart = Scan(scan.table, states=scan.states)
            try:
                answers |= _compute_together(apart, group)
            except Exception:
                answers |= _leave_to_pandas(scan.table, group)
            scan.passes += apart.passes
        return answers


def _part_by_condition(
    metrics: Mapping[Any, MetricConfiguration],
) -> list[dict[Any, MetricConfiguration]]:
    """Part metrics by their row condition and columns, which is what an error comes from."""
    groups: dict[str, dict[Any, MetricConfiguration]] = defaultdict(dict)
    for key, metric in metrics.items():
        domain = metric.metric_domain_kwargs
        condition = str(domain.get("row_condition"))
        about = [str(domain.get(name)) for name in ("column", "column_A", "column_list")]
        groups[" ".join([condition, *about])][key] = metric
    return list(groups.values())


def _compute_together(scan: Scan, metrics: Mapping[Any, MetricConfiguration]) -> dict[Any, Any]:
    answers: dict[Any, Any] = {}
    plans: dict[Any, MetricPlan] = {}
    left: dict[Any, MetricConfiguration] = {}
    for key, metric in metrics.items():
        try:
            made = plan(metric, scan)
        except Exception as error:
            answers[key] = Failure(error)
            continue
        if made is None:
            left[key] = metric
        else:
            plans[key] = made
            for block in made.first:
                scan.ask(block)
    # Two passes, since some conditions are known only after the first: a distance from the mean, or
    # the outliers beyond quartiles, need statistics of the whole column, which no chunk has. What
    # the first pass found becomes the question of the second; without such a metric it is empty.
    scan.run()
    for made in plans.values():
        if made.then is not None:
            made.then()
    scan.run()
    for key, made in plans.items():
        try:
            answers[key] = made.value()
        except StockError:  # what pandas can't do with a chunk it may do with the whole
            left[key] = metrics[key]
        except Exception as error:
            answers[key] = Failure(error)
    scan.forget()
    return answers | _leave_to_pandas(scan.table, left)


def _leave_to_pandas(table: Table, metrics: Mapping[Any, MetricConfiguration]) -> dict[Any, Any]:
    """Compute metrics by the providers for pandas, on the columns that each set of them needs."""
    groups: dict[tuple[str, ...], list[Any]] = defaultdict(list)
    answers: dict[Any, Any] = {}
    for key, metric in metrics.items():
        if not table.plain:
            groups[()].append(key)
            continue
        try:
            domain = read_domain(metric, table)
        except Exception as error:
            answers[key] = Failure(error)
            continue
        names = {column.name for column in domain.columns}
        form = metric.metric_value_kwargs.get("result_format") or {}
        if form.get("include_unexpected_rows") or not (names or domain.where):
            names = set(table.columns)
        names |= set(domain.where.columns) if domain.where else set()
        names |= find_index_columns(form, table)
        groups[tuple(name for name in table.columns if name in names)].append(key)
    for wanted, keys in groups.items():
        values = compute(table.load_whole(wanted), [metrics[key] for key in keys])
        for key, value in zip(keys, values, strict=True):
            answers[key] = Failure(value) if isinstance(value, StockError) else value
    return answers


def _make_flat(metric_class: Any) -> Any:
    """Make a stand-in for a metric's class: with its arguments, needing no other metrics."""
    return SimpleNamespace(
        default_kwarg_values=getattr(metric_class, "default_kwarg_values", {}),
        domain_keys=getattr(metric_class, "domain_keys", ()),
        value_keys=getattr(metric_class, "value_keys", ()),
        get_evaluation_dependencies=lambda **_: {},
    )


def _register() -> frozenset[str]:
    """Put all metrics that the engine for pandas knows under this engine's name."""
    names = []
    for name, definition in _registered_metrics.items():
        found = definition["providers"].get(PandasExecutionEngine.__name__)
        if found is not None:
            definition["providers"][PolarsExecutionEngine.__name__] = (
                _make_flat(found[0]), found[1],
            )  # fmt: skip
            names.append(name)
    return frozenset(names)


_FLAT = _register()
