"""The compiled inner loop of the search, by numba.

Distances are first computed in float32, many donors at once, with a margin that covers every
rounding; what passes is computed again in float64 from the values themselves. So the result is that
of a float64 search over all pairs, whatever the order of the donors, their blocks or the threads.

Functions take whole arrays and positions in them: a slice in the inner loop costs more than the
arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from pipeline.neighbours.index import LANES

TILE = 64
# Donors of a block that are looked at together; a block is a whole number of parts.
PART = 32
# Relative rounding of float32 sums, generously.
UNIT = 2.0**-22
ZERO = np.float32(0)
Function = TypeVar("Function", bound=Callable[..., Any])


def _compile(*, contract: bool = False, keep: bool = False) -> Callable[[Function], Function]:
    """Compile on first use.

    Fused multiply-adds (``contract``) are allowed where a margin covers them, and nowhere else.
    With ``keep`` the machine code, and that of all that it calls, is kept on disk, where there is a
    place for it.
    """
    flags = {"contract"} if contract else False

    def wrap(function: Function) -> Function:
        try:
            made = numba.njit(nogil=True, cache=keep, fastmath=flags)(function)
        except RuntimeError:  # neither the package's folder nor the user's cache can be written
            made = numba.njit(nogil=True, fastmath=flags)(function)
        return cast(Function, made)

    return wrap


@_compile(contract=True)
def _add_two_squares(
    sums: np.ndarray,
    narrow: np.ndarray,
    t0: int,
    t1: int,
    lanes: np.ndarray,
    b: int,
    columns: np.ndarray,
    count: int,
) -> None:
    """Sum the squared differences of two rows from donors without gaps; four columns a pass."""
    at = 0
    if count >= 4:
        j0, j1, j2, j3 = columns[0], columns[1], columns[2], columns[3]
        x0, x1, x2, x3 = narrow[t0, j0], narrow[t0, j1], narrow[t0, j2], narrow[t0, j3]
        y0, y1, y2, y3 = narrow[t1, j0], narrow[t1, j1], narrow[t1, j2], narrow[t1, j3]
        for i in range(LANES):
            z0, z1, z2, z3 = lanes[b, j0, i], lanes[b, j1, i], lanes[b, j2, i], lanes[b, j3, i]
            d0, d1, d2, d3 = x0 - z0, x1 - z1, x2 - z2, x3 - z3
            sums[0, i] = (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3)
            d0, d1, d2, d3 = y0 - z0, y1 - z1, y2 - z2, y3 - z3
            sums[1, i] = (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3)
        at = 4
    else:
        for i in range(LANES):
            sums[0, i] = ZERO
            sums[1, i] = ZERO
    while at + 3 < count:
        j0, j1, j2, j3 = columns[at], columns[at + 1], columns[at + 2], columns[at + 3]
        x0, x1, x2, x3 = narrow[t0, j0], narrow[t0, j1], narrow[t0, j2], narrow[t0, j3]
        y0, y1, y2, y3 = narrow[t1, j0], narrow[t1, j1], narrow[t1, j2], narrow[t1, j3]
        for i in range(LANES):
            z0, z1, z2, z3 = lanes[b, j0, i], lanes[b, j1, i], lanes[b, j2, i], lanes[b, j3, i]
            d0, d1, d2, d3 = x0 - z0, x1 - z1, x2 - z2, x3 - z3
            sums[0, i] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3)
            d0, d1, d2, d3 = y0 - z0, y1 - z1, y2 - z2, y3 - z3
            sums[1, i] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3)
        at += 4
    while at < count:
        j0 = columns[at]
        x0, y0 = narrow[t0, j0], narrow[t1, j0]
        for i in range(LANES):
            z0 = lanes[b, j0, i]
            d0 = x0 - z0
            sums[0, i] += d0 * d0
            d0 = y0 - z0
            sums[1, i] += d0 * d0
        at += 1


@_compile(contract=True)
def _add_known_squares(
    sums: np.ndarray,
    narrow: np.ndarray,
    t: int,
    lanes: np.ndarray,
    b: int,
    columns: np.ndarray,
    count: int,
) -> None:
    """Sum the squared differences of donors with gaps: a comparison with NaN is false."""
    for i in range(LANES):
        sums[0, i] = ZERO
    at = 0
    while at + 3 < count:
        j0, j1, j2, j3 = columns[t, at], columns[t, at + 1], columns[t, at + 2], columns[t, at + 3]
        x0, x1, x2, x3 = narrow[t, j0], narrow[t, j1], narrow[t, j2], narrow[t, j3]
        for i in range(LANES):
            d0, d1 = x0 - lanes[b, j0, i], x1 - lanes[b, j1, i]
            d2, d3 = x2 - lanes[b, j2, i], x3 - lanes[b, j3, i]
            d0, d1, d2, d3 = d0 * d0, d1 * d1, d2 * d2, d3 * d3
            d0 = d0 if d0 > ZERO else ZERO
            d1 = d1 if d1 > ZERO else ZERO
            d2 = d2 if d2 > ZERO else ZERO
            d3 = d3 if d3 > ZERO else ZERO
            sums[0, i] += (d0 + d1) + (d2 + d3)
        at += 4
    while at < count:
        j0 = columns[t, at]
        x0 = narrow[t, j0]
        for i in range(LANES):
            d0 = x0 - lanes[b, j0, i]
            d0 = d0 * d0
            sums[0, i] += d0 if d0 > ZERO else ZERO
        at += 1


@_compile()
def _add_mismatch(
    sums: np.ndarray,
    w: int,
    narrow: np.ndarray,
    t: int,
    lanes: np.ndarray,
    b: int,
    j: int,
    costs: np.ndarray,
) -> None:
    """Add the cost of a category that differs; a missing one costs nothing."""
    x, cost = narrow[t, j], costs[j]
    for i in range(LANES):
        # Lower or higher, and neither beside NaN.
        sums[w, i] += cost if (lanes[b, j, i] < x) | (lanes[b, j, i] > x) else ZERO


@_compile()
def _allow(
    allowed: np.ndarray,
    limits: np.ndarray,
    t: int,
    lanes: np.ndarray,
    held: np.ndarray,
    b: int,
    columns: np.ndarray,
    count: int,
    missing: np.ndarray,
    gaps: int,
    weights: np.ndarray,
    scaled: bool,
) -> None:
    """Say how large the sum of each donor may be, by the columns that it shares with the row."""
    if gaps <= count:
        for i in range(LANES):
            allowed[i] = held[b, i]
        for at in range(gaps):
            j = missing[t, at]
            weight = weights[j]
            for i in range(LANES):
                allowed[i] -= weight if lanes[b, j, i] == lanes[b, j, i] else ZERO
    else:
        for i in range(LANES):
            allowed[i] = ZERO
        for at in range(count):
            j = columns[t, at]
            weight = weights[j]
            for i in range(LANES):
                allowed[i] += weight if lanes[b, j, i] == lanes[b, j, i] else ZERO
    slope, offset = limits[t, 0], limits[t, 1]
    if scaled:
        for i in range(LANES):
            allowed[i] = slope * allowed[i] + offset if allowed[i] > ZERO else np.float32(-1)
    else:
        for i in range(LANES):
            allowed[i] = slope * allowed[i] + offset


@_compile(contract=True)
def _bound_blocks(
    bounds: np.ndarray,
    narrow: np.ndarray,
    t: int,
    low: np.ndarray,
    high: np.ndarray,
    columns: np.ndarray,
    count: int,
    costs: np.ndarray,
) -> None:
    """Find how near a donor of each block can be at most: the distance to the block's box."""
    n_blocks = bounds.shape[1]
    for b in range(n_blocks):
        bounds[t, b] = ZERO
    for at in range(count):
        j = columns[t, at]
        x, cost = narrow[t, j], costs[j]
        for b in range(n_blocks):
            outside = max(low[j, b] - x, x - high[j, b])
            outside = outside if outside > ZERO else ZERO
            if cost < ZERO:
                bounds[t, b] += outside * outside
            else:
                bounds[t, b] += cost if outside > ZERO else ZERO


