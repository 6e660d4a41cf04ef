"""Quantiles from partitions that are not read again: order statistics of each, and their error.

Of each partition its values at evenly spaced ranks are kept, all of them where they are few. Ranks
between two that were kept are known to lie between: an estimated quantile is the value of a rank
that is off by at most one part in ``POINTS - 1`` of the rows. Unlike the sketches of Apache
DataSketches this needs no random numbers, so partitions give the same result whenever they were
profiled; the summaries are those of Munro and Paterson (1980), "Selection and sorting with limited
storage", Theoretical Computer Science 12.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.validation.blocks import name_block, reads, values_of
from pipeline.validation.conditions import Where
from pipeline.validation.scan import Block
from pipeline.validation.table import Column

POINTS = 1025


@dataclass(frozen=True, slots=True)
class Part:
    """Some order statistics of a part, and their ranks."""

    count: int
    points: np.ndarray[Any, Any]
    ranks: np.ndarray[Any, Any]

    @property
    def whole(self) -> bool:
        """Whether these are all values."""
        return len(self.points) == self.count

    def count_up_to(self, value: Any) -> float:
        """Estimate how many values are at most this one; exact where all are known."""
        known = int(np.searchsorted(self.points, value, side="right"))
        if known == 0:
            return 0.0
        if known == len(self.points):
            return float(self.count)
        least, most = self.ranks[known - 1] + 1, self.ranks[known]
        return float(least if self.whole else (least + most) / 2)


@dataclass(frozen=True, slots=True)
class Sketch:
    """Order statistics of all parts."""

    parts: tuple[Part, ...]

    @property
    def count(self) -> int:
        """How many values there are."""
        return sum(part.count for part in self.parts)

    @property
    def error(self) -> float:
        """By what share of the values a rank may be off; 0 where all values are known."""
        gaps = sum(part.count / (len(part.points) - 1) for part in self.parts if not part.whole)
        return gaps / self.count if self.count else 0.0

    def find(self, rank: int) -> Any:
        """Give the value of a rank (0: the least); it may be off by ``error``."""
        candidates = np.unique(np.concatenate([part.points for part in self.parts]))
        low, high = 0, len(candidates) - 1
        while low < high:
            middle = (low + high) // 2
            below = sum(part.count_up_to(candidates[middle]) for part in self.parts)
            low, high = (low, middle) if below >= rank + 1 else (middle + 1, high)
        return candidates[low].item()


def sketch(column: Column, where: Where | None) -> Block:
    """Keep order statistics of what is there."""

    def shrink(given: tuple[Any, ...]) -> tuple[int, np.ndarray[Any, Any]]:
        values = given[0].to_numpy()
        return len(values), values[_choose_ranks(len(values))]

    def merge(parts: list[tuple[int, np.ndarray[Any, Any]]]) -> Sketch:
        made = (Part(count, points, _choose_ranks(count)) for count, points in parts if count)
        return Sketch(tuple(made))

    return Block(
        name_block("sketch", column, where), reads(column, where),
        (values_of(column, where).drop_nulls().sort().implode(),), merge, shrink,
    )  # fmt: skip


def _choose_ranks(count: int) -> np.ndarray[Any, Any]:
    if count <= POINTS:
        return np.arange(count)
    return np.linspace(0, count - 1, POINTS).round().astype(np.int64)
