"""KNN imputation and resampling beside scikit-learn's and imbalanced-learn's, and their growth.

Both sides get the same rows in the same process, all cores, one after the other; values are
compared. Libraries that take minutes run once.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import imblearn.combine
import imblearn.over_sampling
import imblearn.under_sampling
import numpy as np
import sklearn.impute
from sklearn.datasets import make_classification

from pipeline.imputation import KNNImputer
from pipeline.resampling import (
    ADASYN,
    SMOTE,
    SMOTEENN,
    SMOTENC,
    BorderlineSMOTE,
    EditedNearestNeighbours,
    TomekLinks,
)

# Rows that scikit-learn's imputer is run on; beyond, it is extrapolated by the square.
MOST_FOR_LIBRARY = 40_000


def measure(rounds: int) -> None:
    """Print times, ratios, memory and differences."""
    _impute(rounds)
    _grow()
    _resample(rounds)


def _impute(rounds: int) -> None:
    print("KNN imputation, 5 neighbours: scikit-learn / ours")
    sizes = [
        (100, 10, 0.05), (500, 10, 0.05), (2_000, 10, 0.05), (20_000, 10, 0.05),
        (20_000, 30, 0.05), (20_000, 10, 0.2), (20_000, 10, 0.5), (100_000, 10, 0.05),
    ]  # fmt: skip
    for n, columns, gaps in sizes:
        rows = _make_gaps(n, columns, gaps)
        ours, filled = _time(lambda rows=rows: KNNImputer().fit_transform(rows), rounds)
        some = rows[:MOST_FOR_LIBRARY]
        theirs, expected = _time(
            lambda some=some: sklearn.impute.KNNImputer().fit_transform(some),
            rounds if n <= 2_000 else 1,
        )
        told = ""
        if n > MOST_FOR_LIBRARY:
            theirs *= (n / MOST_FOR_LIBRARY) ** 2
            told = f" (library extrapolated from {MOST_FOR_LIBRARY:,} rows)"
            filled = KNNImputer().fit_transform(some)
        off = float(np.abs(filled - expected).max())
        print(
            f"  {n:>7,} × {columns}, {gaps:.0%} missing: {theirs:8.3f} / {ours:6.3f} s, "
            f"{theirs / ours:5.1f}×; largest difference {off:.1e}; memory beside the input "
            f"{_find_peak(rows):.1f}× of it{told}"
        )


def _grow() -> None:
    print("KNN imputation at 5 % missing, at most 50,000 donors: ours alone")
    for n in (50_000, 100_000, 200_000, 500_000, 1_000_000):
        rows = _make_gaps(n, 10, 0.05)
        donors = rows[:50_000]
        seconds, _ = _time(lambda d=donors, r=rows: KNNImputer().fit(d).transform(r), 1)
        print(f"  {n:>9,} × 10: {seconds:6.2f} s, {n / seconds / 1e3:.0f} thousand rows a second")


def _resample(rounds: int) -> None:
    print("Resampling: imbalanced-learn / ours")
    values, labels = make_classification(500_000, 20, weights=[0.9], random_state=0)
    seeded = {"random_state": 0}
    _compare(
        "SMOTE 500,000 × 20", imblearn.over_sampling.SMOTE, SMOTE, seeded, values, labels, rounds
    )
    values, labels = make_classification(30_000, 12, weights=[0.9], random_state=0)
    mixed = values.copy()
    mixed[:, 8:] = np.random.default_rng(0).integers(0, 20, (len(values), 4))
    over, under = imblearn.over_sampling, imblearn.under_sampling
    for theirs, ours, options, rows in (
        (over.SMOTENC, SMOTENC, {**seeded, "categorical_features": [8, 9, 10, 11]}, mixed),
        (under.TomekLinks, TomekLinks, {}, values),
        (under.EditedNearestNeighbours, EditedNearestNeighbours, {}, values),
        (over.ADASYN, ADASYN, seeded, values),
        (over.BorderlineSMOTE, BorderlineSMOTE, seeded, values),
        (imblearn.combine.SMOTEENN, SMOTEENN, seeded, values),
    ):
        name = f"{ours.__name__} 30,000 × 12"
        _compare(name, theirs, ours, options, rows, labels, rounds)
    values, labels = make_classification(123_000, 20, weights=[0.9], random_state=0)
    seconds, made = _time(lambda: SMOTEENN(**seeded).fit_resample(values, labels), 1)
    print(f"  SMOTEENN 123,000 × 20: ours {seconds:.2f} s, {len(made[0]):,} rows")
    draw = np.random.default_rng(0)
    table = draw.integers(0, 39_514, (39_514, 5)).astype(float)
    table[:, 0] = draw.normal(size=len(table))
    known = sum(len(np.unique(table[:, j])) for j in range(1, 5))
    labels = draw.random(len(table)) < 0.1
    tracemalloc.start()
    seconds, _ = _time(lambda: SMOTENC([1, 2, 3, 4], random_state=0).fit_resample(table, labels), 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"  SMOTENC 39,514 × 5, {known:,} categories: ours {seconds:.2f} s, {peak / 1e6:.0f} MB")


def _compare(
    name: str,
    theirs: type[Any],
    ours: type[Any],
    options: dict[str, Any],
    values: np.ndarray,
    labels: np.ndarray,
    rounds: int,
) -> None:
    mine, made = _time(lambda: ours(**options).fit_resample(values, labels), rounds)
    library, expected = _time(lambda: theirs(**options).fit_resample(values, labels), rounds)
    same = made[0].shape == expected[0].shape and (made[0] == expected[0]).all(axis=1).mean()
    print(f"  {name}: {library:6.2f} / {mine:5.3f} s, {library / mine:.1f}×; rows alike {same:.2%}")


def _make_gaps(n: int, columns: int, gaps: float) -> np.ndarray:
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(n, columns))
    rows[draw.random(rows.shape) < gaps] = np.nan
    return rows


def _time(work: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    """Run once to warm up, unless one round is all, and then take the best of several."""
    if rounds > 1:
        work()
    best, result = np.inf, None
    for _ in range(rounds):
        started = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - started)
    return best, result


def _find_peak(rows: np.ndarray) -> float:
    """Find the most memory that our imputer holds at once, its result among it."""
    tracemalloc.start()
    KNNImputer().fit_transform(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / rows.nbytes
