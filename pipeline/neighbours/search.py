"""Exact nearest neighbours: of rows among donors, and of donors among themselves."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from pipeline.neighbours.index import Index

CHUNK = 1024
# Differences of values (rows × donors × columns) that numpy takes as long for as the import of the
# compiled search takes. Until a process has asked for so many, numpy finds the same, to the bit.
SMALL = 3e7
_asked = 0.0


def find_neighbours(
    index: Index, rows: np.ndarray, k: int, slots: tuple[np.ndarray, np.ndarray] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest donors of rows.

    Rows that share no column with a weight are no neighbours. Of equally far donors the one with
    the lowest position comes first.

    Parameters
    ----------
    rows
        Shape ``(n, n_columns)``, as the donors are; NaN is missing.
    k
        Neighbours to find.
    slots
        What is sought: the row of each slot, ascending, and a column that its donors must have a
        value in (-1: any donor), each of shape ``(n_slots,)``. Left out: any donors, for each row.

    Returns
    -------
    distances, positions
        Each of shape ``(n_slots, k)``, nearest first: float64, not squared, and int64. Where there
        are fewer than ``k`` donors, the distance is infinite and the position ``n_donors``.
    """
    rows = np.ascontiguousarray(rows, dtype=np.float64)
    owners, wanted = slots or (np.arange(len(rows)), np.full(len(rows), -1))
    if _is_small(index, len(rows)):
        return _find_by_numpy(index, rows, k, owners, wanted)
    from pipeline.neighbours import kernels

    starts = np.append(0, np.cumsum(np.bincount(owners, minlength=len(rows))))
    distances = np.empty((len(wanted), k))
    positions = np.empty((len(wanted), k), dtype=np.int64)
    kernels.search(
        rows, starts, np.ascontiguousarray(wanted), index.donors, index.costs, index.weights,
        index.weight, index.scaled, index.order, index.lanes, index.held, index.uniform, index.low,
        index.high, index.center, index.scale, index.radius, index.reach, distances, positions,
    )  # fmt: skip
    return np.sqrt(distances), positions


