"""imbalanced-learn's samplers on exact neighbours that are found fast.

Each class is imbalanced-learn's with another search: the same parameters, attributes, draws and
errors. Two rules are stricter. Whole numbers stay whole: where rows are made by interpolation,
integers and truth values are rounded to the nearest, not cut off. And columns between whose values
there is nothing, such as dates and categories, are refused where numbers are interpolated.
"""

from __future__ import annotations

from typing import Any

import imblearn.combine
import imblearn.over_sampling
import imblearn.under_sampling
import numpy as np
import pandas as pd
import sklearn.neighbors
from scipy import sparse
from scipy.stats import mode
from sklearn.base import clone

from pipeline.errors import DataContractError, name_examples
from pipeline.neighbours.estimator import NearestNeighbors
from pipeline.neighbours.search import map_chunks

# The largest whole number up to which float64 holds every one.
MOST_EXACT = 2**53


class NeighbourSearch:
    """Replaces the search that imbalanced-learn makes by an exact one that is fast."""

    def _validate_estimator(self) -> None:
        super()._validate_estimator()  # type: ignore[misc]
        for name in ("nn_", "nn_k_", "nn_m_"):
            made: Any = getattr(self, name, None)
            if type(made) is sklearn.neighbors.NearestNeighbors:
                setattr(self, name, NearestNeighbors(**made.get_params(deep=False)))


class Interpolation:
    """Keeps column types where rows are interpolated."""

    def fit_resample(self, X: Any, y: Any, **params: Any) -> Any:
        """Resample rows; shape ``(n_samples, n_features)``, with their labels.

        Raises
        ------
        DataContractError
            If a column's values can't be interpolated.
        """
        categories = self._find_categories(X)
        self._whole = _find_whole(X, categories or set(), words=categories is None)
        return super().fit_resample(X, y, **params)  # type: ignore[misc]

    def _find_categories(self, X: Any) -> set[Any] | None:
        """Find the columns of categories; None where the sampler knows no categories."""
        return None

    def _fit_resample(self, X: Any, y: Any, **params: Any) -> Any:
        if X.dtype.kind not in "iub":
            rows, *rest = super()._fit_resample(X, y, **params)  # type: ignore[misc]
            return (self._round(rows), *rest)
        # Differences of integers overflow, and what lies between them is cut off.
        rows, *rest = super()._fit_resample(  # type: ignore[misc]
            X.astype(np.float64), y, **params
        )
        whole = rows.rint() if sparse.issparse(rows) else np.rint(rows)
        return (whole.astype(X.dtype), *rest)

    def _round(self, rows: Any) -> Any:
        """Round what was a column of whole numbers."""
        if len(self._whole):
            rows[:, self._whole] = np.rint(rows[:, self._whole].astype(np.float64))
        return rows

    def _generate_samples(
        self,
        X: Any,
        nn_data: Any,
        nn_num: np.ndarray,
        rows: np.ndarray,
        cols: np.ndarray,
        steps: np.ndarray,
        y_type: Any = None,
        y: Any = None,
    ) -> Any:
        """Make rows on the lines between neighbours, as imbalanced-learn does, but in chunks."""
        if y is not None or sparse.issparse(X):
            return super()._generate_samples(  # type: ignore[misc]
                X, nn_data, nn_num, rows, cols, steps, y_type, y
            )
        return self._interpolate(X, nn_data, nn_num, rows, cols, steps)

    def _interpolate(
        self,
        base: np.ndarray,
        others: np.ndarray,
        near: np.ndarray,
        rows: np.ndarray,
        cols: np.ndarray,
        steps: np.ndarray,
    ) -> np.ndarray:
        """Make a row between each chosen row and one of its neighbours."""
        made = np.empty((len(rows), base.shape[1]), dtype=base.dtype)

        def work(chunk: slice) -> None:
            start = base[rows[chunk]]
            lines = others[near[rows[chunk], cols[chunk]]] - start
            made[chunk] = start + steps[chunk] * lines

        map_chunks(work, len(rows))
        return made


class SMOTE(Interpolation, NeighbourSearch, imblearn.over_sampling.SMOTE):  # type: ignore[misc]
    """Interpolate between neighbours of a class (Chawla et al. 2002)."""


class BorderlineSMOTE(
    Interpolation,
    NeighbourSearch,
    imblearn.over_sampling.BorderlineSMOTE,  # type: ignore[misc]
):
    """SMOTE from rows near another class alone (Han, Wang and Mao 2005)."""


class ADASYN(Interpolation, NeighbourSearch, imblearn.over_sampling.ADASYN):  # type: ignore[misc]
    """Interpolate most where neighbours are of another class (He et al. 2008)."""


