"""Train, validation and test, before anything learns.

Rows with the same features are one unit and stay together, whatever their labels, unless
``split.repeats`` says that they are other rows that happen to be alike. A unit draws a
uniform number from the hash of its ``row_id``; the number decides the split. In each class the cut
points lie at the configured fractions and move only as far as stratification needs, so nearly all
rows keep their split from refresh to refresh.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.config.settings import SplitConfig
from pipeline.dataset import ROW_ID, SPLIT, SPLITS, UNUSED, Schema, draw_uniform
from pipeline.errors import (
    DataContractError,
    StageError,
    name_examples,
    name_near_misses,
    write_count,
)
from pipeline.splitting.split_facts import SplitFacts
from pipeline.targets.strata import find_strata

# Shares within 5 % of the configured ones are left where the hash put them.
KEPT_CLASS_ROWS = 100
TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class Assignment:
    """The split of each row.

    Attributes
    ----------
    frame
        ``row_id``; ``split``; ``duplicate``: whether an earlier row has the same features and
        label; ``conflict``: whether the same features stand with another label; ``majority``: the
        label that most rows with these features have; ``unit``: what is never parted. In the order
        of the rows.
    """

    frame: pd.DataFrame
    facts: SplitFacts


def split_rows(
    frame: pd.DataFrame,
    schema: Schema,
    config: SplitConfig,
    *,
    seed: int,
    near: np.ndarray | None = None,
    content: np.ndarray | None = None,
) -> Assignment:
    """Assign each row to train, validation or test.

    Parameters
    ----------
    frame
        Canonical rows: ``row_id``, the target, the column that the split is by, and the features
        unless ``content`` is given.
    near
        Shape ``(n,)``: rows with the same number are nearly the same, and are not parted. Left
        out, only rows that are the same are kept together.
    content
        Shape ``(n,)``, uint64: rows with the same number are the same, see ``hash_content``; left
        out, worked out from the features.

    Raises
    ------
    StageError
        If the group or time column has missing values or is of no use.
    DataContractError
        If a split comes out empty, or training holds a single class.
    """
    labels = frame[schema.target]
    if content is None:
        content = hash_content(frame, schema.features)
    near = content if near is None else near
    duplicate = pd.DataFrame({"c": content, "l": labels.to_numpy()}).duplicated().to_numpy()
    conflict = (labels.groupby(near).transform("nunique") > 1).to_numpy()
    majority = labels.copy()
    # Ties go to the first label in the alphabet.
    settled = labels[conflict].groupby(near[conflict]).transform(lambda own: own.mode().iloc[0])
    majority[conflict] = settled
    apart = config.repeats == "apart"
    unit = frame[ROW_ID] if apart else frame[ROW_ID].groupby(near).transform("min")
    if config.by == "time":
        split = _split_by_time(frame, config, near)
    else:
        if config.by == "group":
            unit = _find_groups(frame, config, unit)
        split = _split_by_hash(unit, labels, config, seed)
    unused = _limit_training(split, duplicate, frame[ROW_ID], labels, config, seed)
    result = pd.DataFrame(
        {
            ROW_ID: frame[ROW_ID],
            SPLIT: pd.Series(split, dtype="str"),
            "duplicate": duplicate,
            "conflict": conflict,
            "majority": majority,
            "unit": unit,
        }
    )
    counts = _count(split, labels)
    notes = _check(counts, config)
    sizes = pd.Series(near).value_counts()
    return Assignment(
        result,
        SplitFacts(
            by=config.by,
            counts=counts,
            duplicates=int(duplicate.sum()),
            conflicts=int(conflict.sum()),
            shared_units=int((sizes > 1).sum()),
            notes=notes,
            unused=unused,
        ),
    )


def thin_out(assignment: pd.DataFrame, labels: pd.Series, most: int, *, seed: int) -> pd.DataFrame:
    """Leave training rows unused beyond a number, and as large a share of validation rows.

    Units stay whole, and are chosen by their draws, so the number is met roughly. Of a class with
    few rows about a hundred stay, so that it does not vanish.

    Parameters
    ----------
    assignment
        Rows with their split and unit.
    labels
        Their classes, in the same order.
    most
        Training rows that are wanted.
    seed
        Of the draws.
    """
    train = assignment[SPLIT] == "train"
    share = most / max(1, int(train.sum()))
    if share >= 1:
        return assignment
    counts = labels[train].value_counts()
    shares = (KEPT_CLASS_ROWS / counts).clip(lower=share, upper=1.0)
    # A unit goes by its first label.
    first = labels.groupby(assignment["unit"]).transform("first")
    gone = draw_uniform(assignment["unit"], "thin out", seed) >= first.map(shares).fillna(share)
    result = assignment.copy()
    result.loc[gone & assignment[SPLIT].isin(("train", "validation")), SPLIT] = UNUSED
    return result


def hold_out_fold(
    assignment: pd.DataFrame, labels: pd.Series, fold: int, folds: int, *, seed: int
) -> pd.DataFrame:
    """Turn one of several folds of the training split into the test split.

    The folds are stratified and never part a unit; the validation split stays, for early stopping,
    and the test rows proper are left out.

    Parameters
    ----------
    assignment
        What ``split_rows`` made.
    labels
        The label of each row.

    Raises
    ------
    StageError
        If there are fewer units than folds.
    """
    train = assignment[SPLIT] == "train"
    units = pd.DataFrame({"unit": assignment["unit"], "label": find_strata(labels)})[train]
    units = units.drop_duplicates("unit")
    if len(units) < folds:
        raise StageError(
            "split", f"the training split has {len(units)} different rows for {folds} folds",
            "Set training.folds, or resampling.race.folds, to "
            f"{len(units) if len(units) > 1 else 0} or less",
        )  # fmt: skip
    units = units.assign(draw=draw_uniform(units["unit"], "folds", seed))
    dealt = np.arange(len(units)) % folds
    order = units.sort_values(["label", "draw"])["unit"]
    held_out = set(order[dealt == fold])
    result = assignment.copy()
    result[SPLIT] = assignment[SPLIT].mask(assignment[SPLIT] == "test", UNUSED)
    result.loc[train & assignment["unit"].isin(held_out), SPLIT] = "test"
    return result


def hash_content(frame: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Hash the values of each row, whatever the other rows are, in some columns.

    Texts that differ in case or blanks only are the same.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, uint64.
    """
    total: np.ndarray = np.zeros(len(frame), dtype=np.uint64)
    for position, name in enumerate(columns):
        column = frame[name]
        if column.dtype == "str":
            codes, texts = pd.factorize(column)
            folded = pd.Series(texts).str.casefold().str.split().str.join(" ")
            # The last one stands for a missing value, whose code is -1.
            distinct = pd.util.hash_pandas_object(folded, index=False).to_numpy()
            hashes = np.append(distinct, np.uint64(0))[codes]
        else:
            hashes = pd.util.hash_pandas_object(column, index=False).to_numpy()
        total = (total ^ hashes) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(position)
        total ^= total >> np.uint64(29)
    return total


