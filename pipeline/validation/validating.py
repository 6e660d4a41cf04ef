"""Judging a table by a suite, without a data context."""

from __future__ import annotations

import contextlib
import copy
import io
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import great_expectations as gx
from great_expectations.core.expectation_validation_result import (
    ExpectationSuiteValidationResult,
    ExpectationValidationResult,
)
from great_expectations.core.result_format import ResultFormat
from great_expectations.validator.exception_info import ExceptionInfo
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.validation_statistics import calc_validation_statistics

from pipeline.errors import SourceError
from pipeline.validation.engine import Failure, PolarsBatchData, PolarsExecutionEngine
from pipeline.validation.opening import Source, make_table
from pipeline.validation.running import take_suite
from pipeline.validation.states import States
from pipeline.validation.table import Table

BATCH = "assay"
Form = str | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Validated:
    """What came of it.

    Attributes
    ----------
    result
        Great Expectations' own result.
    passes
        How often the data was read.
    notes
        What is estimated, and how well.
    """

    result: ExpectationSuiteValidationResult
    passes: int
    notes: dict[str, str]

    @property
    def success(self) -> bool:
        """Tell whether all expectations are met."""
        return bool(self.result.success)


def validate(
    source: Source,
    suite: gx.ExpectationSuite | Mapping[str, Any] | str | Path,
    *,
    result_format: Form = "SUMMARY",
    states: str | Path | None = None,
) -> Validated:
    """Judge a table by a suite.

    Parameters
    ----------
    source
        A Parquet file, a folder or list of them, a Polars frame or a pandas frame.
    suite
        A suite of Great Expectations; or a mapping as the suite's JSON has it, with the key
        ``expectations``; or the path of such a file.
    result_format
        As for Great Expectations: BOOLEAN_ONLY, BASIC, SUMMARY, COMPLETE, or a mapping.
    states
        A folder where the contribution of each Parquet file is kept: one that was judged before is
        not read again. Quantiles are then estimated, and ``notes`` says how well.

    Returns
    -------
    Validated
        Its ``result`` is equal to what Great Expectations' engine for pandas gives, up to the last
        digits of sums; docs/validation-engine.md lists where it is not.

    Raises
    ------
    SourceError
        If the table is not there, or is none.
    ConfigError
        If the suite is none, or an expectation in it is unknown or has wrong arguments.
    """
    taken = take_suite(suite)
    kept = None if states is None else States(Path(states))
    table = _open_table(source, kept)
    found = validate_all(table, [taken], result_format, kept)[0]
    if kept is not None:
        kept.tidy()
    return found


def _open_table(source: Source, kept: States | None) -> Table:
    """Open the table; what a library says of a file that is none gets its fix."""
    try:
        return make_table(source, identify=None if kept is None else kept.identify)
    except FileNotFoundError as error:
        named = source if isinstance(source, list | tuple) else [source]
        paths = [item for item in named if isinstance(item, str | Path)]
        missing = [path for path in paths if not Path(path).exists()]
        more = f" ({len(missing) - 1} more are missing)" if len(missing) > 1 else ""
        raise SourceError(
            "validation", f"{missing[0]} was not found{more}" if missing else str(error),
            "Correct the path, or give a frame of pandas or Polars",
        ) from None  # fmt: skip
    except (ValueError, TypeError) as error:
        raise SourceError(
            "validation", " ".join(str(error).split())[:300],
            "Give Parquet files, or a frame: of CSV, validate(polars.read_csv(path), suite)",
        ) from None  # fmt: skip


def validate_all(
    table: Table,
    suites: Sequence[gx.ExpectationSuite],
    result_format: Form = "SUMMARY",
    states: States | None = None,
) -> list[Validated]:
    """Judge a table by several suites, all in the same passes over it.

    Parameters
    ----------
    table
        What is judged.
    suites
        By which suites.
    result_format
        As for Great Expectations.
    states
        Where the contributions of partitions are kept; left out: nowhere.

    Returns
    -------
    list of Validated
        One for each suite, in their order.
    """
    engine = PolarsExecutionEngine()
    engine.load_batch_data(BATCH, PolarsBatchData(engine, table, states))
    form = dict(result_format) if isinstance(result_format, Mapping) else result_format
    runtime = {"result_format": form}
    bound = [_prepare(suite) for suite in suites]
    needed = [[_find_dependencies(one, engine, runtime) for one in own] for own in bound]
    engine.answer(
        [
            metric
            for own in needed
            for found in own
            if not isinstance(found, Exception)
            for metric in found.get_metric_configurations()
        ]
    )
    judged = [
        [_judge(one, found, engine, runtime) for one, found in zip(*pair, strict=True)]
        for pair in zip(bound, needed, strict=True)
    ]
    batch: Any = engine.batch_manager.batch_data_cache[BATCH]
    passes: int = batch.scan.passes
    return [
        Validated(_summarise(suite.name, results), passes, dict(batch.scan.notes))
        for suite, results in zip(suites, judged, strict=True)
    ]