@_compile()
def _measure(
    rows: np.ndarray,
    q: int,
    donors: np.ndarray,
    p: int,
    costs: np.ndarray,
    weights: np.ndarray,
    weight: float,
    scaled: bool,
) -> float:
    """Compute the distance of two rows, squared, in float64; NaN where they share no column."""
    total, shared = 0.0, 0.0
    for j in range(rows.shape[1]):
        x, y = rows[q, j], donors[p, j]
        both = (x == x) & (y == y)
        shared += weights[j] if both else 0.0
        if costs[j] < 0:
            difference = x - y
            total += difference * difference if both else 0.0
        elif both and x != y:
            total += costs[j]
    if shared <= 0.0:
        return np.nan
    return total * (weight / shared) if scaled else total + (weight - shared)


@_compile()
def _find_kth(sums: np.ndarray, w: int, nearest: np.ndarray) -> float:
    """Find the k-th smallest sum of a block; ``nearest`` has k places."""
    k = len(nearest)
    for at in range(k):
        nearest[at] = np.inf
    for i in range(LANES):
        x = sums[w, i]
        if x < nearest[k - 1]:
            at = k - 1
            while at > 0 and nearest[at - 1] > x:
                nearest[at] = nearest[at - 1]
                at -= 1
            nearest[at] = x
    return float(nearest[k - 1])


