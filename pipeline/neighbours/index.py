"""Donors, laid out for the search: near ones together, in blocks that fit the nearest cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

LANES = 256
# Rows that the spread of a column is judged by, where donors are divided.
SAMPLE = 1024
# Codes up to which float32 tells one from the next.
MOST_CODES = 2**24
# Weights that float32 holds, and sums of them, without losing the small ones to zero.
WEIGHTS = (1e-30, 1e30)

Read = Callable[[int, np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True)
class Index:
    """Donors and their layout.

    Attributes
    ----------
    donors
        Shape ``(n_donors, n_columns)``, float64: numbers, or codes of categories; NaN is missing.
    costs
        Shape ``(n_columns,)``, float64: what a category that differs adds to the squared distance;
        -1 marks a column of numbers.
    weights, weight, scaled
        What a column that two rows do not share adds to their squared distance; shape
        ``(n_columns,)``, and the sum. Or, if scaled, the distance is that of the shared columns,
        times all weights over theirs.
    order
        Shape ``(n_blocks, LANES)``, int32: the donor at each place, -1 where there is none.
    lanes
        Shape ``(n_blocks, n_columns, LANES)``, float32: centred and scaled values.
    held
        Shape ``(n_blocks, LANES)``, float32: the weights of the columns that a donor has, summed.
    uniform
        Shape ``(n_blocks,)``: whether all donors of a block have the same gaps.
    low, high
        Shape ``(n_columns, n_blocks)``, float32: the box around a block; without bound in columns
        where one of its donors has a gap.
    center, scale
        What makes ``lanes`` out of ``donors``; the scale is a power of two.
    radius, reach
        The largest norm of a row, centred and scaled, and scaled only: rounding depends on them.
    """

    donors: np.ndarray
    costs: np.ndarray
    weights: np.ndarray
    weight: float
    scaled: bool
    order: np.ndarray
    lanes: np.ndarray
    held: np.ndarray
    uniform: np.ndarray
    low: np.ndarray
    high: np.ndarray
    center: np.ndarray
    scale: float
    radius: float
    reach: float


def build_index(
    donors: np.ndarray, costs: np.ndarray | None = None, weights: np.ndarray | None = None
) -> Index:
    """Lay out donors.

    Parameters
    ----------
    donors
        Shape ``(n_donors, n_columns)``, numbers or codes of categories; NaN is missing. Infinite
        values are not allowed.
    costs
        Shape ``(n_columns,)``: what a category that differs adds to the squared distance, and -1
        for numbers; left out, all columns are numbers.
    weights
        Shape ``(n_columns,)``: what a column that one of two rows lacks adds to their squared
        distance. Left out, the squared distance is that of the shared columns times all columns
        over shared ones (Dixon 1979), as scikit-learn has it.

    Raises
    ------
    ValueError
        If codes or weights are beyond what float32 holds.
    """
    donors = np.ascontiguousarray(donors, dtype=np.float64)
    n_columns = donors.shape[1]
    costs = np.full(n_columns, -1.0) if costs is None else np.asarray(costs, dtype=np.float64)
    scaled = weights is None
    if (donors[:, costs >= 0] >= MOST_CODES).any():
        raise ValueError(f"codes of categories must be below {MOST_CODES}")
    weights = np.ones(n_columns) if weights is None else np.asarray(weights, dtype=np.float64)
    if ((weights != 0) & ((weights < WEIGHTS[0]) | (weights > WEIGHTS[1]))).any():
        raise ValueError(f"weights must be 0, or from {WEIGHTS[0]} to {WEIGHTS[1]}")
    center, scale = _find_center(donors, costs)

    def narrow(j: int, rows: np.ndarray) -> np.ndarray:
        """Give a column of donors as ``lanes`` holds it; all at once would be half a copy."""
        values = donors[rows, j]
        values = values if costs[j] >= 0 else (values - center[j]) * scale
        return np.asarray(values, dtype=np.float32)

    order, uniform = _arrange(donors, narrow, costs < 0)
    lanes = np.empty((len(order), n_columns, LANES), dtype=np.float32)
    low, high = np.empty((2, n_columns, len(order)), dtype=np.float32)
    held = np.zeros(order.shape, dtype=np.float32)
    norms, sizes = np.zeros((2, *order.shape))
    nobody = order < 0
    for j in range(n_columns):
        values = narrow(j, order)
        gap = np.isnan(values)
        if costs[j] < 0:
            norms += np.square(np.where(gap, 0.0, values), dtype=np.float64)
            with np.errstate(over="ignore"):  # an infinite margin is a margin
                sizes += np.square(np.where(gap, 0.0, donors[order, j] * scale))
        held += np.float32(weights[j]) * ~gap
        unbounded = (gap & ~nobody).any(axis=1)
        low[j] = np.where(unbounded, -np.inf, np.where(nobody, np.inf, values).min(axis=1))
        high[j] = np.where(unbounded, np.inf, np.where(nobody, -np.inf, values).max(axis=1))
        lanes[:, j] = np.where(nobody, np.inf, values)  # no sum over infinity is ever small
    return Index(
        donors,
        costs,
        weights,
        float(sum(weights.tolist())),  # column after column, as distances are summed
        scaled,
        order,
        lanes,
        held,
        uniform,
        low,
        high,
        center,
        scale,
        float(np.sqrt(norms.max(initial=0.0))),
        float(np.sqrt(sizes.max(initial=0.0)) + np.abs(center * scale).sum()),
    )


def _find_center(donors: np.ndarray, costs: np.ndarray) -> tuple[np.ndarray, float]:
    """Find what brings numbers near 0, and a power of two that makes the largest about 1."""
    center = np.zeros(donors.shape[1])
    largest = 0.0
    for j in np.flatnonzero(costs < 0):
        known = donors[~np.isnan(donors[:, j]), j]
        if len(known):
            # Halves, since the sum of two large values is beyond float64.
            low, high = known.min() / 2, known.max() / 2
            center[j] = low + high
            largest = max(largest, high - low)
    exponent = -int(np.frexp(largest)[1]) if largest > 0 else 0
    return center, float(2.0 ** min(exponent, 400))


def _arrange(donors: np.ndarray, narrow: Read, numeric: np.ndarray) -> tuple[np.ndarray, ...]:
    """Put donors with the same gaps together, and near ones among them; -1 fills a last block."""
    which = number_patterns(~np.isnan(donors))
    groups = np.split(np.argsort(which, kind="stable"), np.cumsum(np.bincount(which))[:-1])
    blocks, uniform, mixed = [], [], []
    for rows in groups:
        if len(rows) < LANES // 2 and len(groups) > 1:
            mixed.append(rows)
            continue
        parts = _divide(narrow, rows, np.flatnonzero(numeric & ~np.isnan(donors[rows[0]])))
        blocks += parts
        uniform += [True] * len(parts)
    if mixed:
        rows = np.sort(np.concatenate(mixed))
        parts = [rows[s : s + LANES] for s in range(0, len(rows), LANES)]
        blocks += parts
        uniform += [False] * len(parts)
    order = np.full((len(blocks), LANES), -1, dtype=np.int32)
    for number, part in enumerate(blocks):
        order[number, : len(part)] = part
    return order, np.array(uniform, dtype=bool)


def _divide(narrow: Read, rows: np.ndarray, numbers: np.ndarray) -> list[np.ndarray]:
    """Divide rows at the middle of the column that spreads most, until blocks are left."""
    if len(rows) <= LANES or not len(numbers):
        return [rows[s : s + LANES] for s in range(0, len(rows), LANES)]
    sample = rows[:: max(1, len(rows) // SAMPLE)]
    widest = numbers[np.stack([narrow(j, sample) for j in numbers]).std(axis=1).argmax()]
    middle = -(-len(rows) // (2 * LANES)) * LANES
    rows = rows[np.argpartition(narrow(widest, rows), middle - 1)]
    return _divide(narrow, rows[:middle], numbers) + _divide(narrow, rows[middle:], numbers)


def number_patterns(present: np.ndarray) -> np.ndarray:
    """Give each pattern of gaps a number: rows with the same gaps get the same number.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_rows,)``, int64, from 0; in ascending order of the patterns' bits.
    """
    which = np.zeros(len(present), dtype=np.int64)
    for start in range(0, present.shape[1], 30):
        keys = which << np.int64(30)
        for place, column in enumerate(present.T[start : start + 30]):
            keys[column] |= np.int64(1) << np.int64(place)
        which = np.unique(keys, return_inverse=True)[1].reshape(-1)
    return which
