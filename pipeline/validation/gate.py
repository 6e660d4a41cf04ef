"""From Great Expectations' results to checks in plain words, and the verdict over them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pipeline.config.settings import DatasetConfig
from pipeline.dataset import ROLES, Schema
from pipeline.validation.drift_results import (
    AS_BEFORE,
    DRIFT_TYPE,
    SAME_UNIT,
    UNIT_TYPE,
    describe_drift,
)
from pipeline.validation.validation_facts import (
    ABSENT,
    SEVERITIES,
    Check,
    Severity,
    Status,
    Verdict,
)

NUMBER_RULES = ("between", "outliers", "z_scores", "value_lengths")
# Pictures that can't be read are left out up to this share; beyond it the source itself is wrong.
MOST_UNREADABLE = 0.5


def split_applicable(
    suite: Mapping[str, Any], dropped: Mapping[str, str]
) -> tuple[dict[str, Any], list[tuple[dict[str, Any], str]]]:
    """Part a suite into what can be judged and what concerns columns that were dropped."""
    judged, rest = [], []
    for expectation in suite["expectations"]:
        gone = [name for name in _name_columns(expectation["kwargs"]) if name in dropped]
        if gone:
            rest.append((expectation, f"column '{gone[0]}' was dropped: {dropped[gone[0]]}"))
        else:
            judged.append(expectation)
    return {**suite, "expectations": judged}, rest


def read_checks(
    results: Mapping[str, Mapping[str, Any]], config: DatasetConfig, schema: Schema
) -> list[Check]:
    """Read the checks of all suites from Great Expectations' results.

    Parameters
    ----------
    results
        By suite, as JSON has them.
    config
        What is repaired by which stage.
    schema
        The roles of the columns.
    """
    return [
        _read_check(name, result, config, schema)
        for name, suite in results.items()
        for result in suite["results"]
    ]


def note_dropped(suite: str, expectation: Mapping[str, Any], why: str) -> Check:
    """Make the check of an expectation that no longer applies.

    Parameters
    ----------
    suite
        Its name.
    expectation
        As the suite's JSON has it.
    why
        Stands in the report in place of what was observed.
    """
    return Check(
        suite=suite,
        type=expectation["type"],
        column=expectation["kwargs"].get("column"),
        severity=_severity_of(expectation),
        status="not applicable",
        rule=describe_rule(expectation["type"], expectation["kwargs"]),
        observed=why,
    )


def judge(checks: list[Check], when: Literal["raw", "repaired"], config: DatasetConfig) -> Verdict:
    """Turn checks into a verdict.

    Raw, a failure as severe as ``validation.stop_on`` stops the run unless a stage is configured to
    repair it; after the repair every such failure does.

    Parameters
    ----------
    checks
        Of all suites.
    when
        Before or after the repair.
    config
        ``validation.stop_on``.
    """
    failures = [check for check in checks if check.status in ("failed", "error")]
    stop_on = config.validation.stop_on
    grave = []
    if stop_on != "never":
        least = SEVERITIES.index(stop_on)
        grave = [check for check in failures if SEVERITIES.index(check.severity) >= least]
    repairable = [check for check in grave if when == "raw" and check.repaired_by]
    stops = [check for check in grave if check not in repairable]
    # A column that is gone fails all its checks; its absence is reason enough.
    absent = {c.column for c in stops if c.type == "expect_column_to_exist"}
    reasons = [
        f"{check.column or 'the table'}: {check.rule}; found {check.observed}"
        for check in stops
        if check.type == "expect_column_to_exist" or check.column not in absent
    ]
    return Verdict(
        when=when,
        passed=not reasons,
        reasons=list(dict.fromkeys(reasons)),
        to_repair=len(repairable),
        warnings=sum(check.severity == "warning" for check in failures),
    )


def find_repair(
    type_: str,
    column: str | None,
    config: DatasetConfig,
    schema: Schema,
    share: float | None = None,
) -> str | None:
    """Name the stage that is configured to repair a failed expectation, or None.

    Parameters
    ----------
    share
        Of the rows that break it, where that is known.
    """
    if type_ == "expect_compound_columns_to_be_unique":
        return "cleaning" if config.cleaning.duplicates == "drop" else None
    if column is None or column not in schema.roles:
        return None
    if column == schema.target:  # a label that is missing can't be imputed
        respells = config.cleaning.spelling.case and type_ == "expect_column_values_to_be_in_set"
        return "cleaning" if respells else None
    if column in config.cleaning.drop_columns:
        return "cleaning"
    if type_.endswith("not_be_null"):
        # A picture that can't be read is left out when the pictures are decoded.
        if config.traits.facts_only:
            return "ingest" if (share or 0.0) <= MOST_UNREADABLE else None
        return "imputation"
    numbers = ROLES[schema.roles[column]].values == "numbers"
    if numbers and any(rule in type_ for rule in NUMBER_RULES):
        action = config.cleaning.outliers.columns.get(column, config.cleaning.outliers.action)
        acts = config.cleaning.outliers.method != "none" and action != "keep"
        return "cleaning" if acts and type_.startswith("expect_column_values") else None
    return None


def _read_check(
    suite: str, result: Mapping[str, Any], config: DatasetConfig, schema: Schema
) -> Check:
    expectation = result["expectation_config"]
    type_, kwargs = expectation["type"], expectation["kwargs"]
    column, found = kwargs.get("column"), result.get("result") or {}
    status: Status = "passed" if result["success"] else "failed"
    error = _find_error(result.get("exception_info") or {})
    if error:
        status = "error"
        absent = [name for name in _name_columns(kwargs) if name not in schema.roles]
        if absent:
            error = ABSENT if column is not None else f"{ABSENT}: {_list(absent)}"
    unexpected = found.get("unexpected_count")
    percent = found.get("unexpected_percent")
    share = None if percent is None else float(percent) / 100
    return Check(
        suite=suite,
        type=type_,
        column=column,
        severity=_severity_of(expectation),
        status=status,
        rule=describe_rule(type_, kwargs),
        observed=error or _describe_result(type_, kwargs, found, schema, success=result["success"]),
        unexpected=None if unexpected is None else int(unexpected),
        share=share,
        examples=_read_examples(found),
        repaired_by=(
            find_repair(type_, column, config, schema, share) if status == "failed" else None
        ),
    )


def _severity_of(expectation: Mapping[str, Any]) -> Severity:
    severity = str(expectation.get("severity") or "critical")
    return next((known for known in SEVERITIES if known == severity), "critical")


def _name_columns(kwargs: Mapping[str, Any]) -> list[str]:
    single = [kwargs[k] for k in ("column", "column_A", "column_B") if k in kwargs]
    return [*single, *kwargs.get("column_list", []), *kwargs.get("column_set", [])]


def describe_rule(type_: str, kwargs: Mapping[str, Any]) -> str:
    """Write an expectation in plain words; one without a wording keeps its own name.

    >>> describe_rule("expect_column_values_to_not_be_null", {"column": "age", "mostly": 0.8})
    'at most 20 % missing'
    """
    mostly = kwargs.get("mostly")
    allowed = 100 * (1 - float(1.0 if mostly is None else mostly))
    but = f", but for {allowed:.4g} %" if allowed > 1e-9 else ""
    wordings = {
        "expect_column_to_exist": "the column is there",
        "expect_table_columns_to_match_set": "the known columns and no others",
        "expect_table_row_count_to_be_between": f"rows {_range(kwargs)}",
        "expect_column_values_to_be_of_type": f"of the type {kwargs.get('type_')}",
        "expect_column_values_to_not_be_null": f"at most {allowed:.4g} % missing",
        "expect_column_values_to_be_between": f"values {_range(kwargs)}{but}",
        "expect_column_median_to_be_between": f"median {_range(kwargs)}",
        "expect_column_mean_to_be_between": f"mean {_range(kwargs)}",
        "expect_column_values_to_be_in_set": f"one of {_list(kwargs.get('value_set'))}{but}",
        "expect_column_values_to_not_be_in_set": (
            f"at least {100 - allowed:.4g} % other than {_list(kwargs.get('value_set'))}"
        ),
        "expect_column_distinct_values_to_contain_set": (
            f"each of {_list(kwargs.get('value_set'))} occurs"
        ),
        "expect_column_kl_divergence_to_be_less_than": (
            f"class shares near those learned (KL divergence below {kwargs.get('threshold')})"
        ),
        "expect_compound_columns_to_be_unique": "no two rows alike",
        DRIFT_TYPE: AS_BEFORE,
        UNIT_TYPE: SAME_UNIT,
    }
    plain = type_.removeprefix("expect_").replace("_", " ")
    return wordings.get(type_, plain)


def _describe_result(
    type_: str,
    kwargs: Mapping[str, Any],
    found: Mapping[str, Any],
    schema: Schema,
    *,
    success: bool,
) -> str:
    if type_ == DRIFT_TYPE:
        return describe_drift(kwargs, found)
    if type_ == UNIT_TYPE:
        return _describe_unit(found)
    if type_ == "expect_table_columns_to_match_set":
        return _describe_columns(found)
    count, share = found.get("unexpected_count"), found.get("unexpected_percent")
    if count is not None and share is not None:
        nouns = {"not_be_null": "missing", "not_be_in_set": f"are {_list(kwargs.get('value_set'))}"}
        noun = next((n for end, n in nouns.items() if type_.endswith(end)), "break it")
        # Great Expectations takes a share of the rows that have a value.
        judged = found.get("element_count", 0) - (found.get("missing_count") or 0)
        return f"{count:,} of {judged:,} {noun} ({share:.3g} %)"
    observed = found.get("observed_value")
    if observed is None:
        if type_.startswith("expect_column_kl_divergence") and not success:
            return "a class that was not known, or one that is gone"
        if type_ == "expect_column_to_exist":
            return "present" if kwargs["column"] in schema.roles else "absent"
        missing = found.get("partial_missing_list") or found.get("details", {}).get("missing")
        return f"absent: {_list(missing)}" if missing else "as expected"
    if isinstance(observed, float):
        return f"{observed:.4g}"
    return _list(observed) if isinstance(observed, list) else str(observed)


def _describe_unit(found: Mapping[str, Any]) -> str:
    factor = found.get("observed_value") or 1.0
    if factor == 1.0:
        return "as expected"
    words = found["details"]["words"]
    return f"the numbers are {factor:.4g} times what they were: {words}"


def _describe_columns(found: Mapping[str, Any]) -> str:
    """Name the columns that are gone or new."""
    differing = (found.get("details") or {}).get("mismatched") or {}
    gone, new = differing.get("missing"), differing.get("unexpected")
    parts = [f"gone: {_list(gone)}"] if gone else []
    parts += [f"new: {_list(new)}"] if new else []
    return "; ".join(parts) or "as expected"


def _read_examples(found: Mapping[str, Any]) -> list[str]:
    values = found.get("partial_unexpected_list") or []
    return list(
        dict.fromkeys(str(v)[:40] for v in values if v is not None and not isinstance(v, dict))
    )


def _find_error(info: Mapping[str, Any]) -> str:
    """Find the message of an exception, which Great Expectations nests by metric."""
    if info.get("raised_exception"):
        return str(info.get("exception_message"))[:200]
    for inner in info.values():
        if isinstance(inner, Mapping) and inner.get("raised_exception"):
            return str(inner.get("exception_message"))[:200]
    return ""


def _range(kwargs: Mapping[str, Any]) -> str:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if low is None:
        return f"up to {high}"
    if high is None:
        return f"at least {low:,}" if isinstance(low, int) else f"at least {low}"
    return f"from {_short(low)} to {_short(high)}"


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _list(values: Any, most: int = 4) -> str:
    texts = [str(value) for value in values or []]
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")
