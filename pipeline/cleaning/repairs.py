"""Columns without use, duplicates, conflicting labels, spelling, and numbers that are far out.

What is learned (spelling, bounds, columns to drop) is learned on the training split and saved; it
is then applied to any rows. Rows are only ever left out of the training split for what is wrong
with their values or labels; elsewhere such values are clipped or set missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from pipeline.cleaning.leaks import Leak, find_leaks
from pipeline.cleaning.outliers import Bound, learn_bound
from pipeline.cleaning.spelling import Spelling, Typo, learn_spelling
from pipeline.config.settings import CleaningConfig, ColumnConfig
from pipeline.dataset import FLAGS, REASON, ROLES, ROW_ID, SPLIT, Schema, TrainSet
from pipeline.errors import DataContractError, StageError, name_examples
from pipeline.ingest.label_names import fold_text
from pipeline.sources.guesses import Guess
from pipeline.storage.store import FACTS, load_facts

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class DroppedColumn:
    """A column that is not learned from, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class FittedCleaning:
    """All that cleaning learned on the training split; JSON-ready.

    Attributes
    ----------
    dropped
        Columns left out, with reasons.
    spelling
        By column, how categories are written.
    bounds
        By column, between what bounds numbers lie and what happens to those outside.
    leaks
        Features that alone give the label away.
    pictures
        Whether the rows are facts of pictures, which are never changed nor dropped: a picture is
        not brighter for its brightness being clipped.
    """

    target: str
    dropped: list[DroppedColumn]
    spelling: dict[str, Spelling]
    bounds: dict[str, Bound]
    leaks: list[Leak]
    pictures: bool = False

    @property
    def typos(self) -> list[Typo]:
        """Probable typos in all columns."""
        return [typo for spelling in self.spelling.values() for typo in spelling.typos]

    @property
    def guesses(self) -> list[Guess]:
        """What was merged in all columns, and what was kept apart."""
        return [guess for spelling in self.spelling.values() for guess in spelling.guesses]


@dataclass(frozen=True, slots=True)
class Change:
    """What cleaning did to one column or to rows, with a few examples."""

    column: str
    action: str
    rows: int
    detail: str
    examples: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Cleaned rows, the rows left out with their reason, and what was changed."""

    frame: pd.DataFrame
    quarantined: pd.DataFrame
    changes: list[Change]


@dataclass(frozen=True, slots=True)
class CleaningFacts:
    """What cleaning learned and did, over all partitions."""

    rows_before: dict[str, int]
    rows_after: dict[str, int]
    fitted: FittedCleaning
    changes: list[Change]
    quarantined: int


def fit_cleaning(
    train: TrainSet,
    config: CleaningConfig,
    columns: Mapping[str, ColumnConfig],
    expected: Mapping[str, tuple[float | None, float | None]] = MappingProxyType({}),
    *,
    facts_only: bool = False,
) -> FittedCleaning:
    """Learn spelling, bounds and useless columns on the training split.

    Parameters
    ----------
    train
        The training split, not yet cleaned.
    columns
        What is declared about single columns: possible minimum and maximum.
    expected
        Between which bounds the suites expect the values of a column.
    facts_only
        Whether the columns only tell of what is learned from, such as the brightness of a picture:
        then no value of theirs is changed, and none of them is dropped.

    Raises
    ------
    DataContractError
        If no column is left to learn from.
    """
    frame, schema = train.frame, train.schema
    dropped = [] if facts_only else _find_useless(frame, schema, config)
    gone = {column.name for column in dropped}
    labels = frame[schema.target]
    spelling = {
        name: learn_spelling(
            name, frame[name], config.spelling, None if name == schema.target else labels
        )
        for name in schema.select("categories", "labels")
        if name not in gone
    }
    bounds = {}
    for name in schema.select("numbers"):
        if name in gone:
            continue
        bound = learn_bound(
            frame[name],
            config.outliers,
            name,
            columns.get(name, ColumnConfig()),
            expected.get(name, (None, None)),
        )
        if bound is not None:
            bounds[name] = bound
    kept = [name for name in schema.features if name not in gone]
    leaks = find_leaks(frame, schema.keep(kept), config.leak_score)
    if config.leaks == "drop" and not facts_only:
        dropped += [
            DroppedColumn(leak.column, f"gives the label away: {leak.detail}") for leak in leaks
        ]
        kept = [name for name in kept if name not in {leak.column for leak in leaks}]
    if not kept:
        raise DataContractError(
            "cleaning", f"none of the {len(schema.roles) - 1} columns is left to learn from: "
            f"{name_examples(f'{c.name} ({c.reason})' for c in dropped)}",
            "Declare the roles of useful columns under `columns`",
        )  # fmt: skip
    return FittedCleaning(schema.target, dropped, spelling, bounds, leaks, facts_only)


def clean_values(frame: pd.DataFrame, fitted: FittedCleaning) -> Cleaned:
    """Apply what was learned to the values of any rows: no row is added or left out.

    Columns that are absent are passed over; categories and numbers come out as the training split
    would have written them.
    """
    result = frame.drop(columns=[c.name for c in fitted.dropped if c.name in frame.columns])
    result, changes = respell(result, fitted)
    for name, bound in fitted.bounds.items():
        if name in result.columns and not fitted.pictures:
            result[name], change = _bring_within(result[name], bound, name)
            changes += change
    return Cleaned(result, frame.iloc[:0], changes)


def respell(frame: pd.DataFrame, fitted: FittedCleaning) -> tuple[pd.DataFrame, list[Change]]:
    """Write categories and labels as training rows mostly do, and tell what was changed."""
    changes = []
    result = frame.copy(deep=False)
    for name, spelling in fitted.spelling.items():
        if name in result.columns:
            result[name], change = _respell(result[name], spelling, name)
            changes += change
    return result, changes


def clean(frame: pd.DataFrame, fitted: FittedCleaning, config: CleaningConfig) -> Cleaned:
    """Clean a partition: duplicates, conflicting labels and quarantine, then the values.

    Parameters
    ----------
    frame
        Canonical rows with ``split``, ``duplicate``, ``conflict`` and ``majority``.
    """
    in_train = frame[SPLIT] == "train"
    settled: list[Change] = []
    if config.conflicting_labels == "majority":
        wrong = in_train & frame["conflict"] & (frame[fitted.target] != frame["majority"])
        frame = frame.assign(**{fitted.target: frame[fitted.target].mask(wrong, frame["majority"])})
        if wrong.any():
            detail = "same features, another label: the commonest one holds"
            settled.append(Change(fitted.target, "relabelled", int(wrong.sum()), detail))
    reason = pd.Series("", index=frame.index, dtype="str")
    for name, bound in fitted.bounds.items():
        if bound.action == "quarantine":
            outside = in_train & bound.is_outside(frame[name])
            reason = reason.mask(outside & (reason == ""), f"{name} outside {bound.describe()}")
    if config.conflicting_labels == "drop":
        reason = reason.mask(in_train & frame["conflict"], "same features, another label")
    if config.duplicates == "drop":
        reason = reason.mask(frame["duplicate"], "duplicate of an earlier row")
    kept = frame[reason == ""].drop(columns=[*FLAGS])
    cleaned = clean_values(kept, fitted)
    set_aside = frame[reason != ""].assign(**{REASON: reason[reason != ""]})
    changes = [
        Change("(rows)", "left out", int(count), str(why),
               [str(i) for i in set_aside.loc[set_aside[REASON] == why, ROW_ID].head(EXAMPLES)])
        for why, count in set_aside[REASON].value_counts().items()
    ]  # fmt: skip
    return Cleaned(
        cleaned.frame.reset_index(drop=True),
        set_aside.drop(columns=[*FLAGS]).reset_index(drop=True),
        changes + settled + cleaned.changes,
    )


def merge_changes(parts: list[list[Change]]) -> list[Change]:
    """Add up the changes of several partitions."""
    merged: dict[tuple[str, str, str], Change] = {}
    for change in (change for part in parts for change in part):
        key = (change.column, change.action, change.detail)
        seen = merged.get(key, Change(*key[:2], 0, key[2]))
        examples = list(dict.fromkeys([*seen.examples, *change.examples]))[:EXAMPLES]
        merged[key] = Change(key[0], key[1], seen.rows + change.rows, key[2], examples)
    return sorted(merged.values(), key=lambda change: (-change.rows, change.column))


def _find_useless(
    frame: pd.DataFrame, schema: Schema, config: CleaningConfig
) -> list[DroppedColumn]:
    """Name the columns that can't be learned from."""
    missing = [name for name in config.drop_columns if name == schema.target]
    if missing:
        raise StageError(
            "cleaning",
            f"cleaning.drop_columns names the target '{schema.target}'",
            "Remove it there",
        )
    dropped = []
    for name, role in schema.roles.items():
        values = frame[name]
        share = float(values.isna().mean())
        if name == schema.target:
            continue
        if name in config.drop_columns:
            dropped.append(DroppedColumn(name, "declared in cleaning.drop_columns"))
        elif ROLES[role].values == "texts":
            dropped.append(DroppedColumn(name, f"{role}: not learned from"))
        elif share == 1.0:
            dropped.append(DroppedColumn(name, "empty"))
        elif values.nunique() <= 1:
            dropped.append(DroppedColumn(name, "constant"))
        elif share > config.max_missing:
            dropped.append(DroppedColumn(name, f"{share:.0%} missing in training"))
    return dropped