@_compile()
def _insert(
    distances: np.ndarray, positions: np.ndarray, s: int, distance: float, position: int
) -> None:
    """Put a donor into its place among the nearest; of equally far ones the first comes first."""
    at = distances.shape[1] - 1
    if distance == distances[s, at] and position > positions[s, at]:
        return
    while at > 0 and (
        distances[s, at - 1] > distance
        or (distances[s, at - 1] == distance and positions[s, at - 1] > position)
    ):
        distances[s, at] = distances[s, at - 1]
        positions[s, at] = positions[s, at - 1]
        at -= 1
    distances[s, at] = distance
    positions[s, at] = position


@_compile()
def _set_limits(
    limits: np.ndarray,
    t: int,
    distances: np.ndarray,
    first: int,
    last: int,
    scale: float,
    slack: float,
    columns: int,
    weight: float,
    scaled: bool,
) -> None:
    """Say how large a float32 sum may be: a part for the weight of shared columns, and the rest."""
    worst = 0.0
    for s in range(first, last):
        worst = max(worst, distances[s, distances.shape[1] - 1])
    if worst == np.inf:
        limits[t, 0], limits[t, 1] = np.inf, 0.0
        return
    rounding = (columns + 8) * UNIT
    square = worst * scale * scale
    margin = (2.0 * np.sqrt(square) * slack + slack * slack) * (1.0 + rounding)
    if not margin < np.inf:  # the row holds a value that float32 does not
        limits[t, 0], limits[t, 1] = np.inf, 0.0
    elif scaled:
        limits[t, 0] = square / weight * (1.0 + rounding)
        limits[t, 1] = margin
    else:
        # What the row and a donor do not share is part of their distance.
        apart = weight * scale * scale
        limits[t, 0] = scale * scale
        limits[t, 1] = square - apart + margin + (square + apart) * rounding


@_compile()
def _any_below(sums: np.ndarray, w: int, limit: float) -> bool:
    """Say whether a donor of a block may be near enough."""
    some = np.int32(0)
    for i in range(LANES):
        some |= np.int32(sums[w, i] <= limit)
    return bool(some != 0)


@_compile()
def _any_allowed(sums: np.ndarray, w: int, allowed: np.ndarray) -> bool:
    """Say whether a donor of a block may be near enough, each by a limit of its own."""
    some = np.int32(0)
    for i in range(LANES):
        some |= np.int32(sums[w, i] <= allowed[i])
    return bool(some != 0)


