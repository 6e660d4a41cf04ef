"""The stage: every fill is learned on the training split."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pipeline.config.settings import ImputationConfig, Role
from pipeline.dataset import ROLES, Schema, TrainSet
from pipeline.errors import StageError, name_examples
from pipeline.imputation.donors import (
    Donors,
    choose_donors,
    encode_rows,
    find_donors,
    index_donors,
    take_commonest,
    take_mean,
)
from pipeline.imputation.rehearsal import Rehearsal, rehearse

MISSING_CATEGORY = "(missing)"
INDICATOR = " is missing"


@dataclass(frozen=True, slots=True)
class Fill:
    """How one column is filled.

    Attributes
    ----------
    value
        The fill: a number, a category, or a timestamp as text. For KNN, the median or the commonest
        category, which fills rows that have no neighbour.
    training_missing
        Training rows that lacked a value.
    neighbours
        Of KNN; else 0.
    """

    column: str
    role: Role
    method: str
    value: float | str
    training_missing: int
    neighbours: int = 0


@dataclass(frozen=True, slots=True)
class FittedImputation:
    """All that imputation learned on the training split."""

    fills: list[Fill]
    indicators: list[str]
    donors: Donors | None
    rehearsals: list[Rehearsal] = field(default_factory=list)


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
    rehearsals: list[Rehearsal] = field(default_factory=list)


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
    methods = {name: _find_method(frame[name], name, schema, config) for name in schema.features}
    asking = [name for name, method in methods.items() if method == "knn"]
    if asking and len(frame) <= config.k_neighbors:
        raise StageError(
            "imputation", f"KNN with k_neighbors={config.k_neighbors} needs more than "
            f"{config.k_neighbors} training rows, and there are {len(frame)}: "
            f"{name_examples(asking)}",
            "Set imputation.numeric to 'median', or imputation.k_neighbors lower",
        )  # fmt: skip
    open_ones = [name for name, method in methods.items() if method == "auto"]
    rehearsals = rehearse(train, open_ones, config, seed=seed) if open_ones else []
    best = {result.column: result.trials[0] for result in rehearsals}
    fills = []
    for name, method in methods.items():
        neighbours = config.k_neighbors if method == "knn" else 0
        if method == "auto":
            simple = "median" if schema.roles[name] == "numeric" else "most_frequent"
            trial = best.get(name)
            method, neighbours = (trial.method, trial.neighbours) if trial else (simple, 0)
        value = _find_value(frame[name], schema.roles[name], method, name, config)
        missing = int(frame[name].isna().sum())
        fills.append(Fill(name, schema.roles[name], method, value, missing, neighbours))
    wanting = [fill.column for fill in fills if fill.training_missing]
    knn = any(fill.method == "knn" for fill in fills)
    donors = choose_donors(train, config, seed) if knn else None
    return FittedImputation(fills, wanting if config.indicators else [], donors, rehearsals)


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
        if fill.column in neighbours:
            values = values.where(~gaps, neighbours[fill.column])
        value = pd.Timestamp(fill.value) if ROLES[fill.role].values == "dates" else fill.value
        result[fill.column] = values.fillna(value)
    return Imputed(result, filled)


def _find_method(values: pd.Series, name: str, schema: Schema, config: ImputationConfig) -> str:
    """Look up how a column is to be filled; refuse what its role does not allow."""
    role = schema.roles[name]
    kind = ROLES[role].values
    by_kind = {"numbers": config.numeric, "dates": config.datetime}
    method = config.columns.get(name, by_kind.get(kind, config.categorical))
    allowed = ["most_frequent", "constant", "knn", "auto"]
    if kind == "dates":
        allowed = ["median", "most_frequent"]
    if kind != "numbers" and method not in allowed:
        raise StageError(
            "imputation", f"column '{name}' is {role} with {values.nunique()} values; "
            f"'{method}' needs {'numbers or categories' if method == 'knn' else 'numbers'}",
            f"Set imputation.columns.{name} to '{allowed[0]}' or '{allowed[1]}'",
        )  # fmt: skip
    return method


def _find_value(
    values: pd.Series, role: Role, method: str, name: str, config: ImputationConfig
) -> float | str:
    present, kind = values.dropna(), ROLES[role].values
    if method == "constant":
        return _find_constant(role, name, config)
    if present.empty:
        raise StageError(
            "imputation", f"column '{name}' has 0 values in {len(values)} training rows",
            "Add it to cleaning.drop_columns, or set its bounds wider",
        )  # fmt: skip
    if method == "most_frequent" or kind == "categories":
        mode = present.mode().iloc[0]  # of equally frequent values the smallest
        return float(mode) if kind == "numbers" else str(mode)
    if kind == "dates":
        return str(present.quantile(0.5, interpolation="lower"))
    # Summed exactly, so that the order of the rows changes no digit.
    return math.fsum(present) / len(present) if method == "mean" else float(present.median())


def _find_constant(role: Role, name: str, config: ImputationConfig) -> float | str:
    if ROLES[role].values != "numbers":
        return MISSING_CATEGORY if config.constant is None else str(config.constant)
    if isinstance(config.constant, str):
        raise StageError(
            "imputation", f"column '{name}' is numeric, but the constant is {config.constant!r}",
            "Set imputation.constant to a number, or another method for this column",
        )  # fmt: skip
    return float(config.constant or 0.0)


def _fill_from_neighbours(frame: pd.DataFrame, fitted: FittedImputation) -> dict[str, pd.Series]:
    """Fill columns by KNN; what has no neighbour stays missing."""
    donors = fitted.donors
    if donors is None:
        return {}
    rows = encode_rows(frame, donors)
    wanted = {f.column: f for f in fitted.fills if f.method == "knn" and f.column in donors.columns}
    gaps = np.isnan(rows) & np.array([name in wanted for name in donors.columns], dtype=bool)
    if not gaps.any():
        return {}
    most = max(fill.neighbours for fill in wanted.values())
    near = find_donors(index_donors(donors), rows, gaps, most)
    filled = {}
    for place, name in enumerate(donors.columns):
        own = near.columns == place
        if not own.any():
            continue
        values = near.values[own, : wanted[name].neighbours]
        if place < len(donors.means):
            means = take_mean(values) * donors.scales[place] + donors.means[place]
            numbers = np.full(len(frame), np.nan)
            # A mean of neighbours lies between them; rounding is not to carry it beyond.
            numbers[near.owners[own]] = np.clip(means, *donors.ranges[:, place])
            filled[name] = pd.Series(numbers, index=frame.index)
        else:
            codes: np.ndarray = np.full(len(frame), -1, dtype=np.int64)
            codes[near.owners[own]] = np.nan_to_num(take_commonest(values), nan=-1)
            levels = donors.levels[place - len(donors.means)]
            texts = np.array([*levels, None], dtype=object)[codes]  # -1 takes the last, None
            filled[name] = pd.Series(texts, index=frame.index, dtype="str")
    return filled
