"""From a source to canonical rows: typed columns, missing values found, a lasting id for each row.

Numbers are float64; categories, booleans, texts and labels are text; dates are ``datetime64[us]``.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from pipeline.config.settings import ColumnConfig, DatasetConfig, Role
from pipeline.dataset import FEATURE_ROLES, FLAGS, REASON, ROLES, ROW_ID, SPLIT, Schema
from pipeline.errors import (
    ConfigError,
    DataContractError,
    name_examples,
    name_near_misses,
    write_count,
)
from pipeline.ingest.columns import NEEDED_SUFFIX, ColumnRule, ColumnRules, type_values
from pipeline.ingest.label_names import merge_labels
from pipeline.ingest.picture_facts import ImageFacts
from pipeline.ingest.roles import (
    Inferred,
    MissingRule,
    Suspicion,
    find_class_tokens,
    find_suspicions,
    infer_role,
    is_missing,
    make_missing_rule,
    tell_class_tokens,
    tell_codes,
    tell_numeric_target,
)
from pipeline.ingest.row_ids import hash_rows
from pipeline.ingest.written import find_written
from pipeline.sources.cell_texts import tidy_column
from pipeline.sources.guesses import Guess, SetAside
from pipeline.sources.number_forms import PLAINLY
from pipeline.sources.reading import SourceTable, TextColumn
from pipeline.targets.label_checks import check_labels

MOST_KEPT = 1_000  # texts of a column of categories, by which an unseen one is told


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """What ingest saw in one column: its role, its gaps, and how they were written."""

    name: str
    role: Role
    reason: str
    distinct: int
    missing: int
    tokens: dict[str, int]
    unparsable: int
    unparsable_examples: list[str]
    format: str | None = None


@dataclass(frozen=True, slots=True)
class IngestFacts:
    """What was read: rows by outcome, columns, suspicions."""

    dialect: dict[str, str]
    rows: int
    labelled: int
    unlabelled: int
    malformed: int
    row_ids: str
    repeated_rows: int
    classes: dict[str, int]
    columns: list[ColumnFacts]
    suspicions: list[Suspicion]
    unreadable: int = 0
    images: ImageFacts | None = None
    guesses: list[Guess] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)

    @property
    def schema(self) -> Schema:
        """The columns and their roles."""
        target = next(column.name for column in self.columns if column.role == "target")
        return Schema(target, {c.name: c.role for c in self.columns if c.name != ROW_ID})


@dataclass(frozen=True, slots=True)
class Canonical:
    """Canonical rows in the source's order.

    Attributes
    ----------
    frame
        ``row_id`` and the source's columns, rows with a label.
    unlabelled
        The same columns, rows without one.
    rules
        How raw values were read, for new rows.
    """

    frame: pd.DataFrame
    unlabelled: pd.DataFrame
    rules: ColumnRules
    facts: IngestFacts


def canonicalise(table: SourceTable, config: DatasetConfig) -> Canonical:
    """Type the columns of a source, find its missing values, name its rows.

    Raises
    ------
    ConfigError
        If dataset.yaml names a column that the source lacks.
    DataContractError
        If the key is not unique, or the labels are absent, all of one class, or too many to be
        classes.
    """
    table = _tidy_cells(table)
    table, renamed = _rename_taken(table, config)
    # What `columns` names may have vanished from the source; that is for the gate to say.
    check_names(table.columns, config, expected=config.columns)
    _refuse_reserved(table, config)
    declarations = {name: _declare(name, config) for name in table.columns}
    missing_rules = {
        name: make_missing_rule(said, config.ingest) for name, said in declarations.items()
    }
    guesses: list[Guess] = [*table.guesses, *renamed]
    if config.target in table.columns:
        kept = find_class_tokens(table.columns[config.target], missing_rules[config.target])
        guesses += tell_class_tokens(config.target, kept)
        rule = missing_rules[config.target]
        tokens = [text for text in rule.tokens if text not in kept]
        missing_rules[config.target] = MissingRule(tokens, rule.numbers)
    gaps = {name: is_missing(column, missing_rules[name]) for name, column in table.columns.items()}
    written = find_written(table, gaps, declarations, config.ingest)
    data: dict[str, pd.Series] = {}
    facts: list[ColumnFacts] = []
    suspicions: list[Suspicion] = []
    rules: dict[str, ColumnRule] = {}
    for column in table.columns.values():
        name, declared, missing = column.name, declarations[column.name], gaps[column.name]
        form = written.numbers[name]
        numbers = PLAINLY if form is None else form.form
        dates = written.dates.get(name)
        inferred = infer_role(
            column,
            missing,
            declared,
            None if form is None else numbers,
            None if dates is None else dates.form,
        )
        seen = written.seen[name]
        texts = seen.values if ROLES[inferred.role].values == "categories" else ()
        rules[name] = ColumnRule(
            inferred.role, missing_rules[name], inferred.format, numbers,
            sorted(map(str, texts)) if len(texts) <= MOST_KEPT else [],
        )  # fmt: skip
        typed = type_values(column, missing, rules[name], numbers)
        if inferred.role == "target":
            case = config.cleaning.spelling.case
            merged, told = merge_labels(name, seen.values, seen.counts, case=case)
            typed = typed.replace(merged)
            guesses += told
        guesses += written.tell(name, inferred.role)
        guesses += tell_codes(column, missing, inferred.role)
        _refuse_unreadable(column, missing, typed, inferred)
        data[column.name] = typed.take(column.codes).reset_index(drop=True)
        facts.append(_describe_column(column, missing, typed, inferred))
        suspicions += find_suspicions(column, missing, inferred.role, numbers, declared)
    identifiers = [column.name for column in facts if column.role == "identifier"]
    row_ids, how = _name_rows(table, config, facts)
    data.pop(ROW_ID, None)  # the key itself, where it has that name
    frame = pd.DataFrame({ROW_ID: row_ids} | data)
    has_label = frame[config.target].notna()
    labelled = frame[has_label].reset_index(drop=True)
    classes = labelled[config.target].value_counts()
    check_labels(config.target, classes, len(labelled))
    guesses += tell_numeric_target(config.target, classes)
    _check_features(facts)
    return Canonical(
        labelled,
        frame[~has_label].reset_index(drop=True),
        ColumnRules(config.target, written.decimal, rules),
        IngestFacts(
            dialect=table.dialect | {"decimal": written.decimal},
            rows=table.rows + len(table.malformed),
            labelled=len(labelled),
            unlabelled=int((~has_label).sum()),
            malformed=len(table.malformed),
            row_ids=how,
            repeated_rows=int(frame.drop(columns=[ROW_ID, *identifiers]).duplicated().sum()),
            classes={str(name): int(count) for name, count in sorted(classes.items())},
            columns=facts,
            suspicions=suspicions,
            guesses=guesses,
            set_aside=table.set_aside,
        ),
    )


def _tidy_cells(table: SourceTable) -> SourceTable:
    """Take out of cells what can't be seen, and tell of what is garbled."""
    tidied = {name: tidy_column(column) for name, column in table.columns.items()}
    told = [guess for _, guesses in tidied.values() for guess in guesses]
    columns = {name: column for name, (column, _) in tidied.items()}
    return replace(table, columns=columns, guesses=[*table.guesses, *told])