@_compile()
def _any_allowed_from(sums: np.ndarray, w: int, allowed: np.ndarray, start: int) -> bool:
    """Say so for a part of a block."""
    some = np.int32(0)
    for i in range(PART):
        some |= np.int32(sums[w, start + i] <= allowed[start + i])
    return bool(some != 0)


@_compile()
def _take(
    sums: np.ndarray,
    w: int,
    allowed: np.ndarray,
    first: int,
    last: int,
    rows: np.ndarray,
    q: int,
    donors: np.ndarray,
    order: np.ndarray,
    b: int,
    costs: np.ndarray,
    weights: np.ndarray,
    weight: float,
    scaled: bool,
    starts: np.ndarray,
    wanted: np.ndarray,
    distances: np.ndarray,
    positions: np.ndarray,
) -> bool:
    """Measure again, in float64, what may be near enough; return whether something was."""
    found = False
    k = distances.shape[1]
    for start in range(first, last, PART):
        if not _any_allowed_from(sums, w, allowed, start):
            continue
        for i in range(start, start + PART):
            p = order[b, i]
            if sums[w, i] > allowed[i] or p < 0:
                continue
            distance = _measure(rows, q, donors, p, costs, weights, weight, scaled)
            for s in range(starts[q], starts[q + 1]):
                j = wanted[s]
                if j >= 0 and donors[p, j] != donors[p, j]:
                    continue
                if distance <= distances[s, k - 1] and distance < np.inf:
                    _insert(distances, positions, s, distance, p)
                    found = True
    return found


@_compile()
def _find_home(
    bounds: np.ndarray,
    t: int,
    uniform: np.ndarray,
    lanes: np.ndarray,
    wanted: np.ndarray,
    first: int,
    last: int,
) -> int:
    """Find the block to look at first: the nearest of those that serve all slots of a row."""
    home, nearest = 0, np.inf
    for b in range(len(uniform)):
        if bounds[t, b] >= nearest or not uniform[b]:
            continue
        serves = True
        for s in range(first, last):
            serves = serves and (wanted[s] < 0 or lanes[b, wanted[s], 0] == lanes[b, wanted[s], 0])
        if serves:
            home, nearest = b, bounds[t, b]
    return home


@_compile()
def _asks(limits: np.ndarray, own: np.ndarray, bounds: np.ndarray, t: int, b: int) -> bool:
    """Say whether a block may hold a donor that is near enough to a row."""
    return bool(own[t] > 0 and bounds[t, b] <= limits[t, 0] * own[t] + limits[t, 1])


