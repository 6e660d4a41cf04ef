"""Exact quantiles without holding a column: the selection of Floyd and Rivest, in two passes.

The first pass keeps every so-many-th value. They tell between which two values an order statistic
lies almost surely; the second pass counts what is below them and keeps what is between. Ranks that
were guessed wrongly are noticed, and the column is then gathered whole.

Source: Floyd and Rivest (1975), "Expected time bounds for selection", Communications of the ACM 18.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from pipeline.validation.conditions import Where
from pipeline.validation.partials import gather, name_block, reads, sketch, values_of
from pipeline.validation.questions import Block
from pipeline.validation.scan import Scan
from pipeline.validation.sketches import Sketch
from pipeline.validation.table import Column

FINE = 1 << 13  # order statistics of a chunk, where none is written down
SAMPLE = 1 << 15  # values of a column that the first pass keeps, at least
SPREAD = 5.0  # standard errors of a sampled rank on either side


@dataclass(frozen=True, slots=True)
class Sample:
    """Some values of a column, sorted, and how many it has; all of them if these are few."""

    values: np.ndarray[Any, Any]
    count: int

    @property
    def whole(self) -> bool:
        """Whether these are all values."""
        return len(self.values) == self.count


def sample(column: Column, where: Where | None, rows: int) -> Block:
    """Keep every so-many-th value that is there.

    Parameters
    ----------
    column
        A column of numbers.
    where
        Which rows count; None: all.
    rows
        Of the table: the more there are, the fewer of them are kept.
    """
    step = max(1, rows // SAMPLE)
    values = values_of(column, where).drop_nulls()

    def merge(parts: list[tuple[pl.Series, int]]) -> Sample:
        kept = np.concatenate([part[0].to_numpy() for part in parts])
        return Sample(np.sort(kept), sum(part[1] for part in parts))

    return Block(
        name_block("sample", column, where), reads(column, where),
        (values.gather_every(step).implode(), values.len()), merge, small=False,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bracket:
    """What lies around an order statistic: how much below, at and between two values."""

    low: Any
    high: Any
    below: int
    at_low: int
    between: np.ndarray[Any, Any]
    at_high: int

    def find(self, rank: int) -> Any:
        """Give the value of a rank (0: the least); None if it lies elsewhere."""
        rank -= self.below
        if rank < 0:
            return None
        if rank < self.at_low:
            return self.low
        rank -= self.at_low
        if rank < len(self.between):
            return np.partition(self.between, rank)[rank]
        rank -= len(self.between)
        return self.high if rank < self.at_high else None


def bracket(column: Column, where: Where | None, seen: Sample, rank: int) -> Block:
    """Count and keep what lies around a rank, as far as the sample tells where that is.

    Parameters
    ----------
    column
        A column of numbers.
    where
        Which rows count; None: all.
    seen
        A sample of the values, from the pass before.
    rank
        The place of the value that is sought among all values in order, from 0.
    """
    values, size = seen.values, len(seen.values)
    place = rank / max(1, seen.count - 1) * (size - 1)
    share = rank / max(1, seen.count - 1)
    reach = SPREAD * math.sqrt(size * share * (1 - share)) + 2
    first, last = math.floor(place - reach), math.ceil(place + reach)
    low = values[first] if first >= 0 else -math.inf
    high = values[last] if last < size else math.inf
    value = values_of(column, where)

    def merge(parts: list[tuple[Any, ...]]) -> Bracket:
        kept = np.concatenate([part[2].to_numpy() for part in parts])
        below, at_low, at_high = (sum(int(part[i]) for part in parts) for i in (0, 1, 3))
        return Bracket(low, high, below, at_low, kept, 0 if low == high else at_high)

    return Block(
        f"{name_block('bracket', column, where)}|{rank}", reads(column, where),
        (
            (value < low).sum(), (value == low).sum(),
            value.filter((value > low) & (value < high)).implode(), (value == high).sum(),
        ),
        merge,
        small=False,
    )  # fmt: skip


@dataclass(slots=True)
class Quantiles:
    """Quantiles of a column as pandas gives them, from two passes, or estimated from one."""

    column: Column
    where: Where | None
    scan: Scan
    shares: Sequence[float]
    interpolation: str
    estimated: bool = False

    @property
    def first(self) -> Block:
        """What is needed of the first pass."""
        if self.scan.states is not None:
            return sketch(self.column, self.where)
        if self.estimated:
            return sketch(self.column, self.where, FINE)
        return sample(self.column, self.where, self.scan.table.rows)

    def _seen(self) -> Sample | Sketch:
        found: Sample | Sketch = self.scan.found[self.first.key]
        return found

    def ask(self) -> None:
        """Ask for what is needed of the second pass."""
        seen = self._seen()
        if isinstance(seen, Sketch):
            if seen.error:
                self.scan.notes[f"quantiles of {self.column.name}"] = (
                    f"from sketches, their ranks within {100 * seen.error:.2g} % of the rows"
                )
        elif not seen.whole:
            for rank in self._ranks(seen.count):
                self.scan.ask(bracket(self.column, self.where, seen, rank))

    def _ranks(self, count: int) -> list[int]:
        ranks = set()
        for share in self.shares:
            place = share * (count - 1)
            ranks |= {math.floor(place), math.ceil(place)}
        return sorted(ranks)

    def values(self) -> list[Any]:
        """Give the quantiles; NaN where there are no values."""
        seen = self._seen()
        if not seen.count:
            return [math.nan for _ in self.shares]
        return [self._interpolate(share, seen) for share in self.shares]

    def _interpolate(self, share: float, seen: Sample | Sketch) -> Any:
        place = share * (seen.count - 1)
        low, high = math.floor(place), math.ceil(place)
        if self.interpolation == "nearest":
            return self._find(round(place), seen)  # half to even, as numpy does
        if self.interpolation == "lower":
            return self._find(low, seen)
        if self.interpolation == "higher":
            return self._find(high, seen)
        a, b = float(self._find(low, seen)), float(self._find(high, seen))
        weight = 0.5 if self.interpolation == "midpoint" else place - low
        if a == b or low == high:
            return a
        if math.isinf(a) or math.isinf(b):  # numpy gives NaN, also for the finite end itself
            return a + b
        # As numpy does it, so that the last digit is the same.
        return b - (b - a) * (1 - weight) if weight >= 0.5 else a + (b - a) * weight

    def _find(self, rank: int, seen: Sample | Sketch) -> Any:
        if isinstance(seen, Sketch):
            return seen.find(rank)
        if seen.whole:
            return seen.values[rank].item()
        key = f"{name_block('bracket', self.column, self.where)}|{rank}"
        found = self.scan.found[key].find(rank)
        if found is None:
            block = gather(self.column, self.where)
            self.scan.ask(block)
            self.scan.run()
            found = np.partition(self.scan.found[block.key].to_numpy(), rank)[rank]
        return found.item() if hasattr(found, "item") else found
