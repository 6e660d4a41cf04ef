"""The compiled inner loop of the search, by numba.

Distances are first computed in float32, many donors at once, with a margin that covers every
rounding; what passes is computed again in float64 from the values themselves. So the result is that
of a float64 search over all pairs, whatever the order of the donors, their blocks or the threads.

Functions take whole arrays and positions in them: a slice in the inner loop costs more than the
arithmetic. So does a branch in a function that is called there, also one hidden in "and" and "or":
numba counts references of arrays around it, atomically.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from pipeline.neighbours.index import LANES

TILE = 64
# Donors of a block that are looked at together; a block is a whole number of parts.
PART = 16
# Relative rounding of float32 sums, generously.
UNIT = 2.0**-22
# Rounding of float32 sums that are almost nothing, generously, and sums that it surely holds.
LEAST = 2.0**-146
MOST = 1e37
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


@_compile(keep=True)
def lay_blocks(
    donors: np.ndarray,
    order: np.ndarray,
    center: np.ndarray,
    factors: np.ndarray,
    numeric: np.ndarray,
    weights: np.ndarray,
    lanes: np.ndarray,
    held: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
) -> tuple[float, float]:
    """Write blocks of donors, and the box around each; see ``index.Layout``.

    Returns the largest norms of a row: centred and scaled, and scaled only.

    Parameters
    ----------
    donors
        Shape ``(n_donors, n_columns)``, float64; NaN is missing.
    order
        Shape ``(n_blocks, LANES)``: which donor goes to which place, -1 for none.
    center, factors, numeric
        Shape ``(n_columns,)``: what is taken from values, what they are multiplied by, and whether
        they are numbers.
    weights
        Shape ``(n_columns,)``: summed over the columns that a donor has.
    lanes, held, low, high
        Written, see ``index.DonorLayout``.
    """
    norm, size = 0.0, 0.0
    square, squares = np.empty(LANES), np.empty(LANES)
    for b in range(len(order)):
        square[:] = 0.0
        squares[:] = 0.0
        held[b] = ZERO
        for j in range(donors.shape[1]):
            least, most = np.float32(np.inf), np.float32(-np.inf)
            for i in range(LANES):
                p = order[b, i]
                if p < 0:
                    lanes[b, j, i] = np.inf  # no sum over infinity is ever small
                    continue
                x = donors[p, j]
                value = np.float32((x - center[j]) * factors[j])
                lanes[b, j, i] = value
                if x != x:
                    least, most = np.float32(-np.inf), np.float32(np.inf)
                    continue
                held[b, i] += np.float32(weights[j])
                least, most = min(least, value), max(most, value)
                if numeric[j]:
                    square[i] += np.float64(value) ** 2
                    squares[i] += (x * factors[j]) ** 2
            low[j, b], high[j, b] = least, most
        norm, size = max(norm, square.max()), max(size, squares.max())
    return np.sqrt(norm), np.sqrt(size)


@_compile(contract=True)
def _add_square(total: float, x: float, z: float) -> float:
    """Add the squared difference of two values."""
    difference = x - z
    return total + difference * difference


@_compile(contract=True)
def _add_known_square(total: float, x: float, z: float) -> float:
    """Add the squared difference of a value and another that may be missing."""
    difference = x - z
    return total + difference * difference if z == z else total


def _make_adder(add: Callable[[float, float, float], float], two: bool) -> Callable[..., None]:
    """Make what sums the squared differences of one or two rows from a block of donors."""

    @_compile(contract=True)
    def add_squares(
        sums: np.ndarray,
        rows: np.ndarray,
        t0: int,
        t1: int,
        lanes: np.ndarray,
        b: int,
        columns: np.ndarray,
        count: int,
    ) -> None:
        for i in range(LANES):
            sums[0, i] = ZERO
            if two:
                sums[1, i] = ZERO
        at = 0
        # Four columns a pass, since sums are fetched and put back in each.
        while at + 3 < count:
            j0, j1, j2, j3 = columns[at], columns[at + 1], columns[at + 2], columns[at + 3]
            x0, x1, x2, x3 = rows[t0, j0], rows[t0, j1], rows[t0, j2], rows[t0, j3]
            y0, y1, y2, y3 = rows[t1, j0], rows[t1, j1], rows[t1, j2], rows[t1, j3]
            for i in range(LANES):
                z0, z1, z2, z3 = lanes[b, j0, i], lanes[b, j1, i], lanes[b, j2, i], lanes[b, j3, i]
                sums[0, i] = add(add(add(add(sums[0, i], x0, z0), x1, z1), x2, z2), x3, z3)
                if two:
                    sums[1, i] = add(add(add(add(sums[1, i], y0, z0), y1, z1), y2, z2), y3, z3)
            at += 4
        while at < count:
            j0 = columns[at]
            x0, y0 = rows[t0, j0], rows[t1, j0]
            for i in range(LANES):
                z0 = lanes[b, j0, i]
                sums[0, i] = add(sums[0, i], x0, z0)
                if two:
                    sums[1, i] = add(sums[1, i], y0, z0)
            at += 1

    return add_squares


_add_squares = _make_adder(_add_square, two=False)
_add_two_squares = _make_adder(_add_square, two=True)
_add_known_squares = _make_adder(_add_known_square, two=False)
_add_two_known_squares = _make_adder(_add_known_square, two=True)


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
    weights: np.ndarray,
    scaled: bool,
) -> None:
    """Say how large the sum of each donor may be, by the columns that it shares with the row."""
    # The columns that the row has are added, or those that it lacks taken away: the fewer of them.
    n_columns = columns.shape[1]
    adds = 2 * count <= n_columns
    first, last = (0, count) if adds else (count, n_columns)
    start, sign = (ZERO, np.float32(1)) if adds else (np.float32(1), np.float32(-1))
    for i in range(LANES):
        allowed[i] = start * held[b, i]
    for at in range(first, last):
        j = columns[t, at]
        weight = sign * weights[j]
        for i in range(LANES):
            allowed[i] += weight if lanes[b, j, i] == lanes[b, j, i] else ZERO
    slope, offset, always = limits[t, 0], limits[t, 1], not scaled
    for i in range(LANES):
        fits = slope * allowed[i] + offset
        allowed[i] = fits if always | (allowed[i] > ZERO) else np.float32(-1)


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
        known = np.float64((x == x) & (y == y))
        shared += weights[j] * known
        if costs[j] < 0:
            difference = x - y
            total += difference * difference if known > 0.0 else 0.0
        else:
            total += costs[j] * known if x != y else 0.0
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
    if (distance == distances[s, at]) & (position > positions[s, at]):
        return
    while at > 0:
        near, place = distances[s, at - 1], positions[s, at - 1]
        if (near < distance) | ((near == distance) & (place < position)):
            break
        distances[s, at] = near
        positions[s, at] = place
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
    rounding = (columns + 8) * UNIT
    square = worst * scale * scale
    # What the row and a donor do not share is part of their distance, if that is not scaled.
    slope = square / weight * (1.0 + rounding) if scaled else scale * scale
    apart = 0.0 if scaled else weight * scale * scale
    margin = (2.0 * np.sqrt(square) * slack + slack * slack) * (1.0 + rounding)
    margin += (columns + 8) * LEAST
    if not (slope + square + apart + margin < MOST):  # beyond float32, or no limit yet
        limits[t, 0], limits[t, 1] = 0.0, np.inf
    elif scaled:
        limits[t, 0], limits[t, 1] = slope, margin
    else:
        limits[t, 0] = slope
        limits[t, 1] = square - apart + margin + (square + apart) * rounding


@_compile()
def _any_below(sums: np.ndarray, w: int, limit: np.float32) -> bool:
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
def _any_allowed_in(parts: np.ndarray, w: int, allowed: np.ndarray, part: int) -> bool:
    """Say so for a part of a block."""
    some = np.int32(0)
    for i in range(PART):
        some |= np.int32(parts[w, part, i] <= allowed[part, i])
    return bool(some != 0)


@_compile()
def _collect(
    parts: np.ndarray,
    w: int,
    allowed: np.ndarray,
    first: int,
    last: int,
    order: np.ndarray,
    b: int,
    places: np.ndarray,
    held: int,
) -> int:
    """Note which donors of some parts of a block may be near enough; return how many there are."""
    for part in range(first, last):
        if _any_allowed_in(parts, w, allowed, part):
            for i in range(PART):
                places[held] = order[b, part * PART + i]
                held += parts[w, part, i] <= allowed[part, i]
    return held


@_compile()
def _measure_noted(
    rows: np.ndarray,
    owners: np.ndarray,
    donors: np.ndarray,
    places: np.ndarray,
    first: int,
    last: int,
    costs: np.ndarray,
    weights: np.ndarray,
    weight: float,
    scaled: bool,
    exact: np.ndarray,
) -> None:
    """Measure again, in float64, what was noted.

    One after another, with no decision between, so that the processor fetches several at once.
    """
    for at in range(first, last):
        distance = _measure(rows, owners[at], donors, places[at], costs, weights, weight, scaled)
        exact[at] = distance if places[at] >= 0 else np.inf


@_compile()
def _keep_noted(
    q: int,
    donors: np.ndarray,
    places: np.ndarray,
    exact: np.ndarray,
    first: int,
    last: int,
    starts: np.ndarray,
    wanted: np.ndarray,
    distances: np.ndarray,
    positions: np.ndarray,
    limits: np.ndarray,
    t: int,
    scale: float,
    slack: float,
    weight: float,
    scaled: bool,
) -> None:
    """Keep the donors noted for a row that are near enough, and say how near others have to be."""
    found = False
    k = distances.shape[1]
    for at in range(first, last):
        p, distance = places[at], exact[at]
        for s in range(starts[q], starts[q + 1]):
            j = wanted[s]
            serves = (j < 0) | (donors[p, j] == donors[p, j])
            if serves & (distance <= distances[s, k - 1]) & (distance < np.inf):
                _insert(distances, positions, s, distance, p)
                found = True
    if found:
        _set_limits(
            limits, t, distances, starts[q], starts[q + 1], scale, slack, donors.shape[1], weight,
            scaled,
        )  # fmt: skip


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
    return bool((own[t] > ZERO) & (bounds[t, b] <= limits[t, 0] * own[t] + limits[t, 1]))


@_compile()
def _read_row(
    rows: np.ndarray,
    q: int,
    costs: np.ndarray,
    center: np.ndarray,
    scale: float,
    narrow: np.ndarray,
    t: int,
    columns: np.ndarray,
    numbers: np.ndarray,
    count: np.ndarray,
) -> tuple[float, float]:
    """Read a row: its values in float32, and its columns: numbers, then categories, then gaps.

    Returns its norms: centred and scaled, and scaled only.
    """
    at, norm, size = 0, 0.0, 0.0
    for j in range(len(costs)):
        x = rows[q, j]
        if x == x and costs[j] < 0:
            narrow[t, j] = (x - center[j]) * scale
            norm += np.float64(narrow[t, j]) ** 2
            size += (x * scale) ** 2
            columns[t, at] = j
            at += 1
    numbers[t] = at
    for j in range(len(costs)):
        if rows[q, j] == rows[q, j] and costs[j] >= 0:
            narrow[t, j] = rows[q, j]
            columns[t, at] = j
            at += 1
    count[t] = at
    for j in range(len(costs)):
        if rows[q, j] != rows[q, j]:
            columns[t, at] = j
            at += 1
    return np.sqrt(norm), np.sqrt(size)


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
    """Find the nearest donors of each slot of each row; no distance is known yet, and so infinite.

    Row ``q`` has the slots ``starts[q]`` to ``starts[q + 1]``; a donor counts for a slot if it has
    a value in the column ``wanted[slot]``, or any donor if that is -1.

    Most pairs are far apart, and to see that a rough sum is enough: float32 takes half the memory
    of float64, and the processor adds twice as many at a time. A sum is compared with a limit that
    no true neighbour can pass, whatever was rounded; what is within is measured in float64. Donors
    lie in blocks, near ones together, so that the box around a block rules out all of them by one
    comparison. Rows are taken by tiles, so that a block is read once for many rows.

    Parameters
    ----------
    rows
        Shape ``(n_rows, n_columns)``, float64; NaN is missing.
    starts
        Shape ``(n_rows + 1,)``: where the slots of each row begin.
    wanted
        Shape ``(n_slots,)``: a column, or -1.
    donors, costs, weights, weight, scaled
        What distances are made of, see ``index.Index``.
    order, lanes, held, uniform, low, high, center, scale
        The donors in blocks, see ``index.DonorLayout``.
    radius, reach
        The largest norm of a donor, centred and scaled, and scaled only: how far rounding in
        float32, and centring in float64, may move a sum.
    distances, positions
        Shape ``(n_slots, k)``, written, the nearest first: squared distances, infinite at the
        start, and the donors' positions, ``n_donors`` at the start.
    """
    n_rows, n_columns = rows.shape
    n_blocks = len(uniform)
    sums = np.empty((2, LANES), np.float32)
    parts = sums.reshape(2, LANES // PART, PART)
    allowed = np.empty(LANES, np.float32)
    allowed_parts = allowed.reshape(LANES // PART, PART)
    narrow = np.empty((TILE, n_columns), np.float32)
    columns = np.empty((TILE, n_columns), np.int64)
    shared = np.empty(n_columns, np.int64)
    numbers = np.empty(TILE, np.int64)
    count = np.empty(TILE, np.int64)
    own = np.empty(TILE, np.float32)
    slack = np.empty(TILE, np.float64)
    # How large a sum may be to be looked at: from the farthest neighbour kept so far, so that it
    # shrinks as nearer ones are found. A factor for the weight of shared columns, and the rest.
    limits = np.empty((TILE, 2), np.float32)
    # How near a block's box is to a row: a block that is farther off than the limit is not read.
    bounds = np.empty((TILE, n_blocks), np.float32)
    home = np.empty(TILE, np.int64)
    # What the rows of a tile noted in one step, and where that of each row ends.
    places, owners = np.empty((2, TILE * LANES + 1), np.int64)
    exact = np.empty(TILE * LANES, np.float64)
    ends = np.empty(TILE, np.int64)
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
            norm, size = _read_row(
                rows, q, costs, center, scale, narrow, t, columns, numbers, count
            )
            own[t] = ZERO
            for at in range(count[t]):
                own[t] += narrow_weights[columns[t, at]]
            # What rounding to float32, and centring in float64, may have moved: it grows with the
            # norms of the row and of the largest donor, ``radius``, and those before centring.
            slack[t] = UNIT * (norm + radius) + 2.0**-50 * (size + reach)
            _bound_blocks(bounds, narrow, t, low, high, columns, count[t], narrow_costs)
            home[t] = _find_home(bounds, t, uniform, lanes, wanted, starts[q], starts[q + 1])
            alike[t] = t > 0 and count[t] == count[t - 1]
            for at in range(count[t]):
                alike[t] = alike[t] and columns[t, at] == columns[t - 1, at]
            _set_limits(
                limits, t, distances, starts[q], starts[q + 1], scale, slack[t], n_columns, weight,
                scaled,
            )  # fmt: skip
        for step in range(-1, n_blocks):
            numbers_shared, known, previous, ready = 0, 0, -1, -1
            common = ZERO
            noted = 0
            for q in range(first, last):
                t = q - first
                ends[t] = noted
                # The nearest block first, so that most others are too far off.
                b = home[t] if step < 0 else step
                if step == home[t] or not _asks(limits, own, bounds, t, b):
                    continue
                w = 0
                if t == ready:
                    w = 1
                else:
                    if step < 0 or previous != t - 1 or not alike[t]:
                        numbers_shared, known, common = 0, 0, ZERO
                        for at in range(count[t]):
                            j = columns[t, at]
                            if not uniform[b] or lanes[b, j, 0] == lanes[b, j, 0]:
                                shared[known] = j
                                known += 1
                                common += narrow_weights[j]
                                numbers_shared += at < numbers[t]
                    # The next row is measured along with this one, if it has the same gaps.
                    ready = -1
                    if step >= 0 and q + 1 < last and alike[t + 1] and step != home[t + 1]:
                        ready = t + 1 if _asks(limits, own, bounds, t + 1, b) else -1
                    if uniform[b] and ready < 0:
                        _add_squares(sums, narrow, t, t, lanes, b, shared, numbers_shared)
                    elif uniform[b]:
                        _add_two_squares(sums, narrow, t, ready, lanes, b, shared, numbers_shared)
                    elif ready < 0:
                        _add_known_squares(sums, narrow, t, t, lanes, b, shared, numbers_shared)
                    else:
                        _add_two_known_squares(
                            sums, narrow, t, ready, lanes, b, shared, numbers_shared
                        )
                previous = t
                for at in range(numbers[t], count[t]):
                    _add_mismatch(sums, w, narrow, t, lanes, b, columns[t, at], narrow_costs)
                pieces = 1
                if uniform[b]:
                    if known == 0:
                        continue
                    near = np.float32(limits[t, 0] * common + limits[t, 1])
                    if step < 0:
                        root = np.sqrt(np.float64(_find_kth(sums, w, nearest))) + 2.0 * slack[t]
                        least = root * root * (1.0 + (n_columns + 8) * 2.0 * UNIT)
                        if not scaled:  # beside it, small sums are rounded to the same distance
                            least += weight * scale * scale * UNIT
                        near = np.float32(least + (n_columns + 8) * LEAST)
                    if not _any_below(sums, w, near):
                        continue
                    for i in range(LANES):
                        allowed[i] = near
                elif step < 0:
                    pieces = 8
                for piece in range(pieces):
                    if not uniform[b]:
                        _allow(
                            allowed, limits, t, lanes, held, b, columns, count[t], narrow_weights,
                            scaled,
                        )  # fmt: skip
                        if not _any_allowed(sums, w, allowed):
                            break
                    start = piece * LANES // PART // pieces
                    stop = (piece + 1) * LANES // PART // pieces
                    end = _collect(parts, w, allowed_parts, start, stop, order, b, places, noted)
                    for at in range(noted, end):
                        owners[at] = q
                    if pieces == 1:
                        noted = end
                    else:
                        _measure_noted(
                            rows, owners, donors, places, noted, end, costs, weights, weight,
                            scaled, exact,
                        )  # fmt: skip
                        _keep_noted(
                            q, donors, places, exact, noted, end, starts, wanted, distances,
                            positions, limits, t, scale, slack[t], weight, scaled,
                        )  # fmt: skip
                ends[t] = noted
            # What all rows of the tile noted in this block is measured together: donors lie apart
            # in memory, and so the processor waits for many of them at a time.
            _measure_noted(
                rows, owners, donors, places, 0, noted, costs, weights, weight, scaled, exact
            )
            noted = 0
            for t in range(last - first):
                if ends[t] > noted:
                    _keep_noted(
                        first + t, donors, places, exact, noted, ends[t], starts, wanted, distances,
                        positions, limits, t, scale, slack[t], weight, scaled,
                    )  # fmt: skip
                noted = ends[t]


@_compile()
def _limit(distance: float, scale: float, slack: float, columns: int) -> float:
    """Say how large a float32 sum over all columns may be, for a distance (squared, float64)."""
    root = np.sqrt(distance) * scale + slack
    return float(root * root * (1.0 + (columns + 8) * UNIT) + (columns + 8) * LEAST)


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
def _note_mutual(
    parts: np.ndarray, w: int, limit: float, limits: np.ndarray, b: int, noted: np.ndarray
) -> int:
    """Note which donors of a block may be near enough to a row, or it to them; return how many."""
    held = 0
    for part in range(LANES // PART):
        some = np.int32(0)
        for i in range(PART):
            some |= np.int32(parts[w, part, i] <= max(limit, limits[b, part, i]))
        if some != 0:
            for i in range(PART):
                noted[held] = part * PART + i
                held += parts[w, part, i] <= max(limit, limits[b, part, i])
    return held


@_compile()
def _take_mutual(
    parts: np.ndarray,
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
    limits_parts: np.ndarray,
    scale: float,
    slack: float,
    noted: np.ndarray,
    exact: np.ndarray,
) -> None:
    """Measure again, in float64, what may be near enough, and keep it on both sides."""
    k, n_columns = distances.shape[1], donors.shape[1]
    row = order[a, q]
    held = _note_mutual(parts, w, limits[a, q], limits_parts, b, noted)
    for at in range(held):
        exact[at] = _measure(
            donors, row, donors, order[b, noted[at]], costs, weights, weight, scaled
        )
    for at in range(held):
        i, distance = noted[at], exact[at]
        p = order[b, i]
        if (p < 0) | (distance == np.inf):
            continue
        if distance <= distances[row, k - 1]:
            _insert(distances, positions, row, distance, p)
            limits[a, q] = _limit(distances[row, k - 1], scale, slack, n_columns)
        if mutual & (distance <= distances[p, k - 1]):
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

    Distances begin as infinite, and limits as -1. Each block is to meet itself before others, in a
    call with the same blocks on both sides. Two calls may run at once if they share no block.

    Parameters
    ----------
    first_a, last_a, first_b, last_b
        The blocks of either side, from the first to before the last.
    donors, costs, weights, weight, scaled
        What distances are made of, see ``index.Index``.
    order, lanes, low, high, scale
        The donors in blocks, see ``index.DonorLayout``.
    radius, reach
        The largest norm of a donor, as for ``search``.
    distances, positions
        Shape ``(n_donors, k)``, written, the nearest first; kept from call to call.
    limits
        Shape ``(n_blocks, LANES)``, float32: how large a sum may be to be near enough to the donor
        at a place; kept from call to call.
    """
    n_columns = donors.shape[1]
    slack = UNIT * 2.0 * radius + 2.0**-49 * reach
    numbers = np.flatnonzero(costs < 0)
    categories = np.flatnonzero(costs >= 0)
    narrow_costs = (costs * scale * scale).astype(np.float32)
    sums = np.empty((2, LANES), np.float32)
    parts = sums.reshape(2, LANES // PART, PART)
    limits_parts = limits.reshape(len(limits), LANES // PART, PART)
    noted = np.empty(LANES + 1, np.int64)
    exact = np.empty(LANES, np.float64)
    row = np.empty((LANES, n_columns), np.float32)
    nearest = np.empty(distances.shape[1], np.float32)
    asking = np.empty(LANES, np.int64)
    bounds = np.empty(LANES, np.float32)
    begin = first_a == first_b
    if begin:
        for a in range(first_a, last_a):
            _read_block(row, lanes, a)
            for q in range(LANES):
                if order[a, q] < 0:
                    continue
                _add_squares(sums, row, q, q, lanes, a, numbers, len(numbers))
                for at in range(len(categories)):
                    _add_mismatch(sums, 0, row, q, lanes, a, categories[at], narrow_costs)
                kth = np.sqrt(np.float64(_find_kth(sums, 0, nearest)))
                limits[a, q] = _limit(np.square((kth + slack) / scale), scale, slack, n_columns)
                _take_mutual(
                    parts, 0, a, q, a, False, order, donors, costs, weights, weight, scaled,
                    distances, positions, limits, limits_parts, scale, slack, noted, exact,
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
                        parts, 0, a, q0, b, True, order, donors, costs, weights, weight, scaled,
                        distances, positions, limits, limits_parts, scale, slack, noted, exact,
                    )  # fmt: skip
                if q1 != q0 and _any_mutual(sums, 1, limits[a, q1], limits, b):
                    _take_mutual(
                        parts, 1, a, q1, b, True, order, donors, costs, weights, weight, scaled,
                        distances, positions, limits, limits_parts, scale, slack, noted, exact,
                    )  # fmt: skip