@_compile(keep=True)
def search(
    rows: np.ndarray,
    starts: np.ndarray,
    wanted: np.ndarray,
    donors: np.ndarray,
    costs: np.ndarray,
    weights: np.ndarray,
    weight: float,
    scaled: bool,
    order: np.ndarray,
    lanes: np.ndarray,
    held: np.ndarray,
    uniform: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    center: np.ndarray,
    scale: float,
    radius: float,
    reach: float,
    distances: np.ndarray,
    positions: np.ndarray,
) -> None:
    """Find the nearest donors of each slot of each row.

    Row ``q`` has the slots ``starts[q]`` to ``starts[q + 1]``; a donor counts for a slot if it has
    a value in the column ``wanted[slot]``, or any donor if that is -1.
    """
    n_rows, n_columns = rows.shape
    n_blocks = len(uniform)
    sums = np.empty((2, LANES), np.float32)
    allowed = np.empty(LANES, np.float32)
    narrow = np.empty((TILE, n_columns), np.float32)
    columns = np.empty((TILE, n_columns), np.int64)
    shared = np.empty(n_columns, np.int64)
    missing = np.empty((TILE, n_columns), np.int64)
    numbers = np.empty(TILE, np.int64)
    count = np.empty(TILE, np.int64)
    own = np.empty(TILE, np.float32)
    slack = np.empty(TILE, np.float64)
    limits = np.empty((TILE, 2), np.float32)
    bounds = np.empty((TILE, n_blocks), np.float32)
    home = np.empty(TILE, np.int64)
    alike = np.empty(TILE, np.bool_)
    nearest = np.empty(distances.shape[1], np.float32)
    narrow_costs = np.empty(n_columns, np.float32)
    narrow_weights = weights.astype(np.float32)
    for j in range(n_columns):
        narrow_costs[j] = costs[j] * scale * scale if costs[j] >= 0 else -1.0
    for first in range(0, n_rows, TILE):
        last = min(first + TILE, n_rows)
        for q in range(first, last):
            t = q - first
            at, gaps, norm, size = 0, 0, 0.0, 0.0
            for j in range(n_columns):
                x = rows[q, j]
                if x == x and costs[j] < 0:
                    narrow[t, j] = (x - center[j]) * scale
                    norm += np.float64(narrow[t, j]) ** 2
                    size += (x * scale) ** 2
                    columns[t, at] = j
                    at += 1
            numbers[t] = at
            for j in range(n_columns):
                x = rows[q, j]
                if x == x and costs[j] >= 0:
                    narrow[t, j] = x
                    columns[t, at] = j
                    at += 1
                if x != x:
                    missing[t, gaps] = j
                    gaps += 1
            count[t] = at
            own[t] = ZERO
            for place in range(at):
                own[t] += narrow_weights[columns[t, place]]
            # What rounding to float32, and centring in float64, may have moved.
            slack[t] = UNIT * (np.sqrt(norm) + radius) + 2.0**-50 * (np.sqrt(size) + reach)
            _bound_blocks(bounds, narrow, t, low, high, columns, at, narrow_costs)
            home[t] = _find_home(bounds, t, uniform, lanes, wanted, starts[q], starts[q + 1])
            alike[t] = t > 0 and count[t] == count[t - 1]
            for at in range(count[t]):
                alike[t] = alike[t] and columns[t, at] == columns[t - 1, at]
            for s in range(starts[q], starts[q + 1]):
                for at in range(distances.shape[1]):
                    distances[s, at] = np.inf
                    positions[s, at] = len(donors)
            _set_limits(
                limits, t, distances, starts[q], starts[q + 1], scale, slack[t], n_columns, weight,
                scaled,
            )  # fmt: skip
        for step in range(-1, n_blocks):
            numbers_shared, known, previous, ready = 0, 0, -1, -1
            common = ZERO
            for q in range(first, last):
                t = q - first
                # The nearest block first, so that most others are too far off.
                b = home[t] if step < 0 else step
                if step == home[t] or not _asks(limits, own, bounds, t, b):
                    continue
                w = 0
                if t == ready:
                    w = 1
                elif uniform[b]:
                    if step < 0 or previous != t - 1 or not alike[t]:
                        numbers_shared, known, common = 0, 0, ZERO
                        for at in range(count[t]):
                            j = columns[t, at]
                            if lanes[b, j, 0] == lanes[b, j, 0]:
                                shared[known] = j
                                known += 1
                                common += narrow_weights[j]
                                numbers_shared += at < numbers[t]
                    # The next row is measured along with this one, if it has the same gaps.
                    ready = -1
                    if step >= 0 and q + 1 < last and alike[t + 1] and step != home[t + 1]:
                        ready = t + 1 if _asks(limits, own, bounds, t + 1, b) else -1
                    _add_two_squares(
                        sums, narrow, t, max(t, ready), lanes, b, shared, numbers_shared
                    )
                else:
                    _add_known_squares(sums, narrow, t, lanes, b, columns, numbers[t])
                previous = t
                for at in range(numbers[t], count[t]):
                    _add_mismatch(sums, w, narrow, t, lanes, b, columns[t, at], narrow_costs)
                pieces = 1
                if uniform[b]:
                    if known == 0:
                        continue
                    near = limits[t, 0] * common + limits[t, 1]
                    if step < 0:
                        root = np.sqrt(np.float64(_find_kth(sums, w, nearest))) + 2.0 * slack[t]
                        near = root * root * (1.0 + (n_columns + 8) * 2.0 * UNIT)
                        if not scaled:  # beside it, small sums are rounded to the same distance
                            near += weight * scale * scale * UNIT
                    if not _any_below(sums, w, near):
                        continue
                    for i in range(LANES):
                        allowed[i] = near
                elif step < 0:
                    pieces = 8
                for piece in range(pieces):
                    if not uniform[b]:
                        _allow(
                            allowed, limits, t, lanes, held, b, columns, count[t], missing,
                            n_columns - count[t], narrow_weights, scaled,
                        )  # fmt: skip
                        if not _any_allowed(sums, w, allowed):
                            break
                    start, stop = piece * LANES // pieces, (piece + 1) * LANES // pieces
                    if _take(
                        sums, w, allowed, start, stop, rows, q, donors, order, b, costs, weights,
                        weight, scaled, starts, wanted, distances, positions,
                    ):  # fmt: skip
                        _set_limits(
                            limits, t, distances, starts[q], starts[q + 1], scale, slack[t],
                            n_columns, weight, scaled,
                        )  # fmt: skip


