"""How this refresh differs from the last one that was accepted: what to tell, and what to draw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from pipeline.diagnosis.finding import ORDER, Finding, Severity
from pipeline.report.charts import draw_categories, draw_histogram
from pipeline.report.wording import cut, join_words, quote, write_count, write_number, write_share
from pipeline.validation.drift import MEASURES, NAMES, rank_changes
from pipeline.validation.drift_results import AS_BEFORE, SAME_UNIT

if TYPE_CHECKING:
    from pipeline.diagnosis.record import RunRecord
    from pipeline.validation.distributions import Distribution
    from pipeline.validation.drift_results import ColumnDrift

MOST = 3  # columns that are told one by one
BINS = 32
MOST_CATEGORIES = 6
TAILS = 0.005  # left out at both ends of a chart
SHOWN = 1000  # a chart's bars are in this many parts of the rows
OF_VALUES = ("wasserstein", "kolmogorov_smirnov", "l_infinity", "jensen_shannon", "psi")


def find_drift(record: RunRecord) -> Iterator[Finding]:
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
            "warning",
            f"{count}: {named}",
            f"The source did not have {named} in version {cut(record.drift.compared_with, 60)}.",
            "Look whether the network is to learn from it; cleaning.drop_columns leaves it out.",
        )
    target = record.ingest.schema.target
    drifted.sort(key=lambda column: (not column.unit, column.column != target, -_reach(column)))
    for column in drifted[:MOST]:
        if column.unit:
            if f"{column.column}: {SAME_UNIT}" in reasons:  # the gate says so
                continue
            yield Finding(
                column.unit_severity,
                f"{quote(column.column)} is {column.factor:.4g} times what it was {since}",
                f"As by a change of unit: {column.unit}. Growth by that factor looks the same.",
                "Ask whoever makes the source. Bring the numbers back to one unit before training.",
            )
            continue
        what = "The label" if column.column == target else "A feature"
        yield Finding(
            _grade(column),
            f"{quote(column.column)} has drifted: {_compare(column)}",
            f"{what} differs {since} in "
            f"{join_words([NAMES.get(name, name) for name in column.fired])}, by more than its "
            "threshold and chance.",
            "See Drift. If the source is right, nothing need be done: the next refresh is compared "
            "with this one. Otherwise correct it; drift.features and drift.label can stop a run.",
        )
    if len(drifted) > MOST:
        names = join_words([quote(column.column, 24) for column in drifted[MOST:]])
        more = len(drifted) - MOST
        title = f"{write_count(more, 'more column has', 'more columns have')} drifted"
        severity = min((_grade(column) for column in drifted[MOST:]), key=ORDER.__getitem__)
        yield Finding(severity, title, f"They are {names}.", "See Drift.")


def _grade(column: ColumnDrift) -> Severity:
    """Grade a finding: what did not stop the run is a warning at most, but for units."""
    if column.unit:
        return column.unit_severity
    return "info" if column.severity == "info" else "warning"


def _compare(column: ColumnDrift) -> str:
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


def _reach(column: ColumnDrift) -> float:
    """Tell how far a column went, in thresholds."""
    if column.decisive is None:
        return 0.0
    return column.measures[column.decisive] / max(column.thresholds[column.decisive], 1e-12)


@dataclass(frozen=True, slots=True)
class DriftRow:
    """A column's line in the table of drift.

    Attributes
    ----------
    reach
        The decisive measure over its threshold.
    """

    name: str
    measure: str
    title: str
    value: float | None
    threshold: float | None
    reach: float
    missing: tuple[float, float]
    fired: str
    note: str


@dataclass(frozen=True, slots=True)
class DriftPortrait:
    """A chart of a column that drifted: what it was, and what it is."""

    name: str
    chart: Markup
    caption: str


def list_drift(record: RunRecord) -> list[DriftRow]:
    """List the columns that were compared, the farthest first."""
    rows = []
    for column in record.drift.columns if record.drift else []:
        name = column.decisive
        rows.append(
            DriftRow(
                column.column,
                "" if name is None else NAMES[name],
                "" if name is None else MEASURES[name],
                None if name is None else column.measures[name],
                None if name is None else column.thresholds[name],
                _reach(column),
                (column.before.missing_share, column.now.missing_share),
                "unit" if column.unit else join_words([NAMES.get(n, n) for n in column.fired]),
                _note(column),
            )
        )
    return sorted(rows, key=lambda row: (not row.fired, -row.reach))


def _note(column: ColumnDrift) -> str:
    if column.unit:
        return f"× {column.factor:.4g}: {column.unit}"
    if column.retyped:
        return column.retyped
    parts = []
    if column.before.counts and not column.before.complete:
        parts.append(f"the most frequent of {write_count(column.before.distinct)} categories")
    for word, items in (("new", column.new), ("gone", column.gone)):
        if items:
            named = join_words([quote(name, 20) for name, _ in items])
            parts.append(f"{word}: {named}")
    return "; ".join(parts)


def draw_drift(record: RunRecord) -> list[DriftPortrait]:
    """Draw the columns that drifted, the farthest first."""
    columns = [c for c in (record.drift.columns if record.drift else []) if c.fired or c.unit]
    columns.sort(key=lambda column: -_reach(column))
    return [
        DriftPortrait(column.column, chart, _note(column) or _compare(column))
        for column in columns[:24]
        if (chart := _draw(column)) is not None
    ]


def _draw(column: ColumnDrift) -> Markup | None:
    before, now = column.before, column.now
    title = f"{cut(column.column)}: the last accepted refresh, and this one"
    if before.kind == now.kind == "numbers" and before.points and now.points:
        edges = _find_edges(before, now)
        then, today = (
            np.diff(of.sketch.share_up_to(edges), prepend=0.0)[1:] * SHOWN for of in (before, now)
        )
        return draw_histogram(
            edges.tolist(), np.ceil(then).astype(int).tolist(),
            np.ceil(today).astype(int).tolist(), (None, None), title=title,
        )  # fmt: skip
    if before.counts and now.counts:
        names = rank_changes(before, now)[:MOST_CATEGORIES]
        return draw_categories(
            names,
            [round(SHOWN * before.share_of(name)) for name in names],
            [round(SHOWN * now.share_of(name)) for name in names],
            title=title,
        )
    return None


def _find_edges(before: Distribution, now: Distribution) -> np.ndarray:
    ends = [of.quantile(level) for of in (before, now) for level in (TAILS, 1 - TAILS)]
    low, high = min(ends), max(ends)
    if low == high:
        low, high = low - 0.5, high + 0.5
    # The least value is within the first bin, though the bins leave out their lower edge.
    return np.linspace(low - (high - low) * 1e-9, high, BINS + 1)
