"""Donors, laid out for the search: near ones together, in blocks that fit the nearest cache."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

LANES = 256
# Rows that the spread of a column is judged by, where donors are divided.
SAMPLE = 256
# Codes up to which float32 tells one from the next.
MOST_CODES = 2**24
# Weights that float32 holds, and sums of them, without losing the small ones to zero.
WEIGHTS = (1e-30, 1e30)

LAYING_OUT = threading.Lock()


@dataclass(frozen=True, slots=True)
class DonorLayout:
    """Donors as the compiled search reads them.

    Attributes
    ----------
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


def as_rows(values: np.ndarray) -> np.ndarray:
    """Give values as the compiled search takes them: float64, row by row, and not read-only.

    It writes to none, but for read-only ones, as of a mapped file, numba would compile all of it
    again: 20 s.
    """
    return np.require(values, np.float64, ["C_CONTIGUOUS", "WRITEABLE", "ENSUREARRAY"])


@dataclass(slots=True)
class Index:
    """Donors, and their layout once it was asked for.

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
    """

    donors: np.ndarray
    costs: np.ndarray
    weights: np.ndarray
    weight: float
    scaled: bool
    _layout: DonorLayout | None = None

    def __post_init__(self) -> None:
        """Take arrays that a pickle may have mapped."""
        self.donors, self.costs = as_rows(self.donors), as_rows(self.costs)
        self.weights = as_rows(self.weights)

    @property
    def layout(self) -> DonorLayout:
        """The layout; made for the first that asks, whichever thread it is."""
        with LAYING_OUT:
            if self._layout is None:
                self._layout = lay_out(self.donors, self.costs, self.weights)
        return self._layout

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave the layout out of a pickle: it is made again sooner than read."""
        return Index, (self.donors, self.costs, self.weights, self.weight, self.scaled)


def build_index(
    donors: np.ndarray, costs: np.ndarray | None = None, weights: np.ndarray | None = None
) -> Index:
    """Take donors to search among.

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
    donors = as_rows(donors)
    n_columns = donors.shape[1]
    if costs is None:
        costs = np.full(n_columns, -1.0)
    elif (donors[:, np.asarray(costs) >= 0] >= MOST_CODES).any():
        raise ValueError(f"codes of categories must be below {MOST_CODES}")
    costs = np.asarray(costs, dtype=np.float64)
    if weights is None:
        return Index(donors, costs, np.ones(n_columns), float(n_columns), scaled=True)
    weights = np.asarray(weights, dtype=np.float64)
    if ((weights != 0) & ((weights < WEIGHTS[0]) | (weights > WEIGHTS[1]))).any():
        raise ValueError(f"weights must be 0, or from {WEIGHTS[0]} to {WEIGHTS[1]}")
    # Added column after column, as distances are summed.
    return Index(donors, costs, weights, float(sum(weights.tolist())), scaled=False)


def lay_out(donors: np.ndarray, costs: np.ndarray, weights: np.ndarray) -> DonorLayout:
    """Lay out donors; see ``Index`` for them, their costs and weights.

    Parameters
    ----------
    donors
        Shape ``(n_donors, n_columns)``, float64; NaN is missing.
    costs
        Shape ``(n_columns,)``: of a category that differs; -1 marks numbers.
    weights
        Shape ``(n_columns,)``: of a column that one of two rows lacks.
    """
    from pipeline.neighbours import kernels

    center, scale = _find_center(donors, costs)
    numeric = costs < 0
    factors = np.where(numeric, scale, 1.0)
    order, uniform = _arrange(donors, center, factors, numeric)
    lanes = np.empty((len(order), donors.shape[1], LANES), dtype=np.float32)
    low, high = np.empty((2, donors.shape[1], len(order)), dtype=np.float32)
    held = np.empty(order.shape, dtype=np.float32)
    norm, size = kernels.lay_blocks(
        donors, order, center, factors, numeric, weights, lanes, held, low, high
    )
    return DonorLayout(
        order,
        lanes,
        held,
        uniform,
        low,
        high,
        center,
        scale,
        norm,
        size + float(np.abs(center * scale).sum()),
    )


def _find_center(donors: np.ndarray, costs: np.ndarray) -> tuple[np.ndarray, float]:
    """Find what brings numbers near 0, and a power of two that makes the largest about 1."""
    center = np.zeros(donors.shape[1])
    largest = 0.0
    lowest, highest = np.fmin.reduce(donors), np.fmax.reduce(donors)
    for j in np.flatnonzero((costs < 0) & ~np.isnan(lowest)):
        # Halves, since the sum of two large values is beyond float64.
        low, high = lowest[j] / 2, highest[j] / 2
        center[j] = low + high
        largest = max(largest, high - low)
    exponent = -int(np.frexp(largest)[1]) if largest > 0 else 0
    return center, float(2.0 ** min(exponent, 400))


def _arrange(
    donors: np.ndarray, center: np.ndarray, factors: np.ndarray, numeric: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Put donors with the same gaps together, and near ones among them; -1 fills a last block."""
    rows, starts = group_rows(np.isnan(donors))
    groups = np.split(rows, starts[1:])
    blocks, uniform, mixed = [], [], []
    for rows in groups:
        if len(rows) < LANES // 2 and len(groups) > 1:
            mixed.append(rows)
            continue
        numbers = np.flatnonzero(numeric & ~np.isnan(donors[rows[0]]))
        parts = _divide(donors, rows, numbers, center, factors)
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


def _divide(
    donors: np.ndarray,
    rows: np.ndarray,
    numbers: np.ndarray,
    center: np.ndarray,
    factors: np.ndarray,
) -> list[np.ndarray]:
    """Divide rows at the middle of the column that spreads most, until blocks are left."""
    if len(rows) <= LANES or not len(numbers):
        return [rows[s : s + LANES] for s in range(0, len(rows), LANES)]
    sample = (donors[rows[:: max(1, len(rows) // SAMPLE)]] - center) * factors
    widest = numbers[sample[:, numbers].std(axis=0).argmax()]
    middle = -(-len(rows) // (2 * LANES)) * LANES
    rows = rows[np.argpartition(donors[rows, widest], middle - 1)]
    return [
        part
        for half in (rows[:middle], rows[middle:])
        for part in _divide(donors, half, numbers, center, factors)
    ]


def group_rows(gaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Put rows with the same gaps together.

    Parameters
    ----------
    gaps
        Shape ``(n_rows, n_columns)``, bool.

    Returns
    -------
    order, starts
        The rows' positions, group after group and ascending in each; and where groups start in it.
    """
    bits = np.packbits(gaps, axis=1)
    order = np.lexsort(bits.T)
    bits = bits[order]
    news = (bits[1:] != bits[:-1]).any(axis=1)
    return order, np.append(0, np.flatnonzero(news) + 1)
