"""How raw values are read, by rules that ingest found: the source's and new rows' alike."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from pipeline.config.settings import Role
from pipeline.dataset import FEATURE_ROLES, ROLES
from pipeline.errors import name_examples
from pipeline.ingest.roles import MissingRule, is_missing
from pipeline.sources.cell_texts import tidy_column
from pipeline.sources.number_forms import ANY, PLAINLY, NumberForm, parse_numbers
from pipeline.sources.reading import TextColumn
from pipeline.sources.time_forms import parse_times, write_time
from pipeline.sources.unseen import tidy_name


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
    """

    role: Role
    missing: MissingRule
    format: str | None = None
    numbers: NumberForm | None = None


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


def read_rows(frame: pd.DataFrame, rules: ColumnRules) -> pd.DataFrame:
    """Type new raw rows as the source was typed.

    Parameters
    ----------
    frame
        Raw values: texts, numbers, None. A column that is left out is missing in every row; a
        number or date that can't be read is missing, as it was in training.

    Returns
    -------
    pandas.DataFrame
        The columns that a network may learn from, in the source's order.
    """
    columns = {}
    frame = frame.rename(columns=_tidy_names(frame))
    for name, rule in rules.columns.items():
        if rule.role not in FEATURE_ROLES:
            continue
        form = rules.find_form(name) if ROLES[rule.role].values == "numbers" else PLAINLY
        given = frame[name] if name in frame.columns else [None] * len(frame)
        texts = [_write_text(value, form, rule.format) for value in given]
        codes, values = pd.factorize(np.array(texts, dtype=object))
        column = TextColumn(name, codes, values, np.bincount(codes, minlength=len(values)))
        column, _ = tidy_column(column)
        missing = is_missing(column, rule.missing)
        typed = type_values(column, missing, rule, form)
        unread = column.values[typed.isna().to_numpy() & ~missing]
        if len(unread):
            warnings.warn(
                f"column '{name}': {name_examples(unread)} can't be read as {rule.role} and "
                f"{'counts' if len(unread) == 1 else 'count'} as missing",
                stacklevel=2,
            )
        columns[name] = typed.take(column.codes).reset_index(drop=True)
    return pd.DataFrame(columns, index=range(len(frame)))


def _tidy_names(frame: pd.DataFrame) -> dict[str, str]:
    """Find the names that columns have without what can't be seen, as the source's got them."""
    tidy = {name: tidy_name(name) for name in frame.columns if isinstance(name, str)}
    return {name: own for name, own in tidy.items() if own != name and own not in frame.columns}


def _write_text(value: object, numbers: NumberForm, form: str | None) -> str:
    """Write a raw value as the source would: whole floats without a point, dates in its form."""
    if value is None or value is pd.NaT or value is pd.NA:
        return ""
    if isinstance(value, float | np.floating):
        if np.isnan(value):
            return ""
        whole = float(value)
        if whole.is_integer() and abs(whole) < 1e15:
            return str(int(whole))
        return str(value).replace(".", numbers.decimal)
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
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
