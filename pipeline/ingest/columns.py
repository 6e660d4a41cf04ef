"""How raw values are read, by rules that ingest found: the source's and new rows' alike."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pandas as pd

from pipeline.config.settings import Role
from pipeline.dataset import FEATURE_ROLES, ROLES
from pipeline.errors import DataContractError, name_examples, name_near_misses, write_count
from pipeline.ingest.label_names import fold_text
from pipeline.ingest.roles import MissingRule, is_missing
from pipeline.sources.cell_texts import tidy_column
from pipeline.sources.number_forms import ANY, PLAINLY, NumberForm, parse_numbers
from pipeline.sources.reading import TextColumn
from pipeline.sources.time_forms import parse_times, write_time
from pipeline.sources.unseen import tidy_name

# No and yes in each pair of words that a column may hold, and what may stand for them.
OPPOSITES = (
    ("0", "1"), ("false", "true"), ("f", "t"), ("no", "yes"), ("n", "y"), ("off", "on"),
)  # fmt: skip
SENSES = tuple(frozenset(pair[i] for pair in OPPOSITES) | {f"{i}.0"} for i in (0, 1))
COUNTS = ("counts", "count")
NEEDED_SUFFIX = "_"  # behind a column's name that is needed here
PLAIN_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


class InputWarning(UserWarning):
    """Told of new rows that can't be read throughout, or hold what the source never had."""


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """How the raw values of one column are read.

    Attributes
    ----------
    format
        Of dates.
    numbers
        How its numbers are written; None in versions of before, where ``ColumnRules.decimal`` says
        it for all columns.
    values
        The texts of a column of categories, if they are not too many: what is none of them was
        never seen.
    """

    role: Role
    missing: MissingRule
    format: str | None = None
    numbers: NumberForm | None = None
    values: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ColumnRules:
    """How the raw values of all columns are read; JSON-ready, ships with a version."""

    target: str
    decimal: str
    columns: dict[str, ColumnRule]

    @property
    def roles(self) -> dict[str, Role]:
        """The role of each column."""
        return {name: rule.role for name, rule in self.columns.items()}

    def find_form(self, name: str) -> NumberForm:
        """Find how the numbers of a column are written."""
        form = self.columns[name].numbers
        if form is not None:
            return form
        return NumberForm(",", ".", ANY) if self.decimal == "," else NumberForm(".", ",", ANY)


def read_rows(frame: pd.DataFrame, rules: ColumnRules, *, strict: bool = False) -> pd.DataFrame:
    """Type new raw rows as the source was typed.

    A value is taken for the one of the source that it stands for: True for 1 where the column holds
    0 and 1, the number 2134 for the code 02134. What can't be read, was never seen or is not there
    is told once, as an ``InputWarning``.

    Parameters
    ----------
    frame
        Raw values: texts, numbers, None, of any dtype. A column that is left out is missing in
        every row; a number or date that can't be read is missing, as it was in training.
    strict
        Refuse what would be told.

    Returns
    -------
    pandas.DataFrame
        The columns that a network may learn from, in the source's order.

    Raises
    ------
    DataContractError
        If ``strict``, with the columns, the values and their share.
    """
    frame = frame.rename(columns=_tidy_names(frame, rules))
    columns, told = {}, []
    known = [name for name, rule in rules.columns.items() if rule.role in FEATURE_ROLES]
    absent = [name for name in known if name not in frame.columns]
    if absent:
        one = len(absent) == 1
        told.append(
            f"{'column' if one else 'columns'} {name_examples(absent)} "
            f"{'is not there and counts' if one else 'are not there and count'} as missing"
        )
    extra = [str(name) for name in frame.columns if str(name) not in rules.columns]
    if extra:
        near = name_near_misses(extra[0], absent or known)
        verb = "is" if len(extra) == 1 else "are"
        told.append(f"{name_examples(extra)} {verb} not known and passed over ({near})")
    for name in known:
        rule = rules.columns[name]
        form = rules.find_form(name) if ROLES[rule.role].values == "numbers" else PLAINLY
        given = frame[name] if name in frame.columns else [None] * len(frame)
        texts = [_write_text(value, form, rule.format) for value in given]
        codes, values = pd.factorize(np.array(texts, dtype=object))
        column = TextColumn(name, codes, values, np.bincount(codes, minlength=len(values)))
        column, _ = tidy_column(column)
        codes, values, counts = column.codes, column.values, column.counts
        missing = is_missing(column, rule.missing)
        if rule.values:
            values, unseen = _find_seen(values, missing, rule.values)
            told += _tell(name, values[unseen], counts[unseen], "was never seen", "were never seen")
        typed = type_values(TextColumn(name, codes, values, counts), missing, rule, form)
        unread = typed.isna().to_numpy() & ~missing
        what = [f"can't be read as {rule.role} and {verb} as missing" for verb in COUNTS]
        told += _tell(name, values[unread], counts[unread], *what)
        columns[name] = typed.take(codes).reset_index(drop=True)
    if told and strict:
        raise DataContractError(
            "preprocessor", "; ".join(told), "Correct the rows, or predict without strict"
        )
    if told:
        warnings.warn("; ".join(told), InputWarning, stacklevel=2)
    return pd.DataFrame(columns, index=range(len(frame)))


