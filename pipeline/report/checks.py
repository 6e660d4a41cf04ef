"""Raw and repaired checks side by side."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.diagnosis.finding import ORDER

if TYPE_CHECKING:
    from pipeline.diagnosis.record import RunRecord
    from pipeline.validation.validation_facts import Check, Severity

RANK = {"failed": 0, "error": 1, "not applicable": 2, "passed": 3}
CALM = ("passed", "not applicable")


@dataclass(frozen=True, slots=True)
class CheckPair:
    """One check on the raw data, and the same check after repair."""

    raw: Check | None
    repaired: Check | None

    @property
    def any(self) -> Check:
        """The check itself, where it was made first."""
        check = self.raw or self.repaired
        assert check is not None
        return check

    @property
    def order(self) -> tuple[int, int, int]:
        """What is worse after repair goes first, then what is worse before it."""
        last = self.repaired or self.any
        return RANK[last.status], ORDER[self.any.severity], RANK[self.any.status]

    @property
    def calm(self) -> bool:
        """Whether it failed nowhere: it passed, or repair took away what it covers."""
        return all(c is None or c.status in CALM for c in (self.raw, self.repaired))


@dataclass(frozen=True, slots=True)
class Suite:
    """The checks of one suite: those worth a look, worst first, and those that failed nowhere.

    Attributes
    ----------
    raw, repaired
        Checks by severity that failed or could not be judged; ``repaired`` is None where the
        suite was not run again.
    """

    name: str
    loud: list[CheckPair]
    calm: list[CheckPair]
    raw: dict[Severity, int]
    repaired: dict[Severity, int] | None

    @property
    def size(self) -> int:
        """The number of checks."""
        return len(self.loud) + len(self.calm)


def pair_suites(record: RunRecord) -> list[Suite]:
    """Pair the checks of both validations, suite by suite, in the order of the raw one."""
    pairs = pair_checks(record.raw.checks, record.repaired.checks if record.repaired else [])
    by_suite: defaultdict[str, list[CheckPair]] = defaultdict(list)
    for pair in pairs:
        by_suite[pair.any.suite].append(pair)
    return [
        Suite(
            name,
            sorted((p for p in group if not p.calm), key=lambda p: p.order),
            [p for p in group if p.calm],
            _count_failed([p.raw for p in group]),
            _count_failed([p.repaired for p in group]) if record.repaired else None,
        )
        for name, group in by_suite.items()
    ]


def pair_checks(raw: list[Check], repaired: list[Check]) -> list[CheckPair]:
    """Pair checks of the same suite, type, column and rule; equal ones go in order."""
    waiting: defaultdict[tuple[str, str, str | None, str], list[Check]] = defaultdict(list)
    for check in repaired:
        waiting[_name(check)].append(check)
    pairs = []
    for check in raw:
        others = waiting[_name(check)]
        pairs.append(CheckPair(check, others.pop(0) if others else None))
    return pairs + [CheckPair(None, check) for rest in waiting.values() for check in rest]


def _name(check: Check) -> tuple[str, str, str | None, str]:
    return check.suite, check.type, check.column, check.rule


def _count_failed(checks: list[Check | None]) -> dict[Severity, int]:
    counts: dict[Severity, int] = {"critical": 0, "warning": 0, "info": 0}
    for check in checks:
        if check is not None and check.status in ("failed", "error"):
            counts[check.severity] += 1
    return counts
