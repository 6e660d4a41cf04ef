"""What a validation found, in small JSON-ready values; imports no Great Expectations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["critical", "warning", "info"]
Status = Literal["passed", "failed", "error", "not applicable"]
ABSENT = "the column is absent"  # how the words begin of a check that could not be made for that
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one expectation.

    Attributes
    ----------
    type, column
        Great Expectations' name of the expectation, and the column that it names.
    rule
        The expectation in plain words.
    observed
        What was found, in plain words.
    unexpected, share
        Rows that break the rule, and their share of the rows judged (0 to 1), if rows are judged.
    examples
        A few values that break the rule.
    repaired_by
        The stage that is configured to repair a failure, or None.
    """

    suite: str
    type: str
    column: str | None
    severity: Severity
    status: Status
    rule: str
    observed: str
    unexpected: int | None = None
    share: float | None = None
    examples: list[str] = field(default_factory=list)
    repaired_by: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's decision.

    Attributes
    ----------
    when
        'raw' before anything is learned, 'repaired' after cleaning and imputation.
    reasons
        Why the run stops, one sentence each; empty if it goes on.
    to_repair
        Failures that a later stage is configured to repair.
    """

    when: Literal["raw", "repaired"]
    passed: bool
    reasons: list[str]
    to_repair: int
    warnings: int


@dataclass(frozen=True, slots=True)
class ValidationFacts:
    """All checks of one validation, and the verdict over them."""

    rows: int
    checks: list[Check]
    verdict: Verdict

    @property
    def planned_repairs(self) -> int:
        """Checks that failed and that a stage is configured to repair."""
        return sum(check.status == "failed" and bool(check.repaired_by) for check in self.checks)

    def of_suite(self, suite: str) -> list[Check]:
        """Select the checks of one suite."""
        return [check for check in self.checks if check.suite == suite]
