"""SMOTENC and SMOTEN on codes: no category becomes a column, no distance matrix is held."""

from __future__ import annotations

import warnings
from typing import Any

import imblearn.over_sampling
import numpy as np
from imblearn.metrics.pairwise import ValueDifferenceMetric
from scipy import sparse
from sklearn.exceptions import DataConversionWarning
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from sklearn.utils import _safe_indexing, check_array, check_random_state

from pipeline.neighbours.index import build_index
from pipeline.neighbours.search import find_own_neighbours, keep_nearest, map_chunks
from pipeline.resampling.samplers import Interpolation


class SMOTENC(Interpolation, imblearn.over_sampling.SMOTENC):  # type: ignore[misc]
    """SMOTE for numbers and categories together (Chawla et al. 2002).

    Two categories that differ are as far apart as the median standard deviation of the class's
    numbers; a made row gets the commonest category among the neighbours, and one of those at random
    where several are.

    With an encoder or a search of one's own, or with sparse rows, imbalanced-learn's way is taken,
    which makes a column of each category.
    """

    def _find_categories(self, X: Any) -> set[Any] | None:
        given = self.categorical_features
        if isinstance(given, slice) or not hasattr(given, "__iter__"):
            return set()  # imbalanced-learn refuses it
        if isinstance(given, str):
            return {at for at, dtype in enumerate(getattr(X, "dtypes", [])) if dtype == "category"}
        listed = np.asarray(given)
        if listed.dtype == bool:
            return set(np.flatnonzero(listed))
        names = list(getattr(X, "columns", []))
        width = len(names) or X.shape[1]
        return {n % width if _is_number(n) else names.index(n) for n in listed.tolist()
                if _is_number(n) or n in names}  # fmt: skip

    def _fit_resample(self, X: Any, y: np.ndarray, **params: Any) -> Any:
        plain = self.categorical_encoder is None and isinstance(self.k_neighbors, int | np.integer)
        if not plain or sparse.issparse(X):
            return super()._fit_resample(X, y)
        self.n_features_ = X.shape[1]
        self._validate_column_types(X)
        self._validate_estimator()
        numbers = check_array(_safe_indexing(X, self.continuous_features_, axis=1))
        if numbers.dtype.kind not in "f":
            numbers = numbers.astype(np.float64)
        texts = _safe_indexing(X, self.categorical_features_, axis=1)
        self.categorical_encoder_ = OneHotEncoder(handle_unknown="ignore", dtype=numbers.dtype)
        self.categorical_encoder_.fit(texts)
        known = self.categorical_encoder_.categories_
        # The encoder puts NaN last among the categories, where there is one.
        codes = OrdinalEncoder(categories=known).fit_transform(texts)
        codes = np.where(np.isnan(codes), [len(one) - 1 for one in known], codes).astype(np.int32)
        made_numbers, made_codes, made_labels = [], [], []
        self.median_std_ = {}
        for name, count in self.sampling_strategy_.items():
            if count == 0:
                continue
            members = np.flatnonzero(y == name)
            own_numbers, own_codes = numbers[members], codes[members]
            self.median_std_[name] = np.median(own_numbers.astype(np.float64).std(axis=0))
            near = self._find_near(own_numbers, own_codes, float(self.median_std_[name]))
            new_numbers, new_codes = self._make(own_numbers, own_codes, near, count)
            made_numbers.append(new_numbers)
            made_codes.append(new_codes)
            made_labels.append(np.full(count, name, dtype=y.dtype))
        rows = np.empty((len(y) + sum(map(len, made_labels)), X.shape[1]), dtype=_find_dtype(X))
        every = np.concatenate([numbers, *made_numbers])
        rows[:, self.continuous_features_] = every if rows.dtype.kind in "fO" else np.rint(every)
        all_codes = np.concatenate([codes, *made_codes])
        for at, column in enumerate(self.categorical_features_):
            rows[:, column] = known[at][all_codes[:, at]]
        return self._round(rows), np.concatenate([y, *made_labels])

    def _find_near(self, numbers: np.ndarray, codes: np.ndarray, spread: float) -> np.ndarray:
        """Find the neighbours of each row of a class, without itself."""
        costs = np.append(np.full(numbers.shape[1], -1.0), np.full(codes.shape[1], spread * spread))
        count = self.nn_k_.n_neighbors
        _check_enough(count, len(numbers))
        index = build_index(np.concatenate([numbers, codes], axis=1), costs)
        near = find_own_neighbours(index, count)[1][:, 1:]
        if (near == len(numbers)).any():
            raise ValueError("SMOTENC: squares of the numbers are beyond what float64 holds")
        return near

    def _make(
        self, numbers: np.ndarray, codes: np.ndarray, near: np.ndarray, count: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Make rows of a class, with the very draws that imbalanced-learn makes."""
        draw = check_random_state(self.random_state)
        chosen = draw.randint(low=0, high=near.size, size=count)
        steps = draw.uniform(size=count)[:, None]
        rows, cols = np.divmod(chosen, near.shape[1])
        made = self._interpolate(numbers, numbers, near, rows, cols, steps)
        draw = check_random_state(self.random_state)
        votes = [_vote(codes[:, column][near[rows]], draw) for column in range(codes.shape[1])]
        return made, np.stack(votes, axis=1)


class SMOTEN(imblearn.over_sampling.SMOTEN):  # type: ignore[misc]
    """SMOTE for categories alone (Chawla et al. 2002).

    Rows are compared by how often their categories go with each class (Stanfill and Waltz 1986).
    """

    def _fit_resample(self, X: Any, y: np.ndarray) -> Any:
        plain = self.categorical_encoder is None and isinstance(self.k_neighbors, int | np.integer)
        if not plain:
            return super()._fit_resample(X, y)
        if sparse.issparse(X):
            warnings.warn(
                "Passing a sparse matrix to SMOTEN is not really efficient: it is made dense",
                DataConversionWarning,
                stacklevel=2,
            )
            rows, labels = self._fit_resample(X.toarray(), y)
            return sparse.csr_matrix(rows).asformat(X.format), labels
        self._validate_estimator()
        self.categorical_encoder_ = OrdinalEncoder(dtype=np.int32)
        codes = self.categorical_encoder_.fit_transform(X)
        shares = ValueDifferenceMetric(
            n_categories=[len(known) for known in self.categorical_encoder_.categories_]
        )
        shares.fit(codes, y)
        rows, labels = [X], [y]
        for name, count in self.sampling_strategy_.items():
            if count == 0:
                continue
            own = codes[y == name]
            _check_enough(self.nn_k_.n_neighbors, len(own))
            near = _find_alike(own, shares.proba_per_class_, self.nn_k_.n_neighbors)
            made, made_labels = self._make_samples(own, name, y.dtype, near, count)
            rows.append(self.categorical_encoder_.inverse_transform(made))
            labels.append(made_labels)
        return np.vstack(rows), np.hstack(labels)


def _find_alike(codes: np.ndarray, shares: list[np.ndarray], count: int) -> np.ndarray:
    """Find the nearest rows by the value difference metric, each row itself among them.

    Parameters
    ----------
    codes
        Shape ``(n, n_columns)``, int32.
    shares
        For each column an array of shape ``(n_categories, n_classes)``: how often a category goes
        with a class.
    """
    if shares[0].shape[1] == 2:
        # Of two shares that add up to 1, one tells all: the metric is Euclidean.
        places = np.stack([2.0 * p[codes[:, j], 1] for j, p in enumerate(shares)], axis=1)
        return find_own_neighbours(build_index(places), count)[1]
    near = np.empty((len(codes), count), dtype=np.int64)

    def work(chunk: slice) -> None:
        own = codes[chunk]
        squares = np.zeros((len(own), len(codes)))
        for j, share in enumerate(shares):
            for row, code in enumerate(own[:, j]):
                squares[row] += (np.abs(share - share[code]).sum(axis=1) ** 2)[codes[:, j]]
        keep_nearest(squares, count, np.empty((len(own), count)), near[chunk])

    map_chunks(work, len(codes), chunk=64)
    return near


def _check_enough(neighbours: int, rows: int) -> None:
    """Refuse, in scikit-learn's words, more neighbours than there are rows."""
    if neighbours > rows:
        raise ValueError(
            f"Expected n_neighbors <= n_samples_fit, but n_neighbors = {neighbours}, "
            f"n_samples_fit = {rows}, n_samples = {rows}"
        )


def _find_dtype(X: Any) -> Any:
    """Find the type of an array that holds the rows of a frame or an array."""
    return object if hasattr(X, "dtypes") else X.dtype


def _is_number(value: object) -> bool:
    return isinstance(value, int | np.integer)


def _vote(categories: np.ndarray, draw: np.random.RandomState) -> np.ndarray:
    """Take the commonest category of each row; among equally common ones one at random.

    Parameters
    ----------
    categories
        Shape ``(n, k)``, codes.
    """
    ordered = np.sort(categories, axis=1)
    n, k = ordered.shape
    # The place of each code in its run of equal ones; the longest run has the commonest code.
    run = np.ones((n, k), dtype=np.int64)
    for at in range(1, k):
        run[:, at] = np.where(ordered[:, at] == ordered[:, at - 1], run[:, at - 1] + 1, 1)
    rows, places = np.nonzero(run == run.max(axis=1, keepdims=True))
    shuffled = draw.permutation(len(rows))
    first = np.full(n, -1)
    # Assigned backwards, so that the first of each row is what stays.
    first[rows[shuffled][::-1]] = places[shuffled][::-1]
    return np.asarray(ordered[np.arange(n), first])
