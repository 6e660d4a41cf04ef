"""How this refresh differs from the last one that was accepted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.diagnosis.finding import ORDER, Finding, Severity
from pipeline.diagnosis.wording import (
    cut,
    join_words,
    quote,
    write_count,
    write_number,
    write_share,
)
from pipeline.validation.drift import NAMES, rank_changes
from pipeline.validation.drift_results import AS_BEFORE, SAME_UNIT

if TYPE_CHECKING:
    from pipeline.diagnosis.record import RunRecord
    from pipeline.diagnosis.terms import Terms
    from pipeline.validation.drift_results import ColumnDrift

MOST = 3  # columns that are told one by one
OF_VALUES = ("wasserstein", "kolmogorov_smirnov", "l_infinity", "jensen_shannon", "psi")


def find_drift(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell which columns are not what they were."""
    if record.drift is None:
        return
    reasons = " ".join(record.raw.verdict.reasons)
    since = f"since version {cut(record.drift.compared_with, 60)}"
    drifted = [
        column
        for column in record.drift.columns
        if (column.fired or column.unit) and f"{column.column}: {AS_BEFORE}" not in reasons
    ]
    if record.drift.new:
        named = join_words([quote(name, 24) for name in record.drift.new])
        count = write_count(len(record.drift.new), "new column", "new columns")
        yield Finding(
            "new_columns",
            "warning",
            f"{count}: {named}",
            f"The source did not have {named} in version {cut(record.drift.compared_with, 60)}.",
            "Look whether the network is to learn from it; cleaning.drop_columns leaves it out.",
            cause="drift",
            figures={"columns": record.drift.new},
        )
    target = record.ingest.schema.target
    drifted.sort(key=lambda c: (not c.unit, c.column != target, -measure_reach(c)))
    for column in drifted[:MOST]:
        if column.unit:
            if f"{column.column}: {SAME_UNIT}" in reasons:  # the gate says so
                continue
            yield Finding(
                "unit_change",
                column.unit_severity,
                f"{quote(column.column)} is {column.factor:.4g} times what it was {since}",
                f"As by a change of unit: {column.unit}. Growth by that factor looks the same.",
                "Ask whoever makes the source. Bring the numbers back to one unit before training.",
                cause="drift",
                column=column.column,
                figures={"factor": column.factor},
            )
            continue
        what = "The label" if column.column == target else "A feature"
        yield Finding(
            "drift",
            _grade(column),
            f"{quote(column.column)} has drifted: {compare_column(column)}",
            f"{what} differs {since} in "
            f"{join_words([NAMES.get(name, name) for name in column.fired])}, by more than its "
            "threshold and chance.",
            "See Drift. If the source is right, nothing need be done: the next refresh is compared "
            "with this one. Otherwise correct it; drift.features and drift.label can stop a run.",
            cause="drift",
            column=column.column,
            figures={
                name: column.measures[name] for name in column.fired if name in column.measures
            },
        )
    if len(drifted) > MOST:
        names = join_words([quote(column.column, 24) for column in drifted[MOST:]])
        more = len(drifted) - MOST
        title = f"{write_count(more, 'more column has', 'more columns have')} drifted"
        severity = min((_grade(column) for column in drifted[MOST:]), key=ORDER.__getitem__)
        yield Finding(
            "drift",
            severity,
            title,
            f"They are {names}.",
            "See Drift.",
            cause="drift",
            figures={"columns": [column.column for column in drifted[MOST:]]},
        )


def _grade(column: ColumnDrift) -> Severity:
    """Grade a finding: what did not stop the run is a warning at most, but for units."""
    if column.unit:
        return column.unit_severity
    return "info" if column.severity == "info" else "warning"


def compare_column(column: ColumnDrift) -> str:
    """Say in a few words what a column was, and what it is."""
    before, now = column.before, column.now
    if column.retyped:
        return column.retyped
    parts = []
    if "missing" in column.fired:
        then, today = write_share(before.missing_share), write_share(now.missing_share)
        parts.append(f"{then} missing before, {today} now")
    if "new" in column.fired:
        parts.append("new: " + join_words([quote(name, 24) for name, _ in column.new]))
    if set(column.fired) & set(OF_VALUES):
        if before.kind == "numbers":
            parts.append(
                f"mean {_write(before.mean)} before, {_write(now.mean)} now (median "
                f"{_write(before.quantile(0.5))} and {_write(now.quantile(0.5))})"
            )
        elif before.counts:
            name = rank_changes(before, now)[0]
            parts.append(
                f"{quote(name, 24)} {write_share(before.share_of(name))} before, "
                f"{write_share(now.share_of(name))} now"
            )
    return "; ".join(parts)


def _write(value: float) -> str:
    return write_number(float(f"{value:.4g}"))


def measure_reach(column: ColumnDrift) -> float:
    """Tell how far a column went, in thresholds."""
    if column.decisive is None:
        return 0.0
    return column.measures[column.decisive] / max(column.thresholds[column.decisive], 1e-12)