def _find_groups(frame: pd.DataFrame, config: SplitConfig, unit: pd.Series) -> pd.Series:
    """Join rows that share the group, and groups that share a unit of equal rows."""
    groups = frame[str(config.column)].astype("str")
    if groups.isna().any():
        raise StageError(
            "split",
            f"the group column '{config.column}' is missing in "
            f"{write_count(int(groups.isna().sum()), 'row')}",
            "Fill it in the source, or set split.by to 'hash'",
        )  # fmt: skip
    # Alternating minima reach the smallest name of each connected set of groups and units.
    joined = unit
    while True:
        smaller = joined.groupby(groups).transform("min").groupby(unit).transform("min")
        if smaller.equals(joined):
            return joined
        joined = smaller


def _split_by_hash(
    unit: pd.Series, labels: pd.Series, config: SplitConfig, seed: int
) -> np.ndarray:
    """Cut each stratum by the units' draws; a unit goes by its commonest one."""
    names = pd.Series(unit.unique())
    position = pd.Series(np.arange(len(names)), index=names.to_numpy())
    code = position.loc[unit.to_numpy()].to_numpy()
    strata = find_strata(labels)
    count = int(strata.max()) + 1
    votes = np.zeros((len(names), count), dtype=np.int64)
    np.add.at(votes, (code, strata), 1)
    draws = draw_uniform(names, "split", seed)
    split = np.zeros(len(names), dtype=np.int8)
    own = votes.argmax(axis=1)
    for index in range(count):
        members = np.flatnonzero(own == index)
        weights = votes[members].sum(axis=1)
        split[members] = _cut(draws[members], weights, config.test, config.validation)
    named: np.ndarray = np.array(SPLITS, dtype=object)[split[code]]
    return named


def _cut(draws: np.ndarray, weights: np.ndarray, test: float, validation: float) -> np.ndarray:
    """Cut one class: 2 (test) below the first point, 1 (validation) below the second, else 0."""
    order = np.argsort(draws, kind="stable")
    ordered, mass = draws[order], np.cumsum(weights[order])
    units = len(draws)
    if units < len(SPLITS):  # training first, then test
        first = second = units - 1
    else:
        first = min(_find_cut(ordered, mass, test, 1), units - 2)
        second = min(_find_cut(ordered, mass, test + validation, first + 1), units - 1)
    split = np.zeros(units, dtype=np.int8)
    split[order[:second]] = 1
    split[order[:first]] = 2
    return split


