"""Suites from JSON to results and Data Docs."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigError, name_examples, name_near_misses
from pipeline.validation.suites import check_suite, read_suite

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations import ExpectationSuite
    from great_expectations.data_context.data_context.ephemeral_data_context import (
        EphemeralDataContext,
    )

    from pipeline.validation.table import Table

# Analytics would try the network; the variable is read when Great Expectations is imported.
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
EXAMPLES = 5


def make_context() -> EphemeralDataContext:
    """Make a context in memory that shows no progress bars and leaves nothing behind."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    # The default would leave a temporary folder for Data Docs behind, for each run.
    stores = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    context = gx.get_context(
        mode="ephemeral", project_config=DataContextConfig(store_backend_defaults=stores)
    )
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


def build_suite(name: str, suite: Mapping[str, Any]) -> ExpectationSuite:
    """Build a suite and make sure that Great Expectations kept each expectation.

    Raises
    ------
    ConfigError
        If an expectation is unknown or its arguments are wrong.
    """
    import great_expectations as gx
    from great_expectations.exceptions.exceptions import GreatExpectationsError

    wanted = suite["expectations"]
    try:
        # It logs and drops an expectation that it does not know; the count below tells.
        logging.disable(logging.ERROR)
        built = gx.ExpectationSuite(
            name=name,
            expectations=[dict(item) for item in wanted],
            meta=dict(suite.get("meta", {})),
        )
    except (GreatExpectationsError, ValueError, TypeError) as error:
        detail = " ".join(str(error).split())[:200]
        raise ConfigError(
            "validation", f"suite {name}: {detail}", "Correct its arguments in the suite's file"
        ) from None
    finally:
        logging.disable(logging.NOTSET)
    if len(built.expectations) != len(wanted):
        known = {item.expectation_type for item in built.expectations}
        lost = [item["type"] for item in wanted if item["type"] not in known]
        raise ConfigError(
            "validation",
            f"suite {name}: Great Expectations knows no expectation {name_examples(lost[:1])}",
            f"Correct the type: {name_near_misses(lost[0] if lost else '', _list_types())}",
        )
    return built


def take_suite(given: object) -> ExpectationSuite:
    """Take a suite in any of the forms in which people hold one.

    Parameters
    ----------
    given
        A suite of Great Expectations, a mapping as its JSON has it, or the path of such a file.

    Raises
    ------
    ConfigError
        If it is none of these, or an expectation in it is unknown or has wrong arguments.
    """
    import great_expectations as gx

    if isinstance(given, gx.ExpectationSuite):
        return given
    try:
        if isinstance(given, Mapping):
            return build_suite(str(given.get("name") or "suite"), check_suite(dict(given)))
        if isinstance(given, str | Path):
            return build_suite(Path(given).stem, read_suite(Path(given)))
    except FileNotFoundError:
        raise ConfigError(
            "validation", f"the suite {given} was not found",
            "Name a suite's JSON file, such as expectations/DATASET/schema.json",
        ) from None  # fmt: skip
    except (OSError, ValueError, RecursionError) as error:
        detail = " ".join(str(error).split())[:200]
        name = given if isinstance(given, str | Path) else "the mapping given"
        raise ConfigError(
            "validation", f"{name} is no suite: {detail}",
            "Correct it: `expectations`, each with `type` and `kwargs`",
        ) from None  # fmt: skip
    raise ConfigError(
        "validation", f"{name_examples([given])}, of type {type(given).__name__}, is no suite",
        "Give a great_expectations.ExpectationSuite, a dict with the key `expectations`, or the "
        "path of a suite's JSON file",
    )  # fmt: skip


def run_suites(
    source: pd.DataFrame | Table, suites: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Judge a table by suites, in as few passes over it as they need together.

    Returns
    -------
    dict
        By suite, Great Expectations' own result as JSON-ready values.

    Raises
    ------
    ConfigError
        If an expectation is unknown or its arguments are wrong.
    """
    from pipeline.validation.opening import make_table
    from pipeline.validation.table import Table
    from pipeline.validation.validating import validate_all

    built = [build_suite(name, suite) for name, suite in suites.items()]
    form = {"result_format": "SUMMARY", "partial_unexpected_count": EXAMPLES}
    table = source if isinstance(source, Table) else make_table(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numpy and pandas, about what is judged
        found = validate_all(table, built, form)
    return {
        name: _make_plain(judged.result.to_json_dict())  # type: ignore[no-untyped-call]
        for name, judged in zip(suites, found, strict=True)
    }


def build_docs(folder: Path, frame: pd.DataFrame, suites: Mapping[str, Mapping[str, Any]]) -> Path:
    """Validate a frame by a checkpoint in a file context and build Data Docs.

    Parameters
    ----------
    folder
        Where the context and its pages go.
    frame
        The rows that are judged.
    suites
        By name, as their JSON has them.

    Returns
    -------
    Path
        The index page.
    """
    import great_expectations as gx
    from great_expectations.checkpoint.actions import UpdateDataDocsAction
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="file", project_root_dir=str(folder))
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("assay").add_dataframe_asset("rows")
    batch_definition = asset.add_batch_definition_whole_dataframe("all")
    definitions = [
        context.validation_definitions.add(
            gx.ValidationDefinition(
                name=name, data=batch_definition, suite=context.suites.add(build_suite(name, suite))
            )
        )
        for name, suite in suites.items()
    ]
    checkpoint = gx.Checkpoint(
        name="raw",
        validation_definitions=definitions,
        actions=[UpdateDataDocsAction(name="docs")],
        result_format={"result_format": "SUMMARY", "partial_unexpected_count": EXAMPLES},
    )
    context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": frame})
    return folder / "gx" / "uncommitted" / "data_docs" / "local_site" / "index.html"


def _list_types() -> Iterable[str]:
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    return list_registered_expectation_implementations()


def _make_plain(value: Any) -> Any:
    """Turn what is left of numpy and metric objects into plain JSON values."""
    if isinstance(value, Mapping):
        return {str(key): _make_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_make_plain(item) for item in value]
    if hasattr(value, "item"):
        return value.item()
    return value if isinstance(value, str | int | float | bool | None) else str(value)
