"""The search finds what a float64 search over all pairs finds, to the bit."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.neighbours import search
from pipeline.neighbours.estimator import NearestNeighbors
from pipeline.neighbours.index import LANES, build_index, group_rows
from pipeline.neighbours.search import find_neighbours, find_own_neighbours


@pytest.fixture(params=["compiled", "numpy"])
def route(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Search by compiled code, and by numpy."""
    name: str = request.param
    monkeypatch.setattr(search, "_is_small", lambda index, rows: name == "numpy")
    return name


def search_all(
    donors: np.ndarray,
    costs: np.ndarray,
    rows: np.ndarray,
    k: int,
    slots: Any,
    weights: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Measure all pairs, column by column, and sort."""
    distances, positions = [], []
    for owner, wanted in zip(*slots, strict=True):
        both = ~np.isnan(donors) & ~np.isnan(rows[owner])
        sums = np.zeros(len(donors))
        for j, cost in enumerate(costs):
            if cost < 0:
                difference = np.square(rows[owner, j] - donors[:, j])
            else:
                difference = np.where(rows[owner, j] != donors[:, j], cost, 0.0)
            sums += np.where(both[:, j], difference, 0.0)
        shared = np.zeros(len(donors))
        total = 0.0
        for j, weight in enumerate(np.ones(len(costs)) if weights is None else weights):
            shared += np.where(both[:, j], weight, 0.0)
            total += weight
        with np.errstate(divide="ignore", invalid="ignore"):
            squares = sums * (total / shared) if weights is None else sums + (total - shared)
        squares[shared <= 0] = np.inf
        if wanted >= 0:
            squares[np.isnan(donors[:, wanted])] = np.inf
        order = np.argsort(squares, kind="stable")[:k]
        found = np.full(k, len(donors))
        found[: len(order)] = np.where(np.isinf(squares[order]), len(donors), order)
        positions.append(found)
        distances.append(np.append(np.sqrt(squares[order]), np.full(k - len(order), np.inf)))
    return np.array(distances), np.array(positions)


KINDS = ("normal", "tied", "far apart", "mixed", "categories", "alike")


def make_rows(kind: str, n: int, columns: int, gaps: float, seed: int) -> tuple[Any, Any]:
    """Make donors of a kind, and what their columns are."""
    draw = np.random.default_rng(seed)
    rows = draw.normal(size=(n, columns))
    costs = np.full(columns, -1.0)
    if kind == "far apart":
        rows = rows * 10.0 ** draw.integers(-8, 8, columns) + 10.0 ** draw.integers(-3, 9, columns)
    if kind in ("tied", "mixed", "categories"):
        rows = draw.integers(0, 4, (n, columns)).astype(float)
    if kind == "mixed":
        costs = np.where(draw.random(columns) < 0.5, draw.random(columns), -1.0)
    if kind == "categories":
        costs = draw.random(columns)
    if kind == "alike":
        rows = rows[draw.integers(0, max(1, n // 50), n)]
    rows[draw.random(rows.shape) < gaps] = np.nan
    return rows, costs


@pytest.mark.parametrize("kind", KINDS)
@given(
    n=st.integers(1, 3 * LANES),
    columns=st.integers(1, 12),
    gaps=st.sampled_from([0.0, 0.05, 0.3, 0.7]),
    k=st.integers(1, 9),
    weighted=st.booleans(),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_neighbours_are_those_of_all_pairs(
    route: str, kind: str, n: int, columns: int, gaps: float, k: int, weighted: bool, seed: int
) -> None:
    """Positions and distances, whatever the gaps, ties, sizes, categories and weights of gaps."""
    donors, costs = make_rows(kind, n, columns, gaps, seed)
    draw = np.random.default_rng(seed)
    rows = donors[draw.integers(0, len(donors), 30)]
    weights = draw.integers(0, 3, columns) * draw.random(columns) if weighted else None
    index = build_index(donors, costs, weights)
    asked = [np.nonzero(np.isnan(rows)), (np.arange(30), np.full(30, -1))]
    for slots in asked:
        if len(slots[0]):
            got = find_neighbours(index, rows, k, slots)
            expected = search_all(donors, costs, rows, k, slots, weights)
            np.testing.assert_array_equal(got[1], expected[1])
            assert got[0].tobytes() == expected[0].tobytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "k"), [(3, 5), (LANES + 3, 7), (5 * LANES, 300), (2000, 4)])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_each_distance_is_measured_once_with_the_same_result(
    route: str, kind: str, n: int, k: int, threads: int
) -> None:
    """Neighbours of the donors among themselves: the same by any number of threads."""
    donors, costs = make_rows(kind, n, 6, 0.0, seed=n)
    index = build_index(donors, costs)
    got = find_own_neighbours(index, k, threads)
    sample = np.random.default_rng(0).integers(0, n, 100)
    expected = search_all(donors, costs, donors[sample], k, (np.arange(100), np.full(100, -1)))
    np.testing.assert_array_equal(got[1][sample], expected[1])
    assert got[0][sample].tobytes() == expected[0].tobytes()


@pytest.mark.parametrize("value", [1e30, -1e150, 1e300, 1e-300])
def test_far_out_values_break_nothing(route: str, value: float) -> None:
    """Values whose squares float32 or float64 can't hold: right where they can, nobody where not.

    A row without a neighbour at a finite distance has the position after the last donor.
    """
    donors = np.random.default_rng(0).normal(size=(600, 3))
    donors[7] = [value, 0, 0]
    rows = np.array([[value, 1.0, 1.0], [0.0, np.nan, 0.0]])
    slots = (np.array([0, 1]), np.array([-1, 1]))
    with np.errstate(over="ignore"):
        got = find_neighbours(build_index(donors), rows, 2, slots)
        expected = search_all(donors, np.full(3, -1.0), rows, 2, slots)
    np.testing.assert_array_equal(got[0], expected[0])
    np.testing.assert_array_equal(got[1], expected[1])


def test_donors_without_a_value_are_nobodys_neighbours(route: str) -> None:
    """Neither for a slot in a column they lack, nor where no column is shared."""
    donors = np.array([[np.nan, 1.0], [2.0, np.nan], [np.nan, np.nan]])
    slots = (np.array([0, 0, 1]), np.array([0, 1, 0]))
    distances, positions = find_neighbours(
        build_index(donors), np.array([[2.0, np.nan], [np.nan, np.nan]]), 2, slots
    )
    assert positions.tolist() == [[1, 3], [3, 3], [3, 3]]
    assert distances[0].tolist() == [0.0, np.inf]


def test_rows_with_the_same_gaps_come_together() -> None:
    """Of more columns than a word has bits, a group holds a pattern's rows, and no others."""
    draw = np.random.default_rng(0)
    gaps = draw.random((300, 100)) < 0.5
    gaps[200:] = gaps[:100]
    order, starts = group_rows(gaps)
    assert sorted(order) == list(range(300))
    assert len(starts) == 200
    for group in np.split(order, starts[1:]):
        assert (np.diff(group) > 0).all()
        assert (gaps[group] == gaps[group[0]]).all()


def test_a_pickle_leaves_the_layout_out() -> None:
    """What was searched before changes neither a pickle nor what is found after it."""
    donors = np.random.default_rng(0).normal(size=(2_000, 4))
    index = build_index(donors)
    fresh = pickle.dumps(index)
    assert index.layout.scale > 0
    assert pickle.dumps(index) == fresh
    again = pickle.loads(fresh)
    for mine, other in zip(
        find_neighbours(index, donors[:9], 3), find_neighbours(again, donors[:9], 3), strict=True
    ):
        np.testing.assert_array_equal(mine, other)


def test_the_estimator_is_scikit_learns(route: str) -> None:
    """The same answers as scikit-learn's, also to other metrics, sparse rows and bad requests."""
    import sklearn.neighbors
    from scipy import sparse

    draw = np.random.default_rng(0)
    rows, others = draw.normal(size=(700, 5)), draw.normal(size=(50, 5))
    for options in ({}, {"p": 1}, {"metric": "manhattan"}, {"n_jobs": 2}, {"metric": "l2"}):
        mine = NearestNeighbors(n_neighbors=4, **options).fit(rows)
        theirs = sklearn.neighbors.NearestNeighbors(n_neighbors=4, **options).fit(rows)
        for asked in (rows, others, None):
            got, expected = mine.kneighbors(asked), theirs.kneighbors(asked)
            np.testing.assert_array_equal(got[1], expected[1])
            np.testing.assert_allclose(got[0], expected[0], atol=1e-6)
        assert (mine.kneighbors_graph(others) != theirs.kneighbors_graph(others)).nnz == 0
    thin = sparse.csr_array(np.where(rows > 1, rows, 0))
    got = NearestNeighbors(n_neighbors=2).fit(thin).kneighbors(thin)
    np.testing.assert_allclose(
        got[0], sklearn.neighbors.NearestNeighbors(n_neighbors=2).fit(thin).kneighbors(thin)[0]
    )
    with pytest.raises(ValueError, match="n_neighbors <= n_samples_fit"):
        NearestNeighbors(n_neighbors=5).fit(rows[:3]).kneighbors(rows)


def test_values_at_the_end_of_float64(route: str) -> None:
    """Columns whose sum, or whose square, no float holds: a sentinel, or one row's value."""
    rows = np.random.default_rng(1).normal(size=(600, 3))
    rows[:, 0] = np.finfo(float).max
    slots = (np.arange(50), np.full(50, 2))
    asked = rows[:50].copy()
    asked[:, 2] = np.nan
    got = find_neighbours(build_index(rows), asked, 1, slots)
    expected = search_all(rows, np.full(3, -1.0), asked, 1, slots)
    np.testing.assert_array_equal(got[1], expected[1])
    rows = np.zeros((1200, 4))
    rows[:, 0], rows[:, 2] = np.nan, np.arange(1200.0)
    rows[::2, 3], rows[1::2, 3] = np.nan, 1.0
    rows[0, 0] = 1.0
    rows[5:300:2, 2] = np.nan
    far = np.array([[1e100, 0.0, np.nan, np.nan]])
    slots = (np.array([0]), np.array([2]))
    got = find_neighbours(build_index(rows), far, 3, slots)
    expected = search_all(rows, np.full(4, -1.0), far, 3, slots)
    np.testing.assert_array_equal(got[1], expected[1])


def test_small_numbers_beside_large_weights(route: str) -> None:
    """Distances that weights round to the same are ties, and the first donor wins."""
    draw = np.random.default_rng(0)
    donors = draw.normal(size=(700, 4)) * 1e-15
    donors[:, 2:] = draw.integers(0, 3, (700, 2))
    donors[draw.random(donors.shape) < 0.3] = np.nan
    costs, weights = np.array([-1.0, -1, 1, 0.5]), np.array([1.0, 1, 0.4, 0.2])
    rows = donors[:40]
    slots = np.nonzero(np.isnan(rows))
    got = find_neighbours(build_index(donors, costs, weights), rows, 4, slots)
    expected = search_all(donors, costs, rows, 4, slots, weights)
    np.testing.assert_array_equal(got[1], expected[1])
    assert got[0].tobytes() == expected[0].tobytes()


@pytest.mark.parametrize(
    "weights", [[1] * 3 + [1e-8] * 5, [1.0] + [1e-8] * 7, [1e30] * 4 + [1e-30] * 4]
)
def test_donors_that_share_almost_nothing_are_still_neighbours(
    route: str, weights: list[float]
) -> None:
    """What float32 loses beside all weights together is a weight, and not none."""
    draw = np.random.default_rng(0)
    donors = draw.normal(size=(400, 8))
    donors[draw.random(donors.shape) < 0.2] = np.nan
    rows = draw.normal(size=(10, 8))
    rows[:, :3] = np.nan
    slots = (np.arange(10), np.full(10, -1))
    index = build_index(donors, weights=np.array(weights))
    found = find_neighbours(index, rows, 3)
    expected = search_all(donors, np.full(8, -1.0), rows, 3, slots, np.array(weights))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("size", [1e-20, 1e-28, 1e-142, 1e-143, 1e-144, 1e-155, 1e-165, 1e-175])
@pytest.mark.parametrize("weight", [None, 1.0, 1e-6])
def test_almost_nothing_is_told_from_nothing(route: str, size: float, weight: float | None) -> None:
    """Numbers whose squares float32 hardly holds, or not at all, have the same neighbours."""
    rows = np.random.default_rng(1).normal(size=(3 * LANES, 12)) * size
    weights = None if weight is None else np.full(12, weight)
    index = build_index(rows[:600], weights=weights)
    slots = (np.arange(100), np.full(100, -1))
    expected = search_all(rows[:600], np.full(12, -1.0), rows[600:700], 5, slots, weights)
    np.testing.assert_array_equal(find_neighbours(index, rows[600:700], 5), expected)
    own = find_own_neighbours(index, 5)
    slots = (np.arange(600), np.full(600, -1))
    expected = search_all(rows[:600], np.full(12, -1.0), rows[:600], 5, slots, weights)
    np.testing.assert_array_equal(own, expected)


def test_what_float32_can_not_tell_apart_is_refused() -> None:
    """Codes from 2**24 on, and weights that vanish beside others."""
    with pytest.raises(ValueError, match="codes of categories must be below"):
        build_index(np.full((3, 1), 2.0**24), np.array([1.0]))
    with pytest.raises(ValueError, match="weights must be 0, or from"):
        build_index(np.ones((3, 1)), None, np.array([1e-50]))


def test_one_hot_categories_are_compared_at_once(route: str) -> None:
    """Folded into a column of codes each, they give the neighbours of all their features."""
    draw = np.random.default_rng(0)
    numbers = draw.standard_normal((900, 3))
    words = [np.eye(width)[draw.integers(0, width, 900)] for width in (4, 7)]
    rows = np.concatenate([numbers[:, :1], words[0], numbers[:, 1:], words[1]], axis=1)
    plain = NearestNeighbors(n_neighbors=6).fit(rows)
    folded = NearestNeighbors(n_neighbors=6, onehot=[range(1, 5), range(7, 14)]).fit(rows)
    (distances, positions), (expected, same) = folded.kneighbors(rows), plain.kneighbors(rows)
    np.testing.assert_allclose(distances, expected)
    np.testing.assert_array_equal(positions, same)
    between = (rows[:50] + rows[50:100]) / 2  # no one-hot rows any more
    np.testing.assert_array_equal(folded.kneighbors(between)[1], plain.kneighbors(between)[1])


def test_read_only_arrays_need_no_machine_code_of_their_own(monkeypatch: Any) -> None:
    """Rows and donors of a mapped file are searched by what is compiled, to the same result."""
    from pipeline.neighbours import kernels

    monkeypatch.setattr(search, "_is_small", lambda index, rows: False)
    rows = np.random.default_rng(0).normal(size=(300, 4))
    expected = search.find_neighbours(build_index(rows), rows, 3)
    compiled = list(kernels.search.signatures), list(kernels.lay_blocks.signatures)
    frozen = rows.copy()
    frozen.flags.writeable = False
    found = search.find_neighbours(build_index(frozen), frozen, 3)
    np.testing.assert_array_equal(found, expected)
    assert (kernels.search.signatures, kernels.lay_blocks.signatures) == compiled
