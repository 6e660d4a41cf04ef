"""The gate: from results to checks in plain words, and from checks to a verdict."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.dataset_yaml import parse_config
from pipeline.config.settings import DatasetConfig
from pipeline.dataset import Schema
from pipeline.validation.gate import (
    describe_rule,
    find_repair,
    judge,
    note_dropped,
    read_checks,
    split_applicable,
)
from pipeline.validation.validation_facts import SEVERITIES, Check

When = Literal["raw", "repaired"]
NOT_NULL = "expect_column_values_to_not_be_null"
BETWEEN = "expect_column_values_to_be_between"
IN_SET = "expect_column_values_to_be_in_set"
EXISTS = "expect_column_to_exist"
SCHEMA = Schema(
    "y", {"n": "numeric", "c": "categorical", "y": "target", "i": "identifier", "d": "datetime"}
)


def make_config(**sections: Any) -> DatasetConfig:
    """Make a declaration of the target ``y``."""
    return parse_config({"dataset": "d", "source": "s", "target": "y", **sections})


def make_check(**values: Any) -> Check:
    """Make a failed critical check."""
    plain: dict[str, Any] = {
        "suite": "s", "type": NOT_NULL, "column": "n", "severity": "critical",
        "status": "failed", "rule": "at most 5 % missing", "observed": "9 of 10 missing",
    }  # fmt: skip
    return Check(**plain | values)


def make_result(**values: Any) -> dict[str, Any]:
    """Make one result as Great Expectations writes it."""
    return {
        "success": False,
        "expectation_config": {
            "type": NOT_NULL, "kwargs": {"column": "n", "mostly": 0.9}, "severity": "critical",
        },
        "result": {
            "element_count": 1000, "unexpected_count": 250, "unexpected_percent": 25.0,
            "partial_unexpected_list": [None, None],
        },
        "exception_info": {"raised_exception": False},
    } | values  # fmt: skip


checks = st.builds(
    make_check,
    severity=st.sampled_from(SEVERITIES),
    status=st.sampled_from(["passed", "failed", "error", "not applicable"]),
    repaired_by=st.sampled_from([None, "cleaning", "imputation"]),
    column=st.sampled_from(["n", "c", None]),
    rule=st.sampled_from(["rule 1", "rule 2"]),
)


@given(
    found=st.lists(checks, max_size=8),
    when=st.sampled_from(["raw", "repaired"]),
    stop_on=st.sampled_from(["critical", "warning", "never"]),
)
def test_the_verdict_follows_from_the_checks(found: list[Check], when: When, stop_on: str) -> None:
    """A run stops for grave failures that nothing is to repair any more, and for no others."""
    verdict = judge(found, when, make_config(validation={"stop_on": stop_on}))
    grave = {"critical": ["critical"], "warning": ["warning", "critical"], "never": []}[stop_on]
    failed = [c for c in found if c.status in ("failed", "error")]
    stops = [c for c in failed if c.severity in grave and not (when == "raw" and c.repaired_by)]
    assert verdict.passed == (not stops)
    assert len(verdict.reasons) == len({(c.column, c.rule) for c in stops})
    assert verdict.warnings == sum(c.severity == "warning" for c in failed)
    to_repair = [c for c in failed if c.severity in grave and c not in stops]
    assert verdict.to_repair == len(to_repair)


@pytest.mark.parametrize(
    ("check", "when", "stop_on", "passed"),
    [
        (make_check(), "raw", "critical", False),
        (make_check(repaired_by="imputation"), "raw", "critical", True),
        (make_check(repaired_by="imputation"), "repaired", "critical", False),
        (make_check(severity="warning"), "raw", "critical", True),
        (make_check(severity="warning"), "repaired", "critical", True),
        (make_check(severity="warning"), "raw", "warning", False),
        (make_check(severity="info"), "raw", "warning", True),
        (make_check(status="error"), "raw", "critical", False),
        (make_check(), "raw", "never", True),
    ],
)
def test_what_stops_a_run(check: Check, when: When, stop_on: str, passed: bool) -> None:
    """Critical and beyond repair stops immediately; to be repaired stops if it is still there."""
    verdict = judge([check], when, make_config(validation={"stop_on": stop_on}))
    assert verdict.passed == passed
    assert verdict.reasons == ([] if passed else ["n: at most 5 % missing; found 9 of 10 missing"])


def test_a_missing_column_gives_one_reason() -> None:
    """All checks of a column that is gone fail; its absence is reason enough."""
    absent = make_check(type=EXISTS, rule="the column is there", observed="absent")
    others = [make_check(type=t, status="error", rule=t) for t in (NOT_NULL, BETWEEN)]
    elsewhere = make_check(column="c", rule="other")
    verdict = judge([*others, absent, elsewhere], "raw", make_config())
    assert verdict.reasons == [
        "n: the column is there; found absent", "c: other; found 9 of 10 missing",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("type_", "column", "sections", "stage"),
    [
        (NOT_NULL, "n", {}, "imputation"),
        (NOT_NULL, "c", {}, "imputation"),
        (NOT_NULL, "d", {}, "imputation"),
        (NOT_NULL, "y", {}, None),
        (NOT_NULL, "gone", {}, None),
        (EXISTS, "n", {}, None),
        (EXISTS, "gone", {}, None),
        (BETWEEN, "n", {}, "cleaning"),
        (BETWEEN, "n", {"cleaning": {"outliers": {"action": "keep"}}}, None),
        (BETWEEN, "n", {"cleaning": {"outliers": {"columns": {"n": "keep"}}}}, None),
        (BETWEEN, "d", {}, None),
        ("expect_column_median_to_be_between", "n", {}, None),
        (IN_SET, "y", {}, "cleaning"),
        (IN_SET, "y", {"cleaning": {"spelling": {"case": False}}}, None),
        ("expect_compound_columns_to_be_unique", None, {}, "cleaning"),
        (
            "expect_compound_columns_to_be_unique", None,
            {"cleaning": {"duplicates": "keep"}}, None,
        ),
        ("expect_table_columns_to_match_set", None, {}, None),
        (NOT_NULL, "n", {"cleaning": {"drop_columns": ["n"]}}, "cleaning"),
    ],
)  # fmt: skip
def test_who_repairs_a_failure(
    type_: str, column: str | None, sections: dict[str, Any], stage: str | None
) -> None:
    """Only a stage that is configured to repair a fault is trusted with it."""
    assert find_repair(type_, column, make_config(**sections), SCHEMA) == stage


def test_a_result_becomes_a_check() -> None:
    """Counts, shares and examples are Great Expectations'; the words are for people."""
    (check,) = read_checks({"missing": {"results": [make_result()]}}, make_config(), SCHEMA)
    assert check == Check(
        suite="missing",
        type=NOT_NULL,
        column="n",
        severity="critical",
        status="failed",
        rule="at most 10 % missing",
        observed="250 of 1,000 missing (25 %)",
        unexpected=250,
        share=0.25,
        examples=[],
        repaired_by="imputation",
    )


