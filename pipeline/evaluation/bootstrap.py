"""Percentile-bootstrap intervals by weights of rows: how often each was drawn.

Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

PERCENTILES = (2.5, 97.5)
# Weights held at once: 16 MB, so that a few temporaries of that size stay out of the way.
CHUNK = 2_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its 95 % percentile-bootstrap interval.

    Attributes
    ----------
    value
        On the rows as they are; None where the metric is undefined on them.
    low, high
        The 2.5 and 97.5 percentiles over the resamples; None where undefined in all of them.
    """

    value: float | None
    low: float | None
    high: float | None


def draw_weights(n: int, resamples: int, seed: int) -> Iterator[Numbers]:
    """Yield how often each row is drawn, shape ``(some, n)``, until all resamples are through.

    Parameters
    ----------
    n
        Rows.
    resamples
        How many samples of ``n`` rows are drawn in all.
    seed
        The same seed gives the same draws, so that two learners are resampled alike.
    """
    generator = np.random.default_rng(seed)
    size = max(1, min(resamples, CHUNK // n))
    for start in range(0, resamples, size):
        count = min(size, resamples - start)
        yield draw_counts(generator, count, n)


def draw_counts(generator: np.random.Generator, count: int, n: int) -> Numbers:
    """Draw n of n rows with replacement, ``count`` times; return how often each was drawn.

    Parameters
    ----------
    generator
        Where the draws come from.
    count
        How many samples are drawn.
    n
        Rows of each.

    Returns
    -------
    numpy.ndarray
        Shape ``(count, n)``, float64.
    """
    drawn = generator.integers(0, n, size=(count, n))
    drawn += np.arange(count)[:, None] * n
    return np.bincount(drawn.ravel(), minlength=count * n).reshape(count, n).astype(np.float64)


def summarize(value: float, draws: np.ndarray) -> Interval:
    """Summarize a value by its draws; those in which it is undefined are left out."""
    defined = draws[~np.isnan(draws)]
    if np.isnan(value) or not len(defined):
        return Interval(None if np.isnan(value) else float(value), None, None)
    low, high = np.percentile(defined, PERCENTILES)
    return Interval(float(value), float(low), float(high))