def _respell(values: pd.Series, spelling: Spelling, name: str) -> tuple[pd.Series, list[Change]]:
    """Write each category as the training split mostly does."""
    distinct = pd.Series(values.dropna().unique(), dtype="str")
    written = {text: spelling.write(text) for text in distinct}
    renamed = {text: new for text, new in written.items() if text != new}
    if not renamed:
        return values, []
    result = values.map(lambda text: written.get(text, text), na_action="ignore").astype("str")
    counts = values.value_counts()
    changes = [
        Change(name, "respelled", int(counts[old]),
               "typo" if fold_text(old) != fold_text(new) else "case or blanks", [f"{old} → {new}"])
        for old, new in sorted(renamed.items())
    ]  # fmt: skip
    return result, changes


def _bring_within(values: pd.Series, bound: Bound, name: str) -> tuple[pd.Series, list[Change]]:
    """Clip numbers outside the bounds or set them missing, as the bound says."""
    outside = bound.is_outside(values)
    count = int(outside.sum())
    if bound.action == "keep" or count == 0:
        return values, []
    examples = [f"{value:g}" for value in values[outside].head(EXAMPLES)]
    if bound.action == "set_missing":
        result, action = values.mask(outside), "set missing"
    else:  # a quarantined training row never gets here; any other row is clipped
        result, action = values.clip(bound.low, bound.high), "clipped"
    return result, [Change(name, action, count, f"outside {bound.describe()}", examples)]


def narrow_schema(schema: Schema, fitted: FittedCleaning) -> Schema:
    """Take the dropped columns out of a schema."""
    gone = {column.name for column in fitted.dropped}
    return schema.keep([name for name in schema.roles if name not in gone])


def find_dropped(folder: Path) -> dict[str, str]:
    """Name the columns that did not come through cleaning, with the reason.

    Parameters
    ----------
    folder
        What the step of cleaning wrote.
    """
    facts = load_facts(folder / FACTS, CleaningFacts)
    return {column.name: column.reason for column in facts.fitted.dropped}
