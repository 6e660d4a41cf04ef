"""Filling missing values; every fill is learned on the training split.

KNN is scikit-learn's ``KNNImputer`` (Troyanskaya et al. 2001) on z-scores of the numeric columns.
The z-scores are rounded to a grid of 2**-16 on which all sums of squares are exact in float64, so a
row is filled alike in any batch, by any number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pipeline.config import ImputationConfig
from pipeline.dataset import ROW_ID, Schema, TrainSet, draw_uniform
from pipeline.errors import StageError, name_examples

if TYPE_CHECKING:
    from sklearn.impute import KNNImputer

GRID = 2.0**16
# Beyond 60 standard deviations squares would leave the exact range.
MAX_Z = 60.0
MISSING_CATEGORY = "(missing)"
INDICATOR = " is missing"
KNN_BATCH = 20_000


@dataclass(frozen=True, slots=True)
class Fill:
    """How one column is filled.

    Attributes
    ----------
    value
        The fill: a number, a category, or a timestamp as text. For KNN, the median, which fills
        rows that have no numeric value at all.
    training_missing
        Training rows that lacked a value.
    """

    column: str
    role: str
    method: str
    value: float | str
    training_missing: int


@dataclass(frozen=True, slots=True)
class Donors:
    """Training rows that KNN draws on.

    Attributes
    ----------
    columns
        The numeric columns that distances are measured on.
    means, scales
        Shape ``(n_columns,)``, float64: what turns a value into a z-score.
    ranges
        Shape ``(2, n_columns)``, float64: smallest and largest value. A mean of neighbours lies
        between them; rounding is not to carry it beyond.
    rows
        Shape ``(n_donors, n_columns)``, float64 z-scores on the grid, NaN where missing.
    """

    columns: list[str]
    means: np.ndarray
    scales: np.ndarray
    ranges: np.ndarray
    rows: np.ndarray
    k_neighbors: int


@dataclass(frozen=True, slots=True)
class FittedImputation:
    """All that imputation learned on the training split."""

    fills: list[Fill]
    indicators: list[str]
    donors: Donors | None


@dataclass(frozen=True, slots=True)
class Imputed:
    """Rows without missing features, and the filled cells by column."""

    frame: pd.DataFrame
    filled: dict[str, int]


@dataclass(frozen=True, slots=True)
class ImputationFacts:
    """What imputation learned and filled, over all partitions."""

    fills: list[Fill]
    indicators: list[str]
    donors: int
    filled: dict[str, int]


def fit_imputation(train: TrainSet, config: ImputationConfig, *, seed: int) -> FittedImputation:
    """Learn the fill of each feature.

    Parameters
    ----------
    train
        The cleaned training split.
    seed
        Chooses the donors where there are more than ``max_donors`` training rows.

    Raises
    ------
    StageError
        If a column is declared to be filled in a way that its role does not allow.
    """
    frame, schema = train.frame, train.schema
    fills = [_learn_fill(frame[name], name, schema, config) for name in schema.features]
    wanting = [fill.column for fill in fills if fill.training_missing]
    knn = any(fill.method == "knn" for fill in fills)
    donors = _choose_donors(train, config, seed) if knn else None
    return FittedImputation(fills, wanting if config.indicators else [], donors)


def impute(frame: pd.DataFrame, fitted: FittedImputation) -> Imputed:
    """Fill the missing values of any rows; nothing else changes.

    With indicators, a 0/1 column named ``<column> is missing`` is added for each column that had
    gaps in training.
    """
    result = frame.copy()
    filled = {}
    neighbours = _fill_from_neighbours(frame, fitted) if fitted.donors is not None else {}
    for fill in fitted.fills:
        values = frame[fill.column]
        gaps = values.isna()
        if fill.column in fitted.indicators:
            result[fill.column + INDICATOR] = gaps.astype(np.float64)
        if not gaps.any():
            continue
        filled[fill.column] = int(gaps.sum())
        if fill.method == "knn":
            values = pd.Series(neighbours[fill.column], index=frame.index).where(gaps, values)
        value = pd.Timestamp(fill.value) if fill.role == "datetime" else fill.value
        result[fill.column] = values.fillna(value)
    return Imputed(result, filled)


def _learn_fill(values: pd.Series, name: str, schema: Schema, config: ImputationConfig) -> Fill:
    role = schema.roles[name]
    by_role = {"numeric": config.numeric, "datetime": config.datetime}
    method = config.columns.get(name, by_role.get(role, config.categorical))
    allowed = ("median", "most_frequent") if role == "datetime" else ("most_frequent", "constant")
    if role != "numeric" and method not in allowed:
        raise StageError(
            "imputation", f"column '{name}' is {role} with {values.nunique()} values; "
            f"'{method}' needs numbers",
            f"Set imputation.columns.{name} to '{allowed[0]}' or '{allowed[1]}'",
        )  # fmt: skip
    value = _find_value(values, role, method, name, config)
    return Fill(name, role, method, value, int(values.isna().sum()))


def _find_value(
    values: pd.Series, role: str, method: str, name: str, config: ImputationConfig
) -> float | str:
    present = values.dropna()
    if method == "constant":
        return _find_constant(role, name, config)
    if present.empty:
        raise StageError(
            "imputation", f"column '{name}' has 0 values in {len(values)} training rows",
            "Add it to cleaning.drop_columns, or set its bounds wider",
        )  # fmt: skip
    if method == "most_frequent":
        mode = present.mode().iloc[0]  # of equally frequent values the smallest
        return float(mode) if role == "numeric" else str(mode)
    if role == "datetime":
        return str(present.quantile(0.5, interpolation="lower"))
    return float(present.mean() if method == "mean" else present.median())


def _find_constant(role: str, name: str, config: ImputationConfig) -> float | str:
    if role != "numeric":
        return MISSING_CATEGORY if config.constant is None else str(config.constant)
    if isinstance(config.constant, str):
        raise StageError(
            "imputation", f"column '{name}' is numeric, but the constant is {config.constant!r}",
            "Set imputation.constant to a number, or another method for this column",
        )  # fmt: skip
    return float(config.constant or 0.0)


def _choose_donors(train: TrainSet, config: ImputationConfig, seed: int) -> Donors | None:
    """Take the training rows with the smallest draws, in that order.

    So neither the choice nor a tie among neighbours hangs on the order of the source's rows.
    """
    columns = train.schema.select("numeric")
    frame = train.frame
    if len(frame) <= config.k_neighbors:
        raise StageError(
            "imputation", f"KNN with k_neighbors={config.k_neighbors} needs more than "
            f"{config.k_neighbors} training rows, and there are {len(frame)}: "
            f"{name_examples(columns)}",
            "Set imputation.numeric to 'median', or imputation.k_neighbors lower",
        )  # fmt: skip
    chosen = np.argsort(draw_uniform(frame[ROW_ID], "donors", seed), kind="stable")
    chosen = chosen[: config.max_donors]
    numbers = frame[columns].to_numpy(dtype=np.float64)[chosen]
    present = np.isfinite(numbers).any(axis=0)
    columns = [name for name, some in zip(columns, present, strict=True) if some]
    numbers = numbers[:, present]
    means, scales = np.nanmean(numbers, axis=0), np.nanstd(numbers, axis=0)
    scales = np.where(scales > 0, scales, 1.0)
    ranges = np.stack([np.nanmin(numbers, axis=0), np.nanmax(numbers, axis=0)])
    grid = _to_grid(numbers, means, scales)
    return Donors(columns, means, scales, ranges, grid, config.k_neighbors)


def _to_grid(numbers: np.ndarray, means: np.ndarray, scales: np.ndarray) -> np.ndarray:
    z_scores = np.clip((numbers - means) / scales, -MAX_Z, MAX_Z)
    return np.asarray(np.round(z_scores * GRID) / GRID)


def _fill_from_neighbours(frame: pd.DataFrame, fitted: FittedImputation) -> dict[str, np.ndarray]:
    """Fill the numeric columns by KNN; only rows with a gap are sent to it."""
    donors = fitted.donors
    if donors is None:
        return {}
    numbers = frame[donors.columns].to_numpy(dtype=np.float64)
    # A row without any number has no neighbours; the median fills it afterwards.
    wanting = np.flatnonzero(np.isnan(numbers).any(axis=1) & ~np.isnan(numbers).all(axis=1))
    result = numbers.copy()
    if len(wanting):
        imputer = _make_imputer(donors)
        for start in range(0, len(wanting), KNN_BATCH):
            rows = wanting[start : start + KNN_BATCH]
            z_scores = _to_grid(numbers[rows], donors.means, donors.scales)
            means = imputer.transform(z_scores) * donors.scales + donors.means
            result[rows] = np.clip(means, *donors.ranges)
    by_name = dict(zip(donors.columns, result.T, strict=True))
    empty = np.full(len(frame), np.nan)
    return {fill.column: by_name.get(fill.column, empty) for fill in fitted.fills}


def _make_imputer(donors: Donors) -> KNNImputer:
    from sklearn.impute import KNNImputer

    return KNNImputer(n_neighbors=donors.k_neighbors).fit(donors.rows)
