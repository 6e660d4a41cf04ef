"""Exact nearest neighbours: of rows among donors, and of donors among themselves."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from pipeline.neighbours.index import Index, as_rows, group_rows

CHUNK = 1024
GROUPS = 32
# Rows for which a second thread is not worth its start.
FEW = 256
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
    rows = as_rows(rows)
    owners, wanted = slots or (np.arange(len(rows)), np.full(len(rows), -1))
    if _is_small(index, len(rows)):
        return _find_by_numpy(index, rows, k, owners, wanted)
    from pipeline.neighbours import kernels

    layout = index.layout
    starts = np.append(0, np.cumsum(np.bincount(owners, minlength=len(rows))))
    distances, positions = _begin(len(wanted), k, index)
    kernels.search(
        rows, starts, np.ascontiguousarray(wanted), index.donors, index.costs, index.weights,
        index.weight, index.scaled, layout.order, layout.lanes, layout.held, layout.uniform,
        layout.low, layout.high, layout.center, layout.scale, layout.radius, layout.reach,
        distances, positions,
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
    distances, positions = _begin(len(index.donors), k, index)
    layout = index.layout
    limits = np.full(layout.order.shape, -1, dtype=np.float32)
    edges = [round(at * len(layout.order) / (2 * threads)) for at in range(2 * threads + 1)]

    def meet(pair: tuple[int, int]) -> None:
        first, second = pair
        if edges[first] == edges[first + 1] or edges[second] == edges[second + 1]:
            return
        kernels.search_among(
            edges[first], edges[first + 1], edges[second], edges[second + 1], index.donors,
            index.costs, index.weights, index.weight, index.scaled, layout.order, layout.lanes,
            layout.low, layout.high, layout.scale, layout.radius, layout.reach, distances,
            positions, limits,
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
    wanting = wanting[group_rows(gaps[wanting])[0]]

    def work(chunk: slice) -> None:
        at = wanting[chunk]
        owners, columns = np.nonzero(gaps[at])
        visit(at[owners], columns, *find_neighbours(index, read(at), k, (owners, columns)))

    map_chunks(work, len(wanting))


def map_chunks(
    work: Callable[[slice], None], length: int, threads: int | None = None, chunk: int = CHUNK
) -> None:
    """Work on chunk after chunk of rows, on several cores.

    Parameters
    ----------
    work
        Called with each chunk, in any thread; its errors are raised here.
    length
        Rows in all.
    threads
        Left out: as many as there are cores.
    chunk
        Rows of a chunk at most; fewer where that keeps all threads at work.
    """
    threads = threads or count_cores()
    chunk = min(chunk, max(FEW, -(-length // threads)))
    chunks = [slice(start, start + chunk) for start in range(0, length, chunk)]
    if len(chunks) == 1:
        return work(chunks[0])
    with ThreadPoolExecutor(threads) as pool:
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


def _begin(count: int, k: int, index: Index) -> tuple[np.ndarray, np.ndarray]:
    """Begin with no donor found: distances that are infinite, and positions after the last one."""
    return np.full((count, k), np.inf), np.full((count, k), len(index.donors), dtype=np.int64)


def _find_by_numpy(
    index: Index, rows: np.ndarray, k: int, owners: np.ndarray, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find neighbours as the compiled search does, sum by sum in the same order."""
    donors, costs = index.donors, index.costs
    turned = np.ascontiguousarray(donors.T)
    distances, positions = _begin(len(wanted), k, index)
    present = ~np.isnan(donors)
    holds = np.zeros((donors.shape[1] + 1, len(donors) + 1), dtype=bool)
    holds[:-1, :-1] = present.T
    holds[-1, :-1] = True  # -1, any donor, takes the last
    step = max(1, 40_000 // max(1, len(donors)))
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        here = ~np.isnan(some)
        sums, part = np.zeros((2, len(some), len(donors)))
        shared = np.zeros_like(sums)
        if index.scaled:  # weights of 1: whole numbers, which a product gives exactly
            shared += here.astype(np.float32) @ present.T.astype(np.float32)
        # Infinitely far is no neighbour.
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            for j in range(donors.shape[1]):
                x, y = some[:, j, None], turned[j]
                both = here[:, j, None] & present[:, j]
                if costs[j] < 0:
                    np.subtract(x, y, out=part)
                    np.multiply(part, part, out=part)
                    np.copyto(part, 0.0, where=np.isnan(part))
                else:
                    part = np.where(both & (x != y), costs[j], 0.0)
                sums += part
                if not index.scaled:
                    shared += np.where(both, index.weights[j], 0.0)
            if index.scaled:
                sums *= index.weight / shared
            else:
                sums += index.weight - shared
        sums[shared <= 0] = np.inf
        first, last = np.searchsorted(owners, [start, start + step])
        _choose(
            sums, holds, owners[first:last] - start, wanted[first:last],
            distances[first:last], positions[first:last],
        )  # fmt: skip
    return np.sqrt(distances), positions


def _choose(
    sums: np.ndarray,
    holds: np.ndarray,
    owners: np.ndarray,
    wanted: np.ndarray,
    distances: np.ndarray,
    positions: np.ndarray,
) -> None:
    """Choose donors for slots out of the nearest of each row, or of all where those are too few.

    ``holds[column, donor]`` says whether a donor has a value; its last row and column, whether it
    is any donor at all.
    """
    k, n_donors = distances.shape[1], sums.shape[1]
    most = min(4 * k, n_donors)
    near = np.full((len(sums), most), np.inf)
    places = np.full((len(sums), most), n_donors)
    keep_nearest(sums, most, near, places)
    usable = holds[wanted[:, None], places[owners]]
    rank = np.cumsum(usable, axis=1)
    slots, at = np.nonzero(usable & (rank <= k))
    distances[slots, rank[slots, at] - 1] = near[owners[slots], at]
    positions[slots, rank[slots, at] - 1] = places[owners[slots], at]
    short = np.flatnonzero((rank[:, -1] < k) & np.isfinite(near[owners, -1]))
    if len(short) and most < n_donors:
        own = np.where(holds[wanted[short], :-1], sums[owners[short]], np.inf)
        some, where = np.full((len(short), k), np.inf), np.full((len(short), k), n_donors)
        keep_nearest(own, k, some, where)
        distances[short], positions[short] = some, where


def keep_nearest(squares: np.ndarray, k: int, distances: np.ndarray, positions: np.ndarray) -> None:
    """Keep the k smallest of each row, in order; of equal ones the first come first.

    Parameters
    ----------
    squares
        Shape ``(n, n_donors)``, float64: squared distances; infinite ones are no neighbours.
    k
        How many are kept.
    distances, positions
        Shape ``(n, k)``, written where there is a neighbour.
    """
    # The k-th smallest of the minima of groups is not below the k-th smallest of all.
    groups = max(GROUPS, 4 * k)
    depth = squares.shape[1] // groups
    minima = squares
    if depth > 1:
        minima = squares[:, : depth * groups].reshape(-1, depth, groups).min(axis=1)
    kth = min(k, minima.shape[1]) - 1
    near = squares <= np.partition(minima, kth, axis=1)[:, kth, None]
    # Of both positions at once numpy takes ten times as long.
    slots, places = np.divmod(np.flatnonzero(near), squares.shape[1])
    found = squares[slots, places]
    order = np.lexsort((places, found, slots))
    order = order[np.isfinite(found[order])]
    slots, places = slots[order], places[order]
    rank = np.arange(len(slots)) - np.searchsorted(slots, slots)
    kept = rank < k
    distances[slots[kept], rank[kept]] = squares[slots[kept], places[kept]]
    positions[slots[kept], rank[kept]] = places[kept]
