"""What the comparison with the last accepted refresh found, in small values and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.validation.distributions import Distribution
from pipeline.validation.drift import NAMES, rank_changes
from pipeline.validation.validation_facts import Severity

AS_BEFORE = "distributed as in the last accepted refresh"
SAME_UNIT = "in the unit of the last accepted refresh"
DRIFT_TYPE = "expect_column_drift_to_be_less_than"
UNIT_TYPE = "expect_column_unit_to_be_unchanged"


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """One column beside what it was.

    Attributes
    ----------
    measures, thresholds, p_values
        By the name of the measure, see ``drift.MEASURES``.
    fired
        The measures that exceed their threshold and that chance does not explain.
    decisive
        The measure that is largest beside its threshold.
    new, gone
        Categories and their rows.
    unit
        What a change of unit may have been; empty where there was none.
    """

    column: str
    severity: Severity
    measures: dict[str, float]
    thresholds: dict[str, float]
    p_values: dict[str, float]
    fired: list[str]
    decisive: str | None
    before: Distribution
    now: Distribution
    new: list[tuple[str, int]] = field(default_factory=list)
    gone: list[tuple[str, int]] = field(default_factory=list)
    retyped: str = ""
    unit: str = ""
    unit_severity: Severity = "critical"
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class DriftFacts:
    """The comparison of a refresh with the last accepted one.

    Attributes
    ----------
    compared_with
        The version that it was compared with.
    refreshes
        How many accepted refreshes the thresholds were learned from.
    gone, new
        Columns that the last accepted refresh had, or lacked.
    """

    compared_with: str
    refreshes: int
    columns: list[ColumnDrift]
    gone: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)


def read_drift(suite: Mapping[str, Any]) -> DriftFacts | None:
    """Read what was found from Great Expectations' results of the suite; None if it compared none.

    Parameters
    ----------
    suite
        Its result, in Great Expectations' own JSON.
    """
    units = {
        _column(result): result
        for result in suite["results"]
        if result["expectation_config"]["type"] == UNIT_TYPE and not result["success"]
    }
    columns, learned_from = [], {}
    differing: dict[str, list[str]] = {}
    for result in suite["results"]:
        configuration, found = result["expectation_config"], result.get("result") or {}
        learned_from = configuration["meta"]["assay"]["from"]
        details = found.get("details") or {}
        differing |= details.get("mismatched") or {}
        if configuration["type"] != DRIFT_TYPE or not details:
            continue
        kwargs, name = configuration["kwargs"], _column(result)
        unit = units.get(name, {})
        found_unit = unit.get("result", {})
        columns.append(
            ColumnDrift(
                name,
                configuration["severity"],
                details["measures"],
                kwargs["thresholds"],
                details["p_values"],
                details["fired"],
                details["decisive"],
                Distribution(**kwargs["reference"]),
                Distribution(**details["found"]),
                [tuple(item) for item in details["new"]],
                [tuple(item) for item in details["gone"]],
                details["retyped"],
                found_unit.get("details", {}).get("words", ""),
                unit.get("expectation_config", {}).get("severity", "critical"),
                found_unit.get("observed_value", 1.0),
            )
        )
    if not learned_from:
        return None
    return DriftFacts(
        learned_from["compared_with"],
        len(learned_from["refreshes"]),
        columns,
        [str(name) for name in differing.get("missing") or []],
        [str(name) for name in differing.get("unexpected") or []],
    )


def _column(result: Mapping[str, Any]) -> str:
    return str(result["expectation_config"]["kwargs"].get("column"))


def describe_drift(kwargs: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Say in words what a comparison found: what fired, or the measure that came nearest."""
    details = found.get("details") or {}
    if not details:
        return "nothing to compare"
    if details["retyped"]:
        return f"retyped: {details['retyped']}"
    before, now = Distribution(**kwargs["reference"]), Distribution(**details["found"])
    fired = list(details["fired"])
    nearest = [] if details["decisive"] is None else [details["decisive"]]
    thresholds = kwargs["thresholds"]
    shown = [_describe(name, details, thresholds, before, now) for name in fired or nearest]
    if not fired and any(details["measures"][n] > thresholds[n] for n in nearest):
        shown.append("which chance may explain")
    if fired and before.kind == now.kind == "numbers":
        shown.append(f"mean {before.mean:.4g} → {now.mean:.4g}")
    if not before.complete and before.counts:
        shown.append(f"of {before.distinct:,} categories the most frequent were compared")
    return "; ".join(shown) or "nothing to compare"


def _describe(
    name: str,
    details: Mapping[str, Any],
    thresholds: Mapping[str, float],
    before: Distribution,
    now: Distribution,
) -> str:
    value, threshold = details["measures"][name], thresholds[name]
    if name == "missing":
        return (
            f"missing {100 * before.missing_share:.3g} % → {100 * now.missing_share:.3g} % "
            f"(tolerated: {100 * threshold:.3g} points)"
        )
    if name == "new":
        named = ", ".join(f"{category} ({rows:,} rows)" for category, rows in details["new"])
        return f"new: {named or 'none'}; {100 * value:.3g} % of the rows"
    if name == "l_infinity":
        category = rank_changes(before, now)[0]
        return (
            f"{category} {100 * before.share_of(category):.3g} % → "
            f"{100 * now.share_of(category):.3g} %"
        )
    return f"{NAMES[name]} {value:.3g} (drift above {threshold:.3g})"