def _summarise(name: str, results: list[ExpectationValidationResult]) -> Any:
    counts = calc_validation_statistics(results)
    return ExpectationSuiteValidationResult(
        results=results,
        success=counts.success,
        suite_name=name,
        statistics={
            "evaluated_expectations": counts.evaluated_expectations,
            "successful_expectations": counts.successful_expectations,
            "unsuccessful_expectations": counts.unsuccessful_expectations,
            "success_percent": counts.success_percent,
        },
        meta={"great_expectations_version": gx.__version__},
        batch_id=BATCH,
    )


def _prepare(suite: gx.ExpectationSuite) -> list[Any]:
    """Bind the expectations to the batch; those of a column stand together, as GX orders them."""
    by_column: dict[str, list[Any]] = {}
    for configuration in suite.expectation_configurations:
        column = configuration.kwargs.get("column")
        by_column.setdefault(column if isinstance(column, str) else "_nocolumn", []).append(
            configuration
        )
    bound = []
    for configurations in by_column.values():
        for configuration in configurations:
            configuration = copy.deepcopy(configuration)
            configuration.kwargs["batch_id"] = BATCH
            bound.append(configuration.to_domain_obj())
    return bound


def _find_dependencies(expectation: Any, engine: Any, runtime: Mapping[str, Any]) -> Any:
    """Find the metrics that an expectation needs, or the error that it raises instead.

    Some compute a metric here already, or look at their arguments only now; Great Expectations
    would give up the whole suite.
    """
    with contextlib.redirect_stderr(io.StringIO()):  # its progress bars can't be switched off
        try:
            return expectation.get_validation_dependencies(
                execution_engine=engine, runtime_configuration=copy.deepcopy(runtime)
            )
        except Exception as error:
            return error


def _judge(
    expectation: Any, needed: Any, engine: PolarsExecutionEngine, runtime: Mapping[str, Any]
) -> ExpectationValidationResult:
    configuration = expectation.configuration
    if isinstance(needed, Exception):
        return _fail(configuration, needed)
    named: dict[str, MetricConfiguration] = needed.metric_configurations
    answers = dict(zip(named, engine.answer(list(named.values())), strict=True))
    failed = {
        str(named[name].id): answer.info
        for name, answer in answers.items()
        if type(answer) is Failure
    }
    if failed:
        return ExpectationValidationResult(
            success=False, exception_info=failed, expectation_config=configuration
        )
    # As ``metrics_validate`` does it, which would find the needed metrics a second time: half of
    # the time of a suite on few rows.
    runtime = copy.deepcopy(dict(runtime)) | {"result_format": needed.result_format}
    try:
        given = expectation._validate(
            metrics=answers, runtime_configuration=runtime, execution_engine=engine
        )
        if needed.result_format["result_format"] == ResultFormat.BOOLEAN_ONLY:
            kept = ("unexpected_index_query", "unexpected_index_column_names")
            wanted = needed.result_format.get("return_unexpected_index_query", False)
            found = (given["result"] or {}) if "result" in given else {}
            given["result"] = {key: found[key] for key in kept if wanted and key in found}
        result: ExpectationValidationResult = expectation._build_evr(raw_response=given)
        return result
    except Exception as error:
        return _fail(configuration, error)


def _fail(configuration: Any, error: Exception) -> ExpectationValidationResult:
    return ExpectationValidationResult(
        success=False,
        exception_info=ExceptionInfo(
            exception_traceback="".join(traceback.format_exception(error)),
            exception_message=str(error),
        ),
        expectation_config=configuration,
    )