@_compile()
def _limit(distance: float, scale: float, slack: float, columns: int) -> float:
    """Say how large a float32 sum over all columns may be, for a distance (squared, float64)."""
    root = np.sqrt(distance) * scale + slack
    return float(root * root * (1.0 + (columns + 8) * UNIT))


@_compile()
def _read_block(row: np.ndarray, lanes: np.ndarray, a: int) -> None:
    """Read the rows of a block, which lie column by column."""
    for j in range(row.shape[1]):
        for q in range(LANES):
            row[q, j] = lanes[a, j, q]


@_compile(contract=True)
def _bound_rows(
    bounds: np.ndarray,
    lanes: np.ndarray,
    a: int,
    low: np.ndarray,
    high: np.ndarray,
    b: int,
    costs: np.ndarray,
) -> None:
    """Find how near the rows of one block can be to another block's box."""
    for i in range(LANES):
        bounds[i] = ZERO
    for j in range(len(costs)):
        below, above, cost = low[j, b], high[j, b], costs[j]
        for i in range(LANES):
            x = lanes[a, j, i]
            outside = max(below - x, x - above)
            outside = outside if outside > ZERO else ZERO
            if cost < ZERO:
                bounds[i] += outside * outside
            else:
                bounds[i] += cost if outside > ZERO else ZERO


@_compile()
def _any_of_two(
    sums: np.ndarray, limit_0: float, limit_1: float, limits: np.ndarray, b: int
) -> bool:
    """Say whether two rows, or a donor of a block and one of them, may be near enough."""
    some = np.int32(0)
    for i in range(LANES):
        other = limits[b, i]
        some |= np.int32(sums[0, i] <= max(limit_0, other))
        some |= np.int32(sums[1, i] <= max(limit_1, other))
    return bool(some != 0)


@_compile()
def _any_mutual(sums: np.ndarray, w: int, limit: float, limits: np.ndarray, b: int) -> bool:
    """Say whether a row and a donor of a block may be near enough to each other for one of them."""
    some = np.int32(0)
    for i in range(LANES):
        some |= np.int32(sums[w, i] <= max(limit, limits[b, i]))
    return bool(some != 0)


@_compile()
def _take_mutual(
    sums: np.ndarray,
    w: int,
    a: int,
    q: int,
    b: int,
    mutual: bool,
    order: np.ndarray,
    donors: np.ndarray,
    costs: np.ndarray,
    weights: np.ndarray,
    weight: float,
    scaled: bool,
    distances: np.ndarray,
    positions: np.ndarray,
    limits: np.ndarray,
    scale: float,
    slack: float,
) -> None:
    """Measure again, in float64, what may be near enough, and keep it on both sides."""
    k, n_columns = distances.shape[1], donors.shape[1]
    row = order[a, q]
    for i in range(LANES):
        other = limits[b, i] if mutual else ZERO
        if sums[w, i] > max(limits[a, q], other):
            continue
        p = order[b, i]
        if p < 0:
            continue
        distance = _measure(donors, row, donors, p, costs, weights, weight, scaled)
        if distance == np.inf:
            continue
        if distance <= distances[row, k - 1]:
            _insert(distances, positions, row, distance, p)
            limits[a, q] = _limit(distances[row, k - 1], scale, slack, n_columns)
        if mutual and distance <= distances[p, k - 1]:
            _insert(distances, positions, p, distance, row)
            limits[b, i] = _limit(distances[p, k - 1], scale, slack, n_columns)