class TomekLinks(imblearn.under_sampling.TomekLinks):  # type: ignore[misc]
    """Leave out rows whose nearest neighbour is of another class, and they its (Tomek 1976)."""

    @staticmethod
    def is_tomek(y: np.ndarray, nn_index: np.ndarray, class_type: Any) -> np.ndarray:
        """Say which rows of some classes are in a Tomek link.

        Parameters
        ----------
        y
            Shape ``(n,)``, the labels.
        nn_index
            Shape ``(n,)``, the position of each row's nearest neighbour.
        class_type
            The labels of rows that may be left out.

        Returns
        -------
        numpy.ndarray
            Shape ``(n,)``, bool.
        """
        mutual = nn_index[nn_index] == np.arange(len(y))
        wanted = np.isin(y, np.asarray(list(class_type), dtype=y.dtype))
        return np.asarray(mutual & wanted & (y[nn_index] != y))

    def _fit_resample(self, X: Any, y: np.ndarray) -> Any:
        search = NearestNeighbors(n_neighbors=2, n_jobs=self.n_jobs).fit(X)
        nearest = search.kneighbors(X, return_distance=False)[:, 1]
        self.sample_indices_ = np.flatnonzero(~self.is_tomek(y, nearest, self.sampling_strategy_))
        return X[self.sample_indices_], y[self.sample_indices_]


class EditedNearestNeighbours(
    NeighbourSearch,
    imblearn.under_sampling.EditedNearestNeighbours,  # type: ignore[misc]
):
    """Leave out rows whose neighbours are of another class (Wilson 1972)."""

    def _fit_resample(self, X: Any, y: np.ndarray) -> Any:
        self._validate_estimator()
        # All rows at once: each distance is then measured once.
        near = self.nn_.fit(X).kneighbors(X, return_distance=False)[:, 1:]
        labels = y[near]
        if self.kind_sel == "mode":
            agree = np.ravel(mode(labels, axis=1, keepdims=False).mode) == y
        else:
            agree = (labels == y[:, None]).all(axis=1)
        classes = np.unique(y)
        stays = [
            np.flatnonzero((y == name) & (agree | (name not in self.sampling_strategy_)))
            for name in classes
        ]
        self.sample_indices_ = np.concatenate(stays)
        return X[self.sample_indices_], y[self.sample_indices_]


class _Combined(Interpolation):
    """Makes rows, then leaves out some: with the samplers of this module."""

    smote: Any
    smote_: Any

    def _validate_estimator(self) -> None:
        super()._validate_estimator()  # type: ignore[misc]
        if self.smote is None:
            self.smote_ = SMOTE(**self.smote_.get_params(deep=False))


class SMOTETomek(_Combined, imblearn.combine.SMOTETomek):  # type: ignore[misc]
    """SMOTE, then both ends of Tomek links are left out (Batista, Bazzan and Monard 2003)."""

    def _validate_estimator(self) -> None:
        super()._validate_estimator()
        self.tomek_ = (
            TomekLinks(sampling_strategy="all", n_jobs=self.n_jobs)
            if self.tomek is None
            else clone(self.tomek)
        )


class SMOTEENN(_Combined, imblearn.combine.SMOTEENN):  # type: ignore[misc]
    """SMOTE, then edited nearest neighbours (Batista, Prati and Monard 2004)."""

    def _validate_estimator(self) -> None:
        super()._validate_estimator()
        self.enn_ = (
            EditedNearestNeighbours(sampling_strategy="all", n_jobs=self.n_jobs)
            if self.enn is None
            else clone(self.enn)
        )


def _find_whole(X: Any, categories: set[Any], *, words: bool) -> np.ndarray:
    """Find the columns of a frame that hold whole numbers; refuse what can't be interpolated."""
    if not isinstance(X, pd.DataFrame):
        if isinstance(X, np.ndarray) and X.dtype.kind in "iu" and not categories:
            _refuse_large("the table", pd.Series(X.ravel()))
        return np.empty(0, dtype=np.int64)
    whole = []
    for position, name in enumerate(X.columns):
        values = X.iloc[:, position]
        kind = getattr(values.dtype, "kind", "O")
        if position in categories:
            continue
        if isinstance(values.dtype, pd.CategoricalDtype) or kind in "mM":
            raise DataContractError(
                "resampling",
                f"column '{name}' is {values.dtype} in {len(values)} rows, and between its values "
                f"there is nothing: {name_examples(values.dropna().unique()[:3])}",
                "Use SMOTENC and name it in categorical_features"
                if kind not in "mM"
                else "Turn it into numbers first, such as days",
            )
        if words and kind == "O":
            _refuse_words(str(name), values)
        if kind in "iu":
            _refuse_large(f"column '{name}'", values)
        if kind in "iub":
            whole.append(position)
    return np.array(whole, dtype=np.int64)


def _refuse_words(name: str, values: pd.Series) -> None:
    words = values[pd.to_numeric(values, errors="coerce").isna() & values.notna()]
    if len(words):
        raise DataContractError(
            "resampling",
            f"column '{name}' holds {len(words)} values that are no numbers: "
            f"{name_examples(words.unique()[:3])}",
            "Use SMOTENC and name it in categorical_features",
        )


def _refuse_large(what: str, values: pd.Series) -> None:
    large = int((values.astype("float64").abs() > MOST_EXACT).sum())
    if large:
        raise DataContractError(
            "resampling",
            f"{what} holds {large} whole numbers beyond 2**53, which a float can't hold",
            "Leave them out, or use SMOTENC and name their column in categorical_features",
        )
