"""scikit-learn's NearestNeighbors with the exact search of this package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sklearn.neighbors
from scipy import sparse
from sklearn.utils.validation import check_is_fitted, validate_data

from pipeline.features.one_hot import fold
from pipeline.neighbours.index import build_index
from pipeline.neighbours.search import find_neighbours, find_own_neighbours, map_chunks

EUCLIDEAN = ("euclidean", "l2", "minkowski")


class NearestNeighbors(sklearn.neighbors.NearestNeighbors):  # type: ignore[misc]
    """Exact Euclidean neighbours of dense rows, on all cores; all else is left to scikit-learn.

    Of rows that are equally far away the one that was fitted first comes first. Neighbours of the
    very rows that were fitted are found in half the time.

    Parameters
    ----------
    n_neighbors, radius, algorithm, leaf_size, metric, p, metric_params, n_jobs
        As scikit-learn has them. ``algorithm`` and ``leaf_size`` change nothing in a Euclidean
        search; ``n_jobs`` is a number of threads, and all cores where it is None.
    onehot
        For each category that is one-hot encoded the positions of its features, one of which is 1
        and the others 0 in each row that is fitted. Two rows differ there or they don't, so a
        category costs the search of the fitted rows one comparison in place of many.
    """

    algorithm: str

    def __init__(
        self,
        *,
        n_neighbors: int = 5,
        radius: float = 1.0,
        algorithm: str = "auto",
        leaf_size: int = 30,
        metric: Any = "minkowski",
        p: float = 2,
        metric_params: dict[str, Any] | None = None,
        n_jobs: int | None = None,
        onehot: Sequence[Sequence[int]] | None = None,
    ) -> None:
        super().__init__(
            n_neighbors=n_neighbors,
            radius=radius,
            algorithm=algorithm,
            leaf_size=leaf_size,
            metric=metric,
            p=p,
            metric_params=metric_params,
            n_jobs=n_jobs,
        )
        self.onehot = onehot

    def fit(self, X: Any, y: Any = None) -> NearestNeighbors:
        """Take rows to find neighbours among; shape ``(n_samples, n_features)``."""
        fast = self.metric in EUCLIDEAN and not (self.metric == "minkowski" and self.p != 2)
        # A tree or an estimator that was fitted has a metric of its own.
        fast = fast and not self.metric_params and not sparse.issparse(X)
        fast = fast and not hasattr(X, "query") and not hasattr(X, "kneighbors")
        given = self.algorithm
        try:
            if fast and given in ("auto", "ball_tree", "kd_tree"):
                self.algorithm = "brute"  # a tree would take a while, and not be asked
            super().fit(X, y)
        finally:
            self.algorithm = given
        self._index = build_index(self._fit_X) if fast and not self.onehot else None
        self._own = self._index
        if fast and self.onehot:
            folded = fold(self._fit_X, self.onehot)
            # Two categories that differ have a 1 each where the other has a 0.
            costs = np.repeat([-1.0, 2.0], [folded.shape[1] - len(self.onehot), len(self.onehot)])
            self._own = build_index(folded, costs)
        self._fitted = X
        return self

    def kneighbors(
        self,
        X: Any = None,
        n_neighbors: int | None = None,
        return_distance: bool = True,
    ) -> Any:
        """Find the nearest fitted rows.

        Parameters
        ----------
        X
            Shape ``(n_queries, n_features)``; None: the fitted rows, none its own neighbour.
        n_neighbors
            None: as many as the estimator was made for.

        Returns
        -------
        distances, positions
            Each of shape ``(n_queries, n_neighbors)``, nearest first; positions alone where
            ``return_distance`` is false.
        """
        check_is_fitted(self)
        count = self.n_neighbors if n_neighbors is None else n_neighbors
        sound = isinstance(count, int | np.integer) and 0 < count <= self.n_samples_fit_
        if X is None or not sound or self._own is None:
            return super().kneighbors(X, n_neighbors, return_distance)
        if X is self._fitted:
            distances, positions = find_own_neighbours(self._own, int(count), self._threads)
        else:
            # Other rows need not be one-hot.
            index = self._index = self._index or build_index(self._fit_X)
            rows = validate_data(self, X, reset=False, order="C", dtype=np.float64)
            distances = np.empty((len(rows), count))
            positions = np.empty((len(rows), count), dtype=np.int64)

            def work(chunk: slice) -> None:
                found = find_neighbours(index, rows[chunk], int(count))
                distances[chunk], positions[chunk] = found

            map_chunks(work, len(rows), self._threads)
        if (positions == self.n_samples_fit_).any():  # squares beyond what float64 holds
            return super().kneighbors(X, n_neighbors, return_distance)
        return (distances, positions) if return_distance else positions

    @property
    def _threads(self) -> int | None:
        return self.n_jobs if self.n_jobs is not None and self.n_jobs > 0 else None
