"""Quantiles from partitions that are not read again: order statistics of each, and their error.

Of each partition its values at evenly spaced ranks are kept, all of them where they are few. Ranks
between two that were kept are known to lie between: an estimated quantile is the value of a rank
that is off by at most one part in ``POINTS - 1`` of the rows. Unlike the sketches of Apache
DataSketches this needs no random numbers, so partitions give the same result whenever they were
profiled; the summaries are those of Munro and Paterson (1980), "Selection and sorting with limited
storage", Theoretical Computer Science 12.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

POINTS = 513


@dataclass(frozen=True, slots=True)
class Sketch:
    """Order statistics of all parts.

    Attributes
    ----------
    count
        How many values there are.
    error
        By what share of the values a rank may be off; 0 where all values are known.
    points
        The values that are known, in order.
    reached
        How many values are at most each of them, about.
    """

    count: int
    error: float
    points: np.ndarray[Any, Any]
    reached: np.ndarray[Any, Any]

    def find(self, rank: int) -> Any:
        """Give the value of a rank (0: the least); it may be off by ``error``."""
        return self.points[np.searchsorted(self.reached, rank + 1)].item()

    def thin(self, points: int) -> np.ndarray[Any, Any]:
        """Give the values of so many evenly spaced ranks, or all where there are fewer."""
        ranks = choose_ranks(self.count, points)
        return self.points[np.searchsorted(self.reached, ranks + 1)]

    def share_up_to(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Give the share of the values that are at most each of some values, about."""
        reached = np.concatenate([[0.0], self.reached]) / max(1, self.count)
        shares: np.ndarray[Any, Any] = reached[np.searchsorted(self.points, values, side="right")]
        return shares


def merge_sketches(parts: Sequence[tuple[int, np.ndarray[Any, Any]]]) -> Sketch:
    """Put together how many values each part has, and its order statistics."""
    steps, gaps = [], 0.0
    for count, points in parts:
        ranks = choose_ranks(count, len(points))
        above = np.append(ranks[1:], count)  # of the next that is known: between lies the truth
        steps.append(np.diff((ranks + 1 + above) / 2, prepend=0.0))
        gaps += count / (len(points) - 1) if len(points) < count else 0
    whole = sum(count for count, _ in parts)
    if not whole:
        return Sketch(0, 0.0, np.empty(0), np.empty(0))
    points = np.concatenate([points for _, points in parts])
    order = np.argsort(points, kind="stable")
    return Sketch(whole, gaps / whole, points[order], np.cumsum(np.concatenate(steps)[order]))


def choose_ranks(count: int, points: int = POINTS) -> np.ndarray[Any, Any]:
    """Choose evenly spaced ranks of sorted values, at most so many; the ends are among them."""
    if count <= points:
        return np.arange(count)
    return np.linspace(0, count - 1, points).round().astype(np.int64)
