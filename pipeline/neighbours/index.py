"""Donors, laid out for the search: near ones together, in blocks that fit the nearest cache."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LANES = 256
# Rows that the spread of a column is judged by, where donors are divided.
SAMPLE = 1024


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
    order
        Shape ``(n_blocks, LANES)``: the donor at each place, -1 where there is none.
    lanes
        Shape ``(n_blocks, n_columns, LANES)``, float32: centred and scaled values.
    counts
        Shape ``(n_blocks, LANES)``, float32: values that a donor has.
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
    order: np.ndarray
    lanes: np.ndarray
    counts: np.ndarray
    uniform: np.ndarray
    low: np.ndarray
    high: np.ndarray
    center: np.ndarray
    scale: float
    radius: float
    reach: float


def build_index(donors: np.ndarray, costs: np.ndarray | None = None) -> Index:
    """Lay out donors.

    Parameters
    ----------
    donors
        Shape ``(n_donors, n_columns)``, numbers or codes of categories; NaN is missing. Infinite
        values are not allowed.
    costs
        Shape ``(n_columns,)``: what a category that differs adds to the squared distance, and -1
        for numbers; left out, all columns are numbers.
    """
    donors = np.ascontiguousarray(donors, dtype=np.float64)
    n_columns = donors.shape[1]
    costs = np.full(n_columns, -1.0) if costs is None else np.asarray(costs, dtype=np.float64)
    numeric = costs < 0
    present = ~np.isnan(donors)
    center = np.zeros(n_columns)
    sums = np.where(present, donors, 0.0).sum(axis=0)
    center[numeric] = (sums / np.maximum(present.sum(axis=0), 1))[numeric]
    largest = max((np.nanmax(np.abs(donors[:, j] - center[j]), initial=0.0) for j in np.flatnonzero(numeric)), default=0.0)
    scale = float(2.0 ** -np.frexp(largest)[1]) if largest > 0 else 1.0
    narrow = np.where(numeric, (donors - center) * scale, donors).astype(np.float32)
    arranged, uniform = _arrange(narrow, present, numeric)
    order = arranged.reshape(-1, LANES)
    lanes = narrow[arranged]
    lanes[arranged < 0] = np.inf  # no sum over it is ever small
    lanes = np.ascontiguousarray(lanes.reshape(-1, LANES, n_columns).transpose(0, 2, 1))
    counts = present.sum(axis=1)[arranged].astype(np.float32).reshape(order.shape)
    real = (order >= 0)[:, None, :]
    gap = np.isnan(lanes).any(axis=2)
    low = np.where(real, lanes, np.inf).min(axis=2)
    high = np.where(real, lanes, -np.inf).max(axis=2)
    norms = np.where(numeric & present, narrow, 0.0).astype(np.float64)
    sizes = np.where(numeric & present, donors * scale, 0.0)
    return Index(
        donors,
        costs,
        order,
        lanes,
        counts,
        uniform,
        np.ascontiguousarray(np.where(gap, -np.inf, low).T.astype(np.float32)),
        np.ascontiguousarray(np.where(gap, np.inf, high).T.astype(np.float32)),
        center,
        scale,
        float(np.sqrt((norms**2).sum(axis=1).max(initial=0.0))),
        float(np.sqrt((sizes**2).sum(axis=1).max(initial=0.0)) + np.sqrt(((center * scale) ** 2).sum())),
    )


def _arrange(
    narrow: np.ndarray, present: np.ndarray, numeric: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Put donors with the same gaps together, and near ones among them; -1 fills a last block."""
    which = number_patterns(present)
    groups = np.split(np.argsort(which, kind="stable"), np.cumsum(np.bincount(which))[:-1])
    blocks, uniform, mixed = [], [], []
    for rows in groups:
        if len(rows) < LANES // 2 and len(groups) > 1:
            mixed.append(rows)
            continue
        parts = _divide(narrow, rows, np.flatnonzero(numeric & present[rows[0]]))
        blocks += parts
        uniform += [True] * len(parts)
    if mixed:
        rows = np.sort(np.concatenate(mixed))
        parts = [rows[s : s + LANES] for s in range(0, len(rows), LANES)]
        blocks += parts
        uniform += [False] * len(parts)
    arranged = np.full(len(blocks) * LANES, -1, dtype=np.int64)
    for number, part in enumerate(blocks):
        arranged[number * LANES : number * LANES + len(part)] = part
    return arranged, np.array(uniform, dtype=bool)


def _divide(narrow: np.ndarray, rows: np.ndarray, numbers: np.ndarray) -> list[np.ndarray]:
    """Divide rows at the middle of the column that spreads most, until blocks are left."""
    if len(rows) <= LANES or not len(numbers):
        return [rows[s : s + LANES] for s in range(0, len(rows), LANES)]
    sample = narrow[rows[:: max(1, len(rows) // SAMPLE)]][:, numbers]
    widest = numbers[np.argmax(sample.std(axis=0))]
    middle = -(-len(rows) // (2 * LANES)) * LANES
    rows = rows[np.argpartition(narrow[rows, widest], middle - 1)]
    return _divide(narrow, rows[:middle], numbers) + _divide(narrow, rows[middle:], numbers)


def number_patterns(present: np.ndarray) -> np.ndarray:
    """Number the patterns of gaps: rows with the same gaps get the same number.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_rows,)``, int64, from 0; in ascending order of the patterns' bits.
    """
    which = np.zeros(len(present), dtype=np.int64)
    for start in range(0, present.shape[1], 30):
        bits = present[:, start : start + 30]
        keys = bits @ (np.int64(1) << np.arange(bits.shape[1]))
        which = np.unique(which << np.int64(30) | keys, return_inverse=True)[1].reshape(-1)
    return which
