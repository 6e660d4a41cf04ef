"""Bounds for numbers, learned on training rows.

Fences follow Tukey (1977, Exploratory Data Analysis): quartiles, and a multiple of the distance
between them; a skewed column without negative values is re-expressed by a logarithm first, as he
advises, so that a long tail of real measurements is not taken for faults. MAD bounds follow
Iglewicz and Hoaglin (1993).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from pipeline.config.settings import ColumnConfig, OutlierConfig
from pipeline.errors import DataContractError

Action = Literal["clip", "set_missing", "keep", "quarantine"]
MAD_TO_SIGMA = 1.4826
MIN_ROWS = 10


@dataclass(frozen=True, slots=True)
class Bound:
    """The bounds of one column, in its own unit.

    Attributes
    ----------
    low, high
        Smallest and largest value within.
    method
        How the bounds were found.
    training_outside
        Training rows outside.
    """

    low: float
    high: float
    action: Action
    method: str
    training_outside: int

    def is_outside(self, values: pd.Series) -> pd.Series:
        """Tell for each number whether it lies outside; missing values do not."""
        return (values < self.low) | (values > self.high)

    def describe(self) -> str:
        """Write the bounds for people."""
        return f"{self.low:g} to {self.high:g}"


def learn_bound(
    values: pd.Series,
    config: OutlierConfig,
    name: str,
    declared: ColumnConfig,
    expected: tuple[float | None, float | None] = (None, None),
) -> Bound | None:
    """Learn the bounds of a numeric column from its training rows.

    Declared limits (``columns.<name>.minimum`` and ``maximum``) go before learned ones. Returns
    None where there is nothing to bound: no method, fewer than 10 values, and no declared limit.

    Bounds that a suite expects narrow the learned ones, so that the repaired values pass it, but
    only while few training rows (``max_repaired``) lie outside: more are no outliers, and it is for
    the gate to stop them.

    Parameters
    ----------
    values
        The column's training rows, float64; NaN is missing.
    config
        How bounds are found, and what happens to outliers.
    name
        The column, for its own action and for messages.
    declared
        Its declared limits.
    expected
        The bounds that suites expect, in the column's unit; None where there is none.

    Raises
    ------
    DataContractError
        If most training rows break the declared limits.
    """
    numbers = values.dropna().to_numpy(dtype=np.float64)
    action = config.columns.get(name, config.action)
    if config.method == "none":
        expected = (None, None)
    fences = find_fences(numbers, config)
    if fences is None:
        limits = (declared.minimum, declared.maximum, *expected)
        if all(limit is None for limit in limits):
            return None
        fences = (-np.inf, np.inf, "declared")
    low, high, method = fences
    low, high = _round_outward(low, up=False), _round_outward(high, up=True)
    if declared.minimum is not None or declared.maximum is not None:
        low = low if declared.minimum is None else declared.minimum
        high = high if declared.maximum is None else declared.maximum
        method = "declared" if method == "declared" else f"declared, {method}"
        _refuse_most(numbers, low, high, name)
    low, high, method = _narrow((low, high, method), numbers, expected, config)
    outside = int(((numbers < low) | (numbers > high)).sum())
    return Bound(low, high, action, method, outside)


def _refuse_most(numbers: np.ndarray, low: float, high: float, name: str) -> None:
    """Refuse declared limits that most training rows break: they are wrong, or the data is."""
    outside = int(((numbers < low) | (numbers > high)).sum())
    if outside > len(numbers) / 2:
        raise DataContractError(
            "cleaning",
            f"column '{name}' is declared to lie from {low:g} to {high:g}, but {outside} of "
            f"{len(numbers)} training values do not, such as {numbers[0]:g}",
            f"Correct columns.{name}.minimum and maximum, or the column's unit in the source",
        )


def _narrow(
    fences: tuple[float, float, str],
    numbers: np.ndarray,
    expected: tuple[float | None, float | None],
    config: OutlierConfig,
) -> tuple[float, float, str]:
    """Narrow bounds to those that a suite expects, unless that were to touch too many rows."""
    low = max(fences[0], -np.inf if expected[0] is None else expected[0])
    high = min(fences[1], np.inf if expected[1] is None else expected[1])
    outside = float(((numbers < low) | (numbers > high)).mean()) if len(numbers) else 0.0
    if (low, high) == fences[:2] or low > high or outside > config.max_repaired:
        return fences
    return low, high, fences[2] + ", narrowed to what the suite expects"


def find_fences(numbers: np.ndarray, config: OutlierConfig) -> tuple[float, float, str] | None:
    """Find the fences of a sample: low, high, and how they were found; None for too small a sample.

    Parameters
    ----------
    numbers
        Shape ``(n,)``, float64, without missing values.
    """
    if config.method == "none" or len(numbers) < MIN_ROWS:
        return None
    if config.method == "quantile":
        low, high = np.quantile(numbers, [config.quantile, 1 - config.quantile])
        return float(low), float(high), f"quantiles {config.quantile:g} and {1 - config.quantile:g}"
    mode = _find_mode(numbers)
    body = numbers if mode is None else numbers[numbers != mode]
    note = "" if mode is None else f", values of {mode:g} apart"
    if len(body) < MIN_ROWS:
        return None
    scale = _find_log_scale(body)
    sample = body if scale is None else np.log1p(body / scale)
    if config.method == "mad":
        middle = float(np.median(sample))
        spread = MAD_TO_SIGMA * float(np.median(np.abs(sample - middle)))
        low, high = middle - config.factor * spread, middle + config.factor * spread
        how = f"{config.factor:g} MAD"
    else:
        first, third = np.quantile(sample, [0.25, 0.75])
        spread = float(third - first)
        low, high = first - config.factor * spread, third + config.factor * spread
        how = f"{config.factor:g} IQR"
    if spread <= 0:
        return None
    if body.min() >= 0:
        low = max(low, 0.0)  # what was never negative in training is not to become so
    if scale is not None:
        low, high = scale * np.expm1(low), scale * np.expm1(high)
        how += " on a log scale"
    if mode is not None:
        low, high = min(low, mode), max(high, mode)
    # Faults are rare: where more rows than that lie outside, they are a tail of the distribution.
    tails = (
        np.quantile(numbers, config.max_share, method="lower"),
        np.quantile(numbers, 1 - config.max_share, method="higher"),
    )
    if (numbers < low).mean() > config.max_share or (numbers > high).mean() > config.max_share:
        how += f", widened to leave {config.max_share:.0%} outside"
    return float(min(low, tails[0])), float(max(high, tails[1])), how + note


def _find_mode(numbers: np.ndarray) -> float | None:
    """Find a value that half of the rows share: the rest is judged on its own."""
    values, counts = np.unique(numbers, return_counts=True)
    top = int(counts.argmax())
    return float(values[top]) if counts[top] >= 0.5 * len(numbers) else None


def _find_log_scale(numbers: np.ndarray) -> float | None:
    """Choose a unit for log(1 + x / unit) where that makes the middle of the sample less skewed."""
    if numbers.min() < 0:
        return None
    positive = numbers[numbers > 0]
    if len(positive) < MIN_ROWS:
        return None
    unit = float(np.median(positive))
    plain, logged = _skewness(numbers), _skewness(np.log1p(numbers / unit))
    return unit if plain > 0.2 and abs(logged) < plain else None


def _skewness(numbers: np.ndarray) -> float:
    """Measure skewness by octiles (Hinkley 1975), which outliers do not move."""
    low, middle, high = np.quantile(numbers, [0.125, 0.5, 0.875])
    return float((high + low - 2 * middle) / (high - low)) if high > low else 0.0


def _round_outward(value: float, *, up: bool) -> float:
    """Round to six digits, so that what is clipped to a bound is a number that people can read.

    Never towards the data: days written as 20200131 would all lie beyond 20200100.
    """
    if value == 0 or abs(value) > 1.7e308:  # infinity has no place in JSON
        return float(np.clip(value, -1.7e308, 1.7e308))
    rounded = float(f"{value:.6g}")
    if math.isclose(rounded, value, rel_tol=1e-12):
        return rounded  # 0.22 that was computed as 0.21999999999999997
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 5)
    if up and rounded < value:
        return float(f"{value + unit:.6g}")
    return float(f"{value - unit:.6g}") if not up and rounded > value else rounded