def _declare(name: str, config: DatasetConfig) -> ColumnConfig:
    """Join what dataset.yaml says of a column in its several places."""
    declared = config.columns.get(name, ColumnConfig())
    if name in (config.target, config.key):
        role = "target" if name == config.target else "identifier"
        return declared.model_copy(update={"role": role})
    return declared


def check_names(known: Collection[str], config: DatasetConfig, expected: Collection[str]) -> None:
    """Check that the columns which dataset.yaml names are there.

    Parameters
    ----------
    known
        The source's columns.
    expected
        Columns that the suites name: if one of them vanished, it is for the gate to say so.

    Raises
    ------
    ConfigError
        For the first name that is unknown, with the nearest known one.
    """
    named = {
        "target": [config.target],
        "key": [config.key] if config.key else [],
        "split.column": [config.split.column] if config.split.column else [],
        "columns": list(config.columns),
        "cleaning.drop_columns": list(config.cleaning.drop_columns),
        "cleaning.outliers.columns": list(config.cleaning.outliers.columns),
        "imputation.columns": list(config.imputation.columns),
        "drift.ignore": list(config.drift.ignore),
    }
    for place, names in named.items():
        for name in names:
            if name not in known and not (place == "columns" and name in expected):
                raise ConfigError(
                    "ingest", f"{place} names the column {name_examples([name])}, which the source "
                    "lacks",
                    f"Correct {place}: {name_near_misses(name, (k for k in known if k != ROW_ID))}",
                )  # fmt: skip


