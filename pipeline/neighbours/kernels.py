"""The compiled inner loop of the search, by numba.

Distances are first computed in float32, many donors at once, with a margin that covers every
rounding; what passes is computed again in float64 from the values themselves. So the result is that
of a float64 search over all pairs, whatever the order of the donors, their blocks or the threads.

Functions take whole arrays and positions in them: a slice in the inner loop costs more than the
arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

LANES = 256
TILE = 64
# Relative rounding of float32 sums, generously.
UNIT = 2.0**-22
ZERO = np.float32(0)


def _compile(function: Callable[..., Any], **options: Any) -> Any:
    """Compile on first use and keep the machine code on disk, where there is a place for it."""
    try:
        return numba.njit(nogil=True, cache=True, **options)(function)
    except RuntimeError:  # neither the folder of the package nor the user's cache can be written
        return numba.njit(nogil=True, **options)(function)


def _add_squares(sums, row, t, lanes, b, columns, count):  # type: ignore[no-untyped-def]
    """Sum the squared differences of donors without gaps; four columns a pass."""
    first = count % 4
    if first == 0:
        for i in range(LANES):
            sums[i] = ZERO
    elif first == 1:
        j0 = columns[0]
        x0 = row[t, j0]
        for i in range(LANES):
            d0 = x0 - lanes[b, j0, i]
            sums[i] = d0 * d0
    elif first == 2:
        j0, j1 = columns[0], columns[1]
        x0, x1 = row[t, j0], row[t, j1]
        for i in range(LANES):
            d0, d1 = x0 - lanes[b, j0, i], x1 - lanes[b, j1, i]
            sums[i] = d0 * d0 + d1 * d1
    else:
        j0, j1, j2 = columns[0], columns[1], columns[2]
        x0, x1, x2 = row[t, j0], row[t, j1], row[t, j2]
        for i in range(LANES):
            d0, d1, d2 = x0 - lanes[b, j0, i], x1 - lanes[b, j1, i], x2 - lanes[b, j2, i]
            sums[i] = d0 * d0 + d1 * d1 + d2 * d2
    for at in range(first, count, 4):
        j0, j1, j2, j3 = columns[at], columns[at + 1], columns[at + 2], columns[at + 3]
        x0, x1, x2, x3 = row[t, j0], row[t, j1], row[t, j2], row[t, j3]
        for i in range(LANES):
            d0, d1 = x0 - lanes[b, j0, i], x1 - lanes[b, j1, i]
            d2, d3 = x2 - lanes[b, j2, i], x3 - lanes[b, j3, i]
            sums[i] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3)


def _add_known_squares(sums, narrow, t, lanes, b, columns, count):  # type: ignore[no-untyped-def]
    """Sum the squared differences of donors with gaps: a comparison with NaN is false."""
    for i in range(LANES):
        sums[i] = ZERO
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
            sums[i] += (d0 + d1) + (d2 + d3)
        at += 4
    while at < count:
        j0 = columns[t, at]
        x0 = narrow[t, j0]
        for i in range(LANES):
            d0 = x0 - lanes[b, j0, i]
            d0 = d0 * d0
            sums[i] += d0 if d0 > ZERO else ZERO
        at += 1


def _add_mismatch(sums, narrow, t, lanes, b, j, costs):  # type: ignore[no-untyped-def]
    """Add the cost of a category that differs; a missing one costs nothing."""
    x, cost = narrow[t, j], costs[j]
    for i in range(LANES):
        # Lower or higher, and neither beside NaN.
        sums[i] += cost if (lanes[b, j, i] < x) | (lanes[b, j, i] > x) else ZERO


def _allow(allowed, limits, t, lanes, counts, b, columns, count, missing, gaps):  # type: ignore[no-untyped-def]
    """Say how large the sum of each donor may be, by the columns that it shares with the row."""
    if gaps <= count:
        for i in range(LANES):
            allowed[i] = counts[b, i]
        for at in range(gaps):
            j = missing[t, at]
            for i in range(LANES):
                allowed[i] -= np.float32(lanes[b, j, i] == lanes[b, j, i])
    else:
        for i in range(LANES):
            allowed[i] = ZERO
        for at in range(count):
            j = columns[t, at]
            for i in range(LANES):
                allowed[i] += np.float32(lanes[b, j, i] == lanes[b, j, i])
    slope, offset = limits[t, 0], limits[t, 1]
    for i in range(LANES):
        allowed[i] = slope * allowed[i] + offset if allowed[i] > ZERO else np.float32(-1)


def _bound_blocks(bounds, narrow, t, low, high, columns, count, costs):  # type: ignore[no-untyped-def]
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


def _measure(rows, q, donors, p, costs):  # type: ignore[no-untyped-def]
    """Compute the distance of two rows, squared, in float64; NaN where they share no column."""
    n_columns = rows.shape[1]
    total, known = 0.0, 0
    for j in range(n_columns):
        x, y = rows[q, j], donors[p, j]
        both = (x == x) & (y == y)
        known += both
        if costs[j] < 0:
            difference = x - y
            total += difference * difference if both else 0.0
        elif both and x != y:
            total += costs[j]
    return total * (n_columns / known) if known else np.nan


def _find_kth(sums, nearest):  # type: ignore[no-untyped-def]
    """Find the k-th smallest sum of a block; ``nearest`` has k places."""
    k = len(nearest)
    for at in range(k):
        nearest[at] = np.inf
    for i in range(LANES):
        x = sums[i]
        if x < nearest[k - 1]:
            at = k - 1
            while at > 0 and nearest[at - 1] > x:
                nearest[at] = nearest[at - 1]
                at -= 1
            nearest[at] = x
    return nearest[k - 1]


def _insert(distances, positions, s, distance, position):  # type: ignore[no-untyped-def]
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


def _set_limits(limits, t, distances, first, last, scale, slack, columns):  # type: ignore[no-untyped-def]
    """Say how large a float32 sum may be: a part for each shared column, and a margin."""
    worst = 0.0
    for s in range(first, last):
        worst = max(worst, distances[s, distances.shape[1] - 1])
    if worst == np.inf:
        limits[t, 0], limits[t, 1] = np.inf, 0.0
        return
    rounding = 1.0 + (columns + 8) * UNIT
    square = worst * scale * scale
    limits[t, 0] = square / columns * rounding
    limits[t, 1] = (2.0 * np.sqrt(square) * slack + slack * slack) * rounding


def _any_below(sums, limit):  # type: ignore[no-untyped-def]
    """Say whether a donor of a block may be near enough."""
    some = np.int32(0)
    for i in range(LANES):
        some |= np.int32(sums[i] <= limit)
    return some != 0


def _any_allowed(sums, allowed):  # type: ignore[no-untyped-def]
    """Say whether a donor of a block may be near enough, each by a limit of its own."""
    some = np.int32(0)
    for i in range(LANES):
        some |= np.int32(sums[i] <= allowed[i])
    return some != 0


def _take(  # type: ignore[no-untyped-def]
    sums, allowed, first, last, rows, q, donors, order, b, costs, starts, wanted, distances,
    positions,
):  # fmt: skip
    """Measure again, in float64, what may be near enough; return whether something was."""
    found = False
    k = distances.shape[1]
    for i in range(first, last):
        p = order[b, i]
        if sums[i] <= allowed[i] and p >= 0:
            distance = _measure(rows, q, donors, p, costs)
            for s in range(starts[q], starts[q + 1]):
                j = wanted[s]
                if distance <= distances[s, k - 1] and (j < 0 or donors[p, j] == donors[p, j]):
                    _insert(distances, positions, s, distance, p)
                    found = True
    return found


def _find_home(bounds, t, uniform, lanes, wanted, first, last):  # type: ignore[no-untyped-def]
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


def _search(  # type: ignore[no-untyped-def]
    rows, starts, wanted, donors, costs, order, lanes, counts, uniform, low, high,
    center, scale, radius, reach, distances, positions,
):  # fmt: skip
    """Find the nearest donors of each slot of each row.

    Row ``q`` has the slots ``starts[q]`` to ``starts[q + 1]``; a donor counts for a slot if it has
    a value in the column ``wanted[slot]``, or any donor if that is -1.
    """
    n_rows, n_columns = rows.shape
    n_blocks = len(uniform)
    sums = np.empty(LANES, np.float32)
    allowed = np.empty(LANES, np.float32)
    narrow = np.empty((TILE, n_columns), np.float32)
    columns = np.empty((TILE, n_columns), np.int64)
    shared = np.empty(n_columns, np.int64)
    missing = np.empty((TILE, n_columns), np.int64)
    numbers = np.empty(TILE, np.int64)
    count = np.empty(TILE, np.int64)
    slack = np.empty(TILE, np.float64)
    limits = np.empty((TILE, 2), np.float32)
    bounds = np.empty((TILE, n_blocks), np.float32)
    home = np.empty(TILE, np.int64)
    alike = np.empty(TILE, np.bool_)
    nearest = np.empty(distances.shape[1], np.float32)
    narrow_costs = np.empty(n_columns, np.float32)
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
            _set_limits(limits, t, distances, starts[q], starts[q + 1], scale, slack[t], n_columns)
        for step in range(-1, n_blocks):
            shared_numbers, known, previous = 0, 0, -1
            for q in range(first, last):
                t = q - first
                # The nearest block first, so that most others are too far off.
                b = home[t] if step < 0 else step
                near = limits[t, 0] * np.float32(count[t]) + limits[t, 1]
                if count[t] == 0 or step == home[t] or bounds[t, b] > near:
                    continue
                if uniform[b]:
                    if step < 0 or previous < 0 or previous != t - 1 or not alike[t]:
                        shared_numbers, known = 0, 0
                        for at in range(count[t]):
                            j = columns[t, at]
                            if lanes[b, j, 0] == lanes[b, j, 0]:
                                shared[known] = j
                                known += 1
                                shared_numbers += at < numbers[t]
                    previous = t
                    if known == 0:
                        continue
                    _add_squares(sums, narrow, t, lanes, b, shared, shared_numbers)
                else:
                    _add_known_squares(sums, narrow, t, lanes, b, columns, numbers[t])
                for at in range(numbers[t], count[t]):
                    _add_mismatch(sums, narrow, t, lanes, b, columns[t, at], narrow_costs)
                pieces = 1
                if uniform[b]:
                    near = limits[t, 0] * np.float32(known) + limits[t, 1]
                    if step < 0:
                        root = np.sqrt(np.float64(_find_kth(sums, nearest))) + 2.0 * slack[t]
                        near = root * root * (1.0 + (n_columns + 8) * 2.0 * UNIT)
                    if not _any_below(sums, near):
                        continue
                    for i in range(LANES):
                        allowed[i] = near
                elif step < 0:
                    pieces = 8
                for piece in range(pieces):
                    if not uniform[b]:
                        _allow(
                            allowed, limits, t, lanes, counts, b, columns, count[t], missing,
                            n_columns - count[t],
                        )  # fmt: skip
                        if not _any_allowed(sums, allowed):
                            break
                    start, stop = piece * LANES // pieces, (piece + 1) * LANES // pieces
                    if _take(
                        sums, allowed, start, stop, rows, q, donors, order, b, costs,
                        starts, wanted, distances, positions,
                    ):  # fmt: skip
                        _set_limits(
                            limits, t, distances, starts[q], starts[q + 1], scale, slack[t],
                            n_columns,
                        )  # fmt: skip


def _limit(distance, scale, slack, columns):  # type: ignore[no-untyped-def]
    """Say how large a float32 sum over all columns may be, for a distance (squared, float64)."""
    root = np.sqrt(distance) * scale + slack
    return np.float32(root * root * (1.0 + (columns + 8) * UNIT))


def _add_two_squares(one, two, row, q0, q1, lanes, b, columns):  # type: ignore[no-untyped-def]
    """Sum the squared differences of two rows from each donor of a block, without gaps."""
    for i in range(LANES):
        one[i] = ZERO
        two[i] = ZERO
    at = 0
    while at + 3 < len(columns):
        j0, j1, j2, j3 = columns[at], columns[at + 1], columns[at + 2], columns[at + 3]
        x0, x1, x2, x3 = row[q0, j0], row[q0, j1], row[q0, j2], row[q0, j3]
        y0, y1, y2, y3 = row[q1, j0], row[q1, j1], row[q1, j2], row[q1, j3]
        for i in range(LANES):
            z0, z1, z2, z3 = lanes[b, j0, i], lanes[b, j1, i], lanes[b, j2, i], lanes[b, j3, i]
            d0, d1, d2, d3 = x0 - z0, x1 - z1, x2 - z2, x3 - z3
            one[i] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3)
            d0, d1, d2, d3 = y0 - z0, y1 - z1, y2 - z2, y3 - z3
            two[i] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3)
        at += 4
    while at < len(columns):
        j0 = columns[at]
        x0, y0 = row[q0, j0], row[q1, j0]
        for i in range(LANES):
            z0 = lanes[b, j0, i]
            d0 = x0 - z0
            one[i] += d0 * d0
            d0 = y0 - z0
            two[i] += d0 * d0
        at += 1


def _bound_rows(bounds, lanes, a, low, high, b, costs):  # type: ignore[no-untyped-def]
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


def _any_mutual(sums, limit, limits, b):  # type: ignore[no-untyped-def]
    """Say whether a row and a donor of a block may be near enough to each other for one of them."""
    some = np.int32(0)
    for i in range(LANES):
        some |= np.int32(sums[i] <= max(limit, limits[b, i]))
    return some != 0


def _take_mutual(  # type: ignore[no-untyped-def]
    sums, a, q, b, mutual, order, donors, costs, distances, positions, limits, scale, slack
):
    """Measure again, in float64, what may be near enough, and keep it on both sides."""
    k, n_columns = distances.shape[1], donors.shape[1]
    row = order[a, q]
    for i in range(LANES):
        p = order[b, i]
        other = limits[b, i] if mutual else ZERO
        if p < 0 or sums[i] > max(limits[a, q], other):
            continue
        distance = _measure(donors, row, donors, p, costs)
        if distance <= distances[row, k - 1]:
            _insert(distances, positions, row, distance, p)
            limits[a, q] = _limit(distances[row, k - 1], scale, slack, n_columns)
        if mutual and distance <= distances[p, k - 1]:
            _insert(distances, positions, p, distance, row)
            limits[b, i] = _limit(distances[p, k - 1], scale, slack, n_columns)


def _search_among(  # type: ignore[no-untyped-def]
    first_a, last_a, first_b, last_b, donors, costs, order, lanes, low, high, scale, radius, reach,
    distances, positions, limits,
):  # fmt: skip
    """Find the nearest donors of donors without gaps: those of blocks a among blocks b, and back.

    With the same blocks on both sides, results are begun; other pairs of blocks continue them. Two
    calls may run at once if they share no block.
    """
    n_columns = donors.shape[1]
    slack = UNIT * 2.0 * radius + 2.0**-49 * reach
    numbers = np.flatnonzero(costs < 0)
    categories = np.flatnonzero(costs >= 0)
    narrow_costs = (costs * scale * scale).astype(np.float32)
    one, two = np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    row = np.empty((LANES, n_columns), np.float32)
    nearest = np.empty(distances.shape[1], np.float32)
    asking = np.empty(LANES, np.int64)
    bounds = np.empty(LANES, np.float32)
    begin = first_a == first_b
    for a in range(first_a, last_a):
        for j in range(n_columns):
            for q in range(LANES):
                row[q, j] = lanes[a, j, q]
        if begin:
            for q in range(LANES):
                p = order[a, q]
                limits[a, q] = -1.0
                if p < 0:
                    continue
                for at in range(len(nearest)):
                    distances[p, at] = np.inf
                    positions[p, at] = len(donors)
                _add_two_squares(one, two, row, q, q, lanes, a, numbers)
                for at in range(len(categories)):
                    _add_mismatch(one, row, q, lanes, a, categories[at], narrow_costs)
                kth = np.sqrt(np.float64(_find_kth(one, nearest)))
                limits[a, q] = _limit(np.square((kth + slack) / scale), scale, slack, n_columns)
                _take_mutual(
                    one, a, q, a, False, order, donors, costs, distances, positions, limits, scale,
                    slack,
                )  # fmt: skip
    for a in range(first_a, last_a):
        for j in range(n_columns):
            for q in range(LANES):
                row[q, j] = lanes[a, j, q]
        for b in range(a + 1 if begin else first_b, last_b):
            most = np.float32(-1)
            for i in range(LANES):
                most = max(most, limits[b, i])
            _bound_rows(bounds, lanes, a, low, high, b, narrow_costs)
            n_asking = 0
            for q in range(LANES):
                if bounds[q] <= max(limits[a, q], most):
                    asking[n_asking] = q
                    n_asking += 1
            for at in range(0, n_asking, 2):
                q0 = asking[at]
                q1 = asking[min(at + 1, n_asking - 1)]
                _add_two_squares(one, two, row, q0, q1, lanes, b, numbers)
                for c in range(len(categories)):
                    _add_mismatch(one, row, q0, lanes, b, categories[c], narrow_costs)
                    _add_mismatch(two, row, q1, lanes, b, categories[c], narrow_costs)
                if _any_mutual(one, limits[a, q0], limits, b):
                    _take_mutual(
                        one, a, q0, b, True, order, donors, costs, distances, positions, limits,
                        scale, slack,
                    )  # fmt: skip
                if q1 != q0 and _any_mutual(two, limits[a, q1], limits, b):
                    _take_mutual(
                        two, a, q1, b, True, order, donors, costs, distances, positions, limits,
                        scale, slack,
                    )  # fmt: skip


# Fused multiply-adds are allowed where a margin covers them, and nowhere else.
_add_squares = _compile(_add_squares, fastmath={"contract"})
_add_known_squares = _compile(_add_known_squares, fastmath={"contract"})
_add_mismatch = _compile(_add_mismatch)
_add_two_squares = _compile(_add_two_squares, fastmath={"contract"})
_limit = _compile(_limit)
_bound_rows = _compile(_bound_rows, fastmath={"contract"})
_any_mutual = _compile(_any_mutual)
_allow = _compile(_allow)
_bound_blocks = _compile(_bound_blocks, fastmath={"contract"})
_measure = _compile(_measure)
_insert = _compile(_insert)
_find_kth = _compile(_find_kth)
_find_home = _compile(_find_home)
_set_limits = _compile(_set_limits)
_any_below = _compile(_any_below)
_any_allowed = _compile(_any_allowed)
_take = _compile(_take)
_take_mutual = _compile(_take_mutual)
search = _compile(_search)
search_among = _compile(_search_among)