def _find_cut(draws: np.ndarray, mass: np.ndarray, share: float, least: int) -> int:
    """Count the units below a cut point that lies at ``share``, or as near as tolerance allows."""
    total = mass[-1]
    slack = max(1.0, TOLERANCE * share * total)
    natural = int(np.searchsorted(draws, share))
    lowest = int(np.searchsorted(mass, share * total - slack, side="left"))
    highest = int(np.searchsorted(mass, share * total + slack, side="right"))
    return max(least, min(max(natural, lowest), max(highest, lowest)))


def _limit_training(
    split: np.ndarray,
    duplicate: np.ndarray,
    row_ids: pd.Series,
    labels: pd.Series,
    config: SplitConfig,
    seed: int,
) -> dict[str, int]:
    """Leave training rows of a class unused beyond its ``train_counts``; count them by class."""
    unused: dict[str, int] = {}
    if not config.train_counts:
        return unused
    draws = draw_uniform(row_ids, "train counts", seed)
    for name, count in config.train_counts.items():
        of_class = (labels == name).to_numpy()
        if not of_class.any():
            raise StageError(
                "split", f"split.train_counts names the class {name!r}, which has 0 rows",
                f"Correct it: {name_near_misses(name, sorted(labels.unique()))}",
            )  # fmt: skip
        members = np.flatnonzero(of_class & (split == "train"))
        # Repeated rows give way first: cleaning is to drop them, unless it is told to keep them.
        beyond = members[np.lexsort((draws[members], duplicate[members]))[count:]]
        split[beyond] = UNUSED
        unused[name] = len(beyond)
    return {name: count for name, count in unused.items() if count}


def _split_by_time(frame: pd.DataFrame, config: SplitConfig, content: np.ndarray) -> np.ndarray:
    """Take the latest rows for test, those before for validation; equal rows go by the first."""
    time = frame[str(config.column)]
    if not (pd.api.types.is_datetime64_any_dtype(time) or pd.api.types.is_numeric_dtype(time)):
        raise StageError(
            "split", f"the time column '{config.column}' holds text such as "
            f"{name_examples(time.dropna().head(1))}",
            f"Declare columns.{config.column}.role as datetime or numeric",
        )  # fmt: skip
    if time.isna().any():
        raise StageError(
            "split",
            f"the time column '{config.column}' is missing in "
            f"{write_count(int(time.isna().sum()), 'row')}",
            "Fill it in the source, or set split.by to 'hash'",
        )  # fmt: skip
    time = time.groupby(content).transform("min")
    first_test = time.quantile(1 - config.test, interpolation="higher")
    first_validation = time.quantile(1 - config.test - config.validation, interpolation="higher")
    later = np.where(time >= first_test, 2, np.where(time >= first_validation, 1, 0))
    return np.array(SPLITS, dtype=object)[later]


def _count(split: np.ndarray, labels: pd.Series) -> dict[str, dict[str, int]]:
    classes = sorted(labels.unique())
    table = pd.crosstab(split, labels.to_numpy())
    return {
        name: {
            str(label): int(table.loc[name, label]) if name in table.index else 0
            for label in classes
        }
        for name in SPLITS
    }


def _check(counts: dict[str, dict[str, int]], config: SplitConfig) -> list[str]:
    """Refuse a split that can't be trained or measured; note classes that miss a split."""
    for name in SPLITS:
        if not any(counts[name].values()):
            raise DataContractError(
                "split",
                f"{name} has 0 rows of {sum(sum(own.values()) for own in counts.values())}",
                "Give more rows, or change split.validation and split.test",
            )  # fmt: skip
    present = [label for label, count in counts["train"].items() if count]
    if len(present) < 2:
        raise DataContractError(
            "split", f"training holds a single class, {name_examples(present)}",
            "Give more rows of the other classes" if config.by == "hash"
            else "Set split.by to 'hash', or give rows of the other classes at earlier times",
        )  # fmt: skip
    notes = []
    for label in counts["train"]:
        absent = [name for name in SPLITS if counts[name][label] == 0]
        if absent:
            total = sum(counts[name][label] for name in SPLITS)
            why = (
                f"it has {total} {'row' if total == 1 else 'rows'}, and each split needs one"
                if total < len(SPLITS)
                else f"its {total} rows are too few different ones"
                if config.by == "hash"
                else f"split.by is '{config.by}'"
            )
            notes.append(f"class '{label}' is not in {' or '.join(absent)}: {why}")
    return notes