def _rename_taken(table: SourceTable, config: DatasetConfig) -> tuple[SourceTable, list[Guess]]:
    """Give columns whose names are needed here another one: a user's column may be named split."""
    taken = {
        name: name + NEEDED_SUFFIX
        for name in (SPLIT, *FLAGS, REASON)
        if name in table.columns
        and name + NEEDED_SUFFIX not in table.columns
        and name not in (config.target, config.key)
    }
    columns = {
        taken.get(name, name): replace(column, name=taken.get(name, name))
        for name, column in table.columns.items()
    }
    return replace(table, columns=columns), [
        Guess("name", other, f"the column {name!r} is called {other!r}", certainty="certain")
        for name, other in taken.items()
    ]


def _refuse_reserved(table: SourceTable, config: DatasetConfig) -> None:
    needed = [SPLIT, *FLAGS, REASON] + ([] if config.key == ROW_ID else [ROW_ID])
    taken = [name for name in needed if name in table.columns]
    if taken:
        raise ConfigError(
            "ingest", f"the source has a column named {name_examples(taken)}, a name Assay needs",
            "Rename the column in the source"
            + (", or declare it as `key` if it names the rows" if ROW_ID in taken else ""),
        )  # fmt: skip


def _refuse_unreadable(
    column: TextColumn, missing: np.ndarray, typed: pd.Series, inferred: Inferred
) -> None:
    """Refuse a declared role that most values do not have."""
    unread = typed.isna().to_numpy() & ~missing
    rows, bad = int(column.counts[~missing].sum()), int(column.counts[unread].sum())
    if inferred.reason == "declared" and bad > rows / 2:
        raise DataContractError(
            "ingest",
            f"column {name_examples([column.name])} is declared {inferred.role}, but {bad} of its "
            f"{write_count(rows, 'value')} can't be read so: "
            f"{name_examples(column.values[unread])}",
            "Correct its role in dataset.yaml, or the column",
        )


def _describe_column(
    column: TextColumn, missing: np.ndarray, typed: pd.Series, inferred: Inferred
) -> ColumnFacts:
    """Count what was missing in a column and what could not be read."""
    unparsable = typed.isna().to_numpy() & ~missing
    tokens = zip(column.values[missing], column.counts[missing], strict=True)
    return ColumnFacts(
        name=column.name,
        role=inferred.role,
        reason=inferred.reason,
        distinct=int(typed.nunique()),
        missing=int(column.counts[missing | unparsable].sum()),
        tokens={str(text): int(count) for text, count in tokens},
        unparsable=int(column.counts[unparsable].sum()),
        unparsable_examples=[str(text)[:40] for text in column.values[unparsable][:5]],
        format=inferred.format,
    )


def _name_rows(
    table: SourceTable, config: DatasetConfig, facts: list[ColumnFacts]
) -> tuple[np.ndarray, str]:
    if config.key is None:
        columns = [table.columns[f.name] for f in facts if f.role != "identifier"]
        return hash_rows(columns or list(table.columns.values()), table.rows), "content"
    column = table.columns[config.key]
    repeated = column.values[(column.counts > 1) & (column.values != "")]
    blank = int(column.counts[column.values == ""].sum())
    if len(repeated) or blank:
        raise DataContractError(
            "ingest",
            f"the key {name_examples([config.key])} is blank in {write_count(blank, 'row')} "
            f"and repeats {write_count(len(repeated), 'value')}"
            + (f": {name_examples(repeated)}" if len(repeated) else ""),
            "Make the key unique in the source, or remove `key` to name rows by their content",
        )
    return column.take(column.values), f"key {config.key}"


def _check_features(facts: list[ColumnFacts]) -> None:
    if not any(column.role in FEATURE_ROLES for column in facts):
        others = [f"{c.name} ({c.role})" for c in facts if c.role != "target"]
        raise DataContractError(
            "ingest",
            f"none of the {len(others)} columns beside the target can be learned from"
            + (f": {name_examples(others)}" if others else ""),
            "Give columns with features, or declare their roles under `columns`",
        )
