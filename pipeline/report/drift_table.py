"""How columns differ from the last accepted refresh, as a table and as charts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from pipeline.diagnosis.drift_findings import compare_column, measure_reach
from pipeline.diagnosis.wording import cut, join_words, quote, write_count
from pipeline.report.charts import draw_categories, draw_histogram
from pipeline.validation.drift import MEASURES, NAMES, rank_changes

if TYPE_CHECKING:
    from pipeline.diagnosis.record import RunRecord
    from pipeline.validation.distributions import Distribution
    from pipeline.validation.drift_results import ColumnDrift

BINS = 32
MOST_CATEGORIES = 6
TAILS = 0.005  # left out at both ends of a chart
SHOWN = 1000  # a chart's bars are in this many parts of the rows


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
class DriftChart:
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
                measure_reach(column),
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


def draw_drift(record: RunRecord) -> list[DriftChart]:
    """Draw the columns that drifted, the farthest first."""
    columns = [c for c in (record.drift.columns if record.drift else []) if c.fired or c.unit]
    columns.sort(key=lambda column: -measure_reach(column))
    return [
        DriftChart(column.column, chart, _note(column) or compare_column(column))
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
