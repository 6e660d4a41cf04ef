"""The stage: every fill is learned on the training split.

KNN is that of ``pipeline.imputation.knn`` on z-scores of the numeric columns, so a row is filled
alike in any batch, by any number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.config import ImputationConfig
from pipeline.dataset import ROW_ID, Schema, TrainSet, draw_uniform
from pipeline.errors import StageError, name_examples

# Farther than so many standard deviations off, a value is equally far from all donors.
MAX_Z = 1e6
# Donors are all training rows, unless that takes more differences of values than some seconds
# allow, or more rows than a version should carry.
DONOR_WORK = 1e11
MOST_DONORS = 100_000
FEWEST_DONORS = 5_000
MISSING_CATEGORY = "(missing)"
INDICATOR = " is missing"


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
        Shape ``(n_donors, n_columns)``, float64 z-scores, NaN where missing.
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
    training_rows: int
    filled: dict[str, int]


def fit_imputation(train: TrainSet, config: ImputationConfig, *, seed: int) -> FittedImputation:
    """Learn the fill of each feature.

    Parameters
    ----------
    train
        The cleaned training split.
    seed
        Chooses the donors where not all training rows are.

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
    """Take the training rows with the smallest draws of each class, in the order of the draws.

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
    numbers = frame[columns].to_numpy(dtype=np.float64)
    draws = pd.Series(draw_uniform(frame[ROW_ID], "donors", seed))
    classes = draws.groupby(frame[train.schema.target].to_numpy())
    # The place of a row in its class: the rows below any mark are a share of each class alike.
    places = (classes.rank(method="first") - 0.5) / classes.transform("size")
    chosen = np.lexsort((draws, places))[: config.max_donors or _afford_donors(numbers)]
    chosen = chosen[np.argsort(draws.to_numpy()[chosen], kind="stable")]
    numbers = numbers[chosen]
    present = np.isfinite(numbers).any(axis=0)
    columns = [name for name, some in zip(columns, present, strict=True) if some]
    numbers = numbers[:, present]
    means, scales = np.nanmean(numbers, axis=0), np.nanstd(numbers, axis=0)
    scales = np.where(scales > 0, scales, 1.0)
    ranges = np.stack([np.nanmin(numbers, axis=0), np.nanmax(numbers, axis=0)])
    z_scores = _standardise(numbers, means, scales)
    return Donors(columns, means, scales, ranges, z_scores, config.k_neighbors)


def _afford_donors(numbers: np.ndarray) -> int:
    """Say how many donors a search through all of the training split's gaps may look at."""
    gaps = int(np.isnan(numbers).any(axis=1).sum())
    affordable = int(DONOR_WORK / max(1, gaps * numbers.shape[1]))
    return min(max(affordable, FEWEST_DONORS), MOST_DONORS)


def _standardise(numbers: np.ndarray, means: np.ndarray, scales: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip((numbers - means) / scales, -MAX_Z, MAX_Z))


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
        from pipeline.imputation.knn import KNNImputer

        imputer = KNNImputer(n_neighbors=donors.k_neighbors, copy=False).fit(donors.rows)
        z_scores = _standardise(numbers[wanting], donors.means, donors.scales)
        means = imputer.transform(z_scores) * donors.scales + donors.means
        # A mean of neighbours lies between them; rounding is not to carry it beyond.
        result[wanting] = np.clip(means, *donors.ranges)
    by_name = dict(zip(donors.columns, result.T, strict=True))
    empty = np.full(len(frame), np.nan)
    return {fill.column: by_name.get(fill.column, empty) for fill in fitted.fills}
