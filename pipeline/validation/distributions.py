"""How a column's values are distributed: what a refresh leaves behind to be compared with.

A ``Distribution`` is small: order statistics of numbers, the counts of categories. A ``Profile``
holds that of each column; one is kept with each published version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipeline.config.settings import Role
from pipeline.dataset import ROLES
from pipeline.storage.store import dump_json, load_facts
from pipeline.validation.sketches import Sketch, choose_ranks, merge_sketches

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from pipeline.validation.partials import Moments
    from pipeline.validation.table import Table

POINTS = 201  # order statistics of a column of numbers: every half per cent
MOST_CATEGORIES = 1000

Kind = Literal["numbers", "categories", "dates"]


@dataclass(frozen=True, slots=True)
class Distribution:
    """How the values of one column are distributed.

    Attributes
    ----------
    rows, missing
        How many rows there are, and how many have no value.
    mean, deviation
        Of numbers; the standard deviation has ``n - 1`` in its denominator.
    points
        The numbers at evenly spaced ranks, from the least to the greatest; all, where they are few.
    counts
        How often each category occurs, the most frequent first; at most 1,000 of them.
    distinct
        How many categories there are.
    """

    kind: Kind
    rows: int
    missing: int
    mean: float = 0.0
    deviation: float = 0.0
    points: list[float] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    distinct: int = 0

    @property
    def count(self) -> int:
        """How many values there are."""
        return self.rows - self.missing

    @property
    def complete(self) -> bool:
        """Whether all categories are among the counts."""
        return self.distinct == len(self.counts)

    @property
    def missing_share(self) -> float:
        """Share of the rows without a value; 0 where there are no rows."""
        return self.missing / self.rows if self.rows else 0.0

    @property
    def sketch(self) -> Sketch:
        """The order statistics with their ranks."""
        return merge_sketches([(self.count, np.array(self.points))] if self.points else [])

    def share_of(self, category: str) -> float:
        """Give the share of the values that are of a category."""
        return self.counts.get(category, 0) / self.count if self.count else 0.0

    def share_within(self, low: float, high: float) -> float:
        """Estimate the share of the numbers between two bounds, both included.

        Between two order statistics the numbers are taken as evenly spread.
        """
        below, within = self._share_up_to(np.nextafter(low, -np.inf)), self._share_up_to(high)
        return within - below

    def _share_up_to(self, value: float) -> float:
        size = len(self.points)
        if not size or value < self.points[0]:
            return 0.0
        if value >= self.points[-1]:
            return 1.0
        if size == self.count:  # all numbers are known
            return float(np.searchsorted(self.points, value, side="right")) / size
        return float(np.interp(value, self.points, (np.arange(size) + 0.5) / size))

    def quantile(self, share: float) -> float:
        """Give the number that this share (0 to 1) of the numbers lies below, about."""
        return self.points[round(share * (len(self.points) - 1))]


@dataclass(frozen=True, slots=True)
class Profile:
    """The distributions of a table's columns.

    Attributes
    ----------
    rows
        Number of rows.
    roles
        What each column is, see ``config.Role``.
    """

    rows: int
    roles: dict[str, Role]
    columns: dict[str, Distribution]


def of_numbers(found: Sketch, moments: Moments, rows: int) -> Distribution:
    """Make the distribution of finite numbers; infinite ones count as missing.

    Parameters
    ----------
    found
        Quantiles of the finite numbers.
    moments
        Their mean and deviation.
    rows
        Of the table, missing ones included.
    """
    if not found.count:
        return Distribution("numbers", rows, rows)
    deviation = moments.deviation if found.count > 1 else 0.0
    points = found.thin(POINTS).astype(float).tolist()
    return Distribution("numbers", rows, rows - found.count, moments.mean, deviation, points)


def of_categories(counts: Mapping[str, int], rows: int) -> Distribution:
    """Make the distribution of categories."""
    order = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    missing = rows - sum(counts.values())
    kept = dict(order[:MOST_CATEGORIES])
    return Distribution("categories", rows, missing, counts=kept, distinct=len(order))


def count_categories(found: pl.DataFrame) -> dict[str, int]:
    """Turn value counts into a mapping; a category is its text."""
    return {str(value): int(n) for value, n in found.select("value", "n").iter_rows()}


def of_series(values: pd.Series[Any]) -> Distribution:
    """Make the distribution of a pandas series."""
    import pandas as pd

    from pipeline.validation.partials import take_moments

    there = values.dropna()
    if pd.api.types.is_datetime64_any_dtype(there):
        return Distribution("dates", len(values), len(values) - len(there))
    if pd.api.types.is_numeric_dtype(there) and not pd.api.types.is_bool_dtype(there):
        numbers = there.to_numpy(dtype=np.float64)
        numbers = np.sort(numbers[np.isfinite(numbers)])
        points = numbers[choose_ranks(len(numbers))]
        sketch = merge_sketches([(len(numbers), points)])
        return of_numbers(sketch, take_moments(numbers), len(values))
    counts = there.astype(str).value_counts()
    return of_categories({str(name): int(n) for name, n in counts.items()}, len(values))


def take_profile(table: Table, roles: Mapping[str, Role]) -> Profile:
    """Profile the columns of a table that can be compared, in one pass.

    Parameters
    ----------
    roles
        What each column is; identifiers and free texts have no distribution.
    """
    from pipeline.validation.column_metrics import plan_distribution
    from pipeline.validation.scan import Scan

    scan = Scan(table)
    named = {name: role for name, role in roles.items() if name in table.columns}
    plans, columns = {}, {}
    for name, role in named.items():
        if ROLES[role].values == "texts":
            continue
        made = plan_distribution(table.columns[name], None, {}, scan)
        if made is None:
            columns[name] = of_series(table.load_whole([name])[name])
            continue
        plans[name] = made
        for block in made.first:
            scan.ask(block)
    scan.run()
    columns |= {name: made.value() for name, made in plans.items()}
    return Profile(table.rows, named, columns)


def write_profile(path: Path, profile: Profile) -> None:
    """Write a profile as JSON."""
    dump_json(path, profile)


def read_profile(path: Path) -> Profile:
    """Read what ``write_profile`` wrote."""
    return load_facts(path, Profile)