def _tell(name: str, values: np.ndarray, counts: np.ndarray, one: str, many: str) -> Iterator[str]:
    if len(values):
        rows = write_count(int(counts.sum()), "row")
        what = one if len(values) == 1 else many
        yield f"column '{name}': {name_examples(values)} {what} ({rows})"


def _find_seen(
    values: np.ndarray, missing: np.ndarray, known: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Write values as the source writes them, and find those that it never had."""
    written = {fold_text(text): text for text in reversed(known)}
    opposites = next((pair for pair in OPPOSITES if written.keys() == {*pair}), None)
    width = len(known[0]) if all(text.isdigit() for text in known) else 0
    width = width if {len(text) for text in known} == {width} else 0
    numbers = {float(text): text for text in known if PLAIN_NUMBER.fullmatch(text)}
    result, exact = values.copy(), {*known}
    unseen = np.zeros(len(values), bool)
    for index in np.flatnonzero(~missing):
        text = values[index]
        folded = fold_text(text)
        if text in exact:
            continue
        meant = written.get(folded)
        if meant is None and opposites is not None:
            place = next((i for i in (0, 1) if folded in SENSES[i]), None)
            meant = None if place is None else written[opposites[place]]
        if meant is None and width and text.isdigit():
            meant = written.get(text.zfill(width))
        if meant is None and PLAIN_NUMBER.fullmatch(text):
            meant = numbers.get(float(text))
        unseen[index] = meant is None
        result[index] = text if meant is None else meant
    return result, unseen


def _tidy_names(frame: pd.DataFrame, rules: ColumnRules) -> dict[str, str]:
    """Find the names that columns have without what can't be seen, as the source's got them."""
    found = {}
    for name in frame.columns:
        own = tidy_name(name) if isinstance(name, str) else name
        if own not in rules.columns and f"{own}{NEEDED_SUFFIX}" in rules.columns:
            own = f"{own}{NEEDED_SUFFIX}"
        if own != name and own not in frame.columns:
            found[name] = own
    return found


def _write_text(value: object, numbers: NumberForm, form: str | None) -> str:
    """Write a raw value as the source would: whole floats without a point, dates in its form."""
    if value is None or value is pd.NaT or value is pd.NA:
        return ""
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    if numbers.clock and isinstance(value, int | float | np.number) and np.isfinite(value):
        value = pd.Timedelta(seconds=float(value))
    if isinstance(value, pd.Timedelta | timedelta | np.timedelta64):
        seconds = pd.Timedelta(value).total_seconds()
        if np.isnan(seconds):
            return ""
        return f"{seconds // 3600:.0f}:{seconds // 60 % 60:02.0f}:{seconds % 60:02.0f}"
    if isinstance(value, float | np.floating):
        if np.isnan(value):
            return ""
        whole = float(value)
        if whole.is_integer() and abs(whole) < 1e15:
            return str(int(whole))
        return str(value).replace(".", numbers.decimal)
    if isinstance(value, date | np.datetime64):
        return write_time(pd.Timestamp(value), form)
    return str(value).strip()


def type_values(
    column: TextColumn, missing: np.ndarray, rule: ColumnRule, form: NumberForm
) -> pd.Series:
    """Give the distinct values of a column their type; what can't be read becomes missing.

    Parameters
    ----------
    column
        A column of texts.
    missing
        Shape ``(distinct,)``, bool: which of its distinct texts count as missing.
    rule
        Its role, and the format of its dates.
    form
        How its numbers are written.

    Returns
    -------
    pandas.Series
        Shape ``(distinct,)``, in the order of ``column.values``: float64, datetime64 or text.
    """
    values = column.values.copy()
    values[missing] = None
    kind = ROLES[rule.role].values
    if kind == "numbers":
        return pd.Series(np.where(missing, np.nan, parse_numbers(column.values, form)))
    if kind == "dates" and rule.format is not None:
        return parse_times(values, rule.format)
    return pd.Series(values, dtype="str")