@_compile(keep=True)
def search_among(
    first_a: int,
    last_a: int,
    first_b: int,
    last_b: int,
    donors: np.ndarray,
    costs: np.ndarray,
    weights: np.ndarray,
    weight: float,
    scaled: bool,
    order: np.ndarray,
    lanes: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    scale: float,
    radius: float,
    reach: float,
    distances: np.ndarray,
    positions: np.ndarray,
    limits: np.ndarray,
) -> None:
    """Find the nearest donors of donors without gaps: those of blocks a among blocks b, and back.

    With the same blocks on both sides, results are begun; other pairs of blocks continue them. Two
    calls may run at once if they share no block.
    """
    n_columns = donors.shape[1]
    slack = UNIT * 2.0 * radius + 2.0**-49 * reach
    numbers = np.flatnonzero(costs < 0)
    categories = np.flatnonzero(costs >= 0)
    narrow_costs = (costs * scale * scale).astype(np.float32)
    sums = np.empty((2, LANES), np.float32)
    row = np.empty((LANES, n_columns), np.float32)
    nearest = np.empty(distances.shape[1], np.float32)
    asking = np.empty(LANES, np.int64)
    bounds = np.empty(LANES, np.float32)
    begin = first_a == first_b
    if begin:
        for a in range(first_a, last_a):
            _read_block(row, lanes, a)
            for q in range(LANES):
                p = order[a, q]
                limits[a, q] = -1.0
                if p < 0:
                    continue
                for at in range(len(nearest)):
                    distances[p, at] = np.inf
                    positions[p, at] = len(donors)
                _add_two_squares(sums, row, q, q, lanes, a, numbers, len(numbers))
                for at in range(len(categories)):
                    _add_mismatch(sums, 0, row, q, lanes, a, categories[at], narrow_costs)
                kth = np.sqrt(np.float64(_find_kth(sums, 0, nearest)))
                limits[a, q] = _limit(np.square((kth + slack) / scale), scale, slack, n_columns)
                _take_mutual(
                    sums, 0, a, q, a, False, order, donors, costs, weights, weight, scaled,
                    distances, positions, limits, scale, slack,
                )  # fmt: skip
    for a in range(first_a, last_a):
        _read_block(row, lanes, a)
        for b in range(a + 1 if begin else first_b, last_b):
            most = np.float32(-1)
            for i in range(LANES):
                most = max(most, limits[b, i])
            _bound_rows(bounds, lanes, a, low, high, b, narrow_costs)
            n_asking = 0
            for q in range(LANES):
                if order[a, q] >= 0 and bounds[q] <= max(limits[a, q], most):
                    asking[n_asking] = q
                    n_asking += 1
            for at in range(0, n_asking, 2):
                q0 = asking[at]
                q1 = asking[min(at + 1, n_asking - 1)]
                _add_two_squares(sums, row, q0, q1, lanes, b, numbers, len(numbers))
                for c in range(len(categories)):
                    _add_mismatch(sums, 0, row, q0, lanes, b, categories[c], narrow_costs)
                    _add_mismatch(sums, 1, row, q1, lanes, b, categories[c], narrow_costs)
                if not _any_of_two(sums, limits[a, q0], limits[a, q1], limits, b):
                    continue
                if _any_mutual(sums, 0, limits[a, q0], limits, b):
                    _take_mutual(
                        sums, 0, a, q0, b, True, order, donors, costs, weights, weight, scaled,
                        distances, positions, limits, scale, slack,
                    )  # fmt: skip
                if q1 != q0 and _any_mutual(sums, 1, limits[a, q1], limits, b):
                    _take_mutual(
                        sums, 1, a, q1, b, True, order, donors, costs, weights, weight, scaled,
                        distances, positions, limits, scale, slack,
                    )  # fmt: skip