def find_own_neighbours(
    index: Index, k: int, threads: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest donors of each donor, itself among them.

    Each distance is measured once and kept on both sides.

    Parameters
    ----------
    index
        Donors without gaps.

    Returns
    -------
    distances, positions
        Each of shape ``(n_donors, k)``, as ``find_neighbours`` returns them.
    """
    if _is_small(index, len(index.donors)):
        return find_neighbours(index, index.donors, k)
    from pipeline.neighbours import kernels

    threads = threads or count_cores()
    distances = np.empty((len(index.donors), k))
    positions = np.empty((len(index.donors), k), dtype=np.int64)
    limits = np.empty(index.order.shape, dtype=np.float32)
    edges = [round(at * len(index.order) / (2 * threads)) for at in range(2 * threads + 1)]

    def meet(pair: tuple[int, int]) -> None:
        first, second = pair
        if edges[first] == edges[first + 1] or edges[second] == edges[second + 1]:
            return
        kernels.search_among(
            edges[first], edges[first + 1], edges[second], edges[second + 1], index.donors,
            index.costs, index.weights, index.weight, index.scaled, index.order, index.lanes,
            index.low, index.high, index.scale, index.radius, index.reach, distances, positions,
            limits,
        )  # fmt: skip

    with ThreadPoolExecutor(threads) as pool:
        for meetings in _schedule(2 * threads):
            list(pool.map(meet, meetings))
    return np.sqrt(distances), positions


def visit_gaps(
    index: Index,
    read: Callable[[np.ndarray], np.ndarray],
    gaps: np.ndarray,
    k: int,
    visit: Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], None],
) -> None:
    """Find the nearest donors of each gap, some rows after others, on all cores.

    Parameters
    ----------
    read
        Given positions of rows, returns them as the donors are; NaN is missing.
    gaps
        Shape ``(n, n_columns)``, bool: what donors are sought for.
    k
        Neighbours to find.
    visit
        Gets, of some gaps, row by row: the rows' positions and the columns, each of shape
        ``(n_gaps,)``, then distances and positions of donors as ``find_neighbours`` returns them.
    """
    wanting = np.flatnonzero(gaps.any(axis=1))
    # Rows with the same gaps are searched for together.
    wanting = wanting[np.lexsort(np.packbits(gaps[wanting], axis=1).T)]

    def work(chunk: slice) -> None:
        at = wanting[chunk]
        owners, columns = np.nonzero(gaps[at])
        visit(at[owners], columns, *find_neighbours(index, read(at), k, (owners, columns)))

    map_chunks(work, len(wanting))


def map_chunks(
    work: Callable[[slice], None], length: int, threads: int | None = None, chunk: int = CHUNK
) -> None:
    """Work on chunk after chunk of rows, on several cores at once."""
    chunks = [slice(start, start + chunk) for start in range(0, length, chunk)]
    with ThreadPoolExecutor(threads or count_cores()) as pool:
        list(pool.map(work, chunks))


def count_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _is_small(index: Index, rows: int) -> bool:
    """Say whether so little was asked for yet that the compiled search isn't worth its import."""
    global _asked
    _asked += rows * index.donors.size
    return _asked < SMALL and "pipeline.neighbours.kernels" not in sys.modules


def _schedule(groups: int) -> list[list[tuple[int, int]]]:
    """Let each group of blocks meet itself, then each other one, all at once in each round."""
    rounds = [[(group, group) for group in range(groups)]]
    others = list(range(1, groups))
    for turn in range(groups - 1):
        circle = [0, *others[turn:], *others[:turn]]
        rounds.append([(circle[i], circle[groups - 1 - i]) for i in range(groups // 2)])
    return rounds


def _find_by_numpy(
    index: Index, rows: np.ndarray, k: int, owners: np.ndarray, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find neighbours as the compiled search does, sum by sum in the same order."""
    donors, costs = index.donors, index.costs
    distances = np.full((len(wanted), k), np.inf)
    positions = np.full((len(wanted), k), len(donors))
    present = ~np.isnan(donors)
    step = max(1, 40_000 // max(1, len(donors)))
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        here = ~np.isnan(some)
        sums, part = np.zeros((2, len(some), len(donors)))
        shared = np.zeros_like(sums)
        if index.scaled:  # weights of 1: whole numbers, which a product gives exactly
            shared += here.astype(np.float32) @ present.T.astype(np.float32)
        for j in range(donors.shape[1]):
            x, y = some[:, j, None], donors[:, j]
            if costs[j] < 0:
                np.subtract(x, y, out=part)
                np.multiply(part, part, out=part)
                np.fmax(part, 0.0, out=part)  # of NaN and a number the number
            else:
                part = np.where(here[:, j, None] & present[:, j] & (x != y), costs[j], 0.0)
            sums += part
            if not index.scaled:
                shared += np.where(here[:, j, None] & present[:, j], index.weights[j], 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            if index.scaled:
                sums *= index.weight / shared
            else:
                sums += index.weight - shared
        sums[shared <= 0] = np.inf
        first, last = np.searchsorted(owners, [start, start + step])
        columns = wanted[first:last]
        own = sums[owners[first:last] - start]
        own[(columns >= 0)[:, None] & ~present[:, columns].T] = np.inf
        keep_nearest(own, k, distances[first:last], positions[first:last])
    return np.sqrt(distances), positions


def keep_nearest(squares: np.ndarray, k: int, distances: np.ndarray, positions: np.ndarray) -> None:
    """Keep the k smallest of each row, in order; of equal ones the first come first."""
    kth = min(k, squares.shape[1]) - 1
    near = squares <= np.partition(squares, kth, axis=1)[:, kth, None]
    slots, places = np.nonzero(near & np.isfinite(squares))
    order = np.lexsort((places, squares[slots, places], slots))
    slots, places = slots[order], places[order]
    rank = np.arange(len(slots)) - np.searchsorted(slots, slots)
    kept = rank < k
    distances[slots[kept], rank[kept]] = squares[slots[kept], places[kept]]
    positions[slots[kept], rank[kept]] = places[kept]
