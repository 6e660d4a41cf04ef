"""How far the next refresh may go, from the spread of those before it."""

from __future__ import annotations

import math
from collections.abc import Sequence

LEAST_REFRESHES = 3
CONFIDENCE = 0.99


def find_reach(values: Sequence[float]) -> tuple[float, float] | None:
    """Give the prediction interval of the next value, widened to hold all that were seen.

    Normal theory: mean ± t · s · √(1 + 1/n), with Student's t of n - 1 degrees of freedom. None
    for fewer than three values, whose spread says next to nothing.

    >>> find_reach([1.0, 2.0])
    >>> low, high = find_reach([10.0, 11.0, 12.0, 11.0])
    >>> round(low, 1), round(high, 1)
    (5.7, 16.3)
    """
    from scipy.special import stdtrit

    count = len(values)
    if count < LEAST_REFRESHES:
        return None
    mean = sum(values) / count
    variance = sum((value - mean) ** 2 for value in values) / (count - 1)
    student = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2))
    half = student * math.sqrt(variance * (1 + 1 / count))
    return min(mean - half, *values), max(mean + half, *values)