def test_examples_are_few_short_and_different() -> None:
    """What breaks a rule is shown, cut to a bounded length."""
    result = make_result()
    result["result"]["partial_unexpected_list"] = [3.5, 3.5, None, "x" * 100]
    (check,) = read_checks({"s": {"results": [result]}}, make_config(), SCHEMA)
    assert check.examples == ["3.5", "x" * 40]


@pytest.mark.parametrize(
    "info",
    [
        {"raised_exception": True, "exception_message": "no such column"},
        {"('metric', 1)": {"raised_exception": True, "exception_message": "no such column"}},
    ],
)
def test_an_exception_is_an_error_that_nothing_repairs(info: dict[str, Any]) -> None:
    """A rule that could not be judged is not taken for one that holds or is to be repaired."""
    results = {"s": {"results": [make_result(exception_info=info, result={})]}}
    (check,) = read_checks(results, make_config(), SCHEMA)
    assert (check.status, check.observed, check.repaired_by) == ("error", "no such column", None)
    assert not judge([check], "raw", make_config()).passed


@pytest.mark.parametrize(("severity", "read"), [(None, "critical"), ("warning", "warning")])
def test_no_severity_is_the_gravest(severity: str | None, read: str) -> None:
    """A suite of older making has no severities; its rules count in full."""
    result = make_result()
    result["expectation_config"]["severity"] = severity
    (check,) = read_checks({"s": {"results": [result]}}, make_config(), SCHEMA)
    assert check.severity == read


def test_rules_about_dropped_columns_do_not_apply() -> None:
    """What cleaning dropped is not judged after the repair; each such rule says why."""
    expectations = [
        {"type": NOT_NULL, "kwargs": {"column": "n"}, "severity": "critical"},
        {"type": NOT_NULL, "kwargs": {"column": "c"}, "severity": "critical"},
        {"type": "expect_column_pair_values_to_be_equal",
         "kwargs": {"column_A": "c", "column_B": "n"}, "severity": "warning"},
        {"type": "expect_compound_columns_to_be_unique",
         "kwargs": {"column_list": ["c", "n"]}, "severity": "warning"},
        {"type": "expect_table_columns_to_match_set",
         "kwargs": {"column_set": ["c", "d"]}, "severity": "warning"},
        {"type": "expect_table_row_count_to_be_between", "kwargs": {}, "severity": "warning"},
    ]  # fmt: skip
    suite = {"name": "s", "expectations": expectations}
    judged, rest = split_applicable(suite, {"n": "constant"})
    assert judged == {"name": "s", "expectations": [expectations[i] for i in (1, 4, 5)]}
    assert [expectation for expectation, _ in rest] == [expectations[i] for i in (0, 2, 3)]
    assert {why for _, why in rest} == {"column 'n' was dropped: constant"}
    noted = [note_dropped("s", expectation, why) for expectation, why in rest]
    assert {check.status for check in noted} == {"not applicable"}
    assert noted[0].rule == "at most 0 % missing"
    assert judge(noted, "repaired", make_config()).passed
    assert suite["expectations"] is expectations
    assert len(expectations) == 6


@given(
    mostly=st.one_of(st.none(), st.floats(0, 1)),
    bounds=st.tuples(
        st.one_of(st.none(), st.floats(-1e9, 1e9), st.integers(-9, 9), st.just("2020-01-01")),
        st.one_of(st.none(), st.floats(-1e9, 1e9), st.integers(-9, 9), st.just("2020-01-01")),
    ),
)
def test_any_bounds_can_be_put_into_words(mostly: float | None, bounds: tuple[Any, Any]) -> None:
    """A suite edited by hand may leave out a bound or `mostly`, or hold dates."""
    kwargs = {"column": "n", "min_value": bounds[0], "max_value": bounds[1], "mostly": mostly}
    rule = describe_rule(BETWEEN, kwargs)
    assert rule.startswith("values ")
    assert "None" not in rule or bounds == (None, None)
    assert " missing" in describe_rule(NOT_NULL, kwargs)


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"min_value": 0, "max_value": 5.5}, "values from 0 to 5.5"),
        ({"min_value": 0}, "values at least 0"),
        ({"max_value": 7, "mostly": 0.995}, "values up to 7, but for 0.5 %"),
        ({"min_value": 1, "max_value": 2, "mostly": 0}, "values from 1 to 2, but for 100 %"),
    ],
)
def test_bounds_in_words(kwargs: dict[str, Any], words: str) -> None:
    """Bounds and tolerance read as a sentence would."""
    assert describe_rule(BETWEEN, kwargs) == words
